// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @title IDepositRefundTake
/// @notice The parameter of the deposit, refund and take mechanism; it is fixed at creation.
interface IDepositRefundTake {
    /// @notice What the deposit is in proportion to: each of `n` contributions in one transaction costs
    /// `costWeight * 3600 / max(1, floor(sqrt((now - lastContributionTime) / n)))`. In wei, below 2^80.
    function costWeight() external view returns (uint256);
}
