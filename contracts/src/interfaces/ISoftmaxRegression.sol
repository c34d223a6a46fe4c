// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @title ISoftmaxRegression
/// @notice A softmax regression that learns from aggregated updates instead of samples.
interface ISoftmaxRegression {
    /// @notice Thrown when the trainer teaches samples: this model learns from updates only.
    error LearnsFromUpdates();

    /// @notice Thrown when an aggregate has another number of words than the model.
    /// @param words The number of words of the aggregate.
    /// @param expected The number of words of the model.
    error WrongAggregate(uint256 words, uint256 expected);

    /// @notice The trainer added an aggregate to the model.
    /// @param root The hash of all words of the model after it.
    event Updated(bytes32 root);

    /// @notice Adds an aggregate to the weights and biases, which saturate; only the trainer may
    /// call it.
    /// @param deltas The words to add, with lanes as those of the model.
    /// @return root The hash of all words of the model after it.
    function add(uint256[] calldata deltas) external returns (bytes32 root);

    /// @notice Returns the largest feature, a power of two. A raw logit is the sum of weight times
    /// feature, plus this number times the bias.
    function maxFeature() external view returns (uint256);

    /// @notice Returns the number of bits that weights have after the point.
    function scale() external view returns (uint256);
}
