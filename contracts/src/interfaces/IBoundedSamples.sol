// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @title IBoundedSamples
/// @notice The bounds of the samples that a dense model learns from; both are fixed at creation.
/// @dev They bound the effect of one contribution. Predictions take any number, because they change
/// nothing.
interface IBoundedSamples {
    /// @notice Returns the largest absolute value of a number in a sample to learn from.
    function maxNumber() external view returns (uint256);

    /// @notice Returns the largest sum of the squares of the numbers in a sample to learn from.
    function maxSquaredLength() external view returns (uint256);
}
