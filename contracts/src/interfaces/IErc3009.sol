// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @title IErc3009
/// @notice The functions of ERC-3009 tokens that the collector calls.
/// @dev ERC-3009 itself has only the function that takes `v`, `r` and `s`. The one that takes bytes
/// is of later tokens, such as USDC since version 2.2, whose holders can be contract wallets.
interface IErc3009 {
    /// @notice Moves tokens of `from` to the caller, by a signature of a key.
    function receiveWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external;

    /// @notice Moves tokens of `from` to the caller, by a signature in any form that the token takes.
    function receiveWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) external;
}
