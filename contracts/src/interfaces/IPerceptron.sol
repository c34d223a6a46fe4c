// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @title IPerceptron
/// @notice The parameters of a perceptron; both are fixed at creation.
interface IPerceptron {
    /// @notice How far a weight moves when the model is wrong, for a feature of 1.
    /// @dev In units of a weight for the sparse perceptron, in 1/65536 of it for the dense one.
    function learningRate() external view returns (uint256);

    /// @notice What is added to the weighted sum, in units of weight times feature.
    function intercept() external view returns (int256);
}
