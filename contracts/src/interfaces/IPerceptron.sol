// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @title IPerceptron
/// @notice The parameters of a perceptron; both are fixed at creation.
interface IPerceptron {
    /// @notice Returns the amount by which a weight moves after a wrong prediction, for a feature
    /// of 1.
    /// @dev The unit is a weight for the sparse perceptron, 1/65536 of a weight for the dense one.
    function learningRate() external view returns (uint256);

    /// @notice Returns the number added to the weighted sum, in units of weight times feature.
    function intercept() external view returns (int256);
}
