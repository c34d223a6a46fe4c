// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @title IERC1271
/// @notice The check of a signature by a contract wallet.
interface IERC1271 {
    /// @notice Checks a signature of the contract.
    /// @param hash The hash that was signed.
    /// @param signature The signature, in any form that the contract accepts.
    /// @return magic The selector of this function if the signature is valid.
    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4 magic);
}
