// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @title IBoundedSamples
/// @notice The bounds of the samples that a model of numbers learns from; both are fixed at creation.
/// @dev They bound what one contribution can change. Predictions take any number: they change nothing.
interface IBoundedSamples {
    /// @notice Returns the largest absolute number of a sample to learn from.
    function maxNumber() external view returns (uint256);

    /// @notice Returns the largest sum of the squares of a sample's numbers, of a sample to learn from.
    function maxSquaredLength() external view returns (uint256);
}
