// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @title IERC1271
/// @notice How contract wallets sign.
interface IERC1271 {
    /// @notice Whether a signature is the contract's.
    /// @return magic The selector of this function where it is.
    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4 magic);
}
