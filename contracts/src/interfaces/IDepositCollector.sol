// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @title IDepositCollector
/// @notice A contract that brings a payer's tokens to the channel settlement.
interface IDepositCollector {
    /// @notice Moves tokens of a payer to the caller, the channel settlement.
    /// @param payer The owner of the tokens.
    /// @param token The token to move.
    /// @param amount The amount, in the smallest unit of the token.
    /// @param channelId The channel that the tokens are for.
    /// @param collectorData The payer's permission, in the collector's own encoding.
    function collect(
        address payer,
        address token,
        uint256 amount,
        bytes32 channelId,
        bytes calldata collectorData
    ) external;
}
