// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @title IDepositRefundTake
/// @notice The parameter of the mechanism `deposit-refund-take`; it is fixed at creation.
interface IDepositRefundTake {
    /// @notice Returns the factor of the deposit's formula, in wei, below 2^80. Each of `n`
    /// contributions in one transaction costs `costWeight * 3600 / max(1, floor(sqrt((now -
    /// lastContributionTime) / n)))`.
    function costWeight() external view returns (uint256);
}
