// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IErrors} from "./IErrors.sol";

/// @notice How a sample's bytes are read; all numbers are big-endian.
enum Encoding {
    /// The indices of the present features, `uint16` each, strictly increasing.
    Sparse,
    /// One `int16` a feature.
    Dense16,
    /// One `int32` a feature.
    Dense32
}

/// @notice What a classifier says of itself.
struct Description {
    /// What it is, such as "sparse perceptron".
    string kind;
    /// How its samples are encoded.
    Encoding encoding;
    /// Labels run from 0 to `classes - 1`.
    uint256 classes;
    /// The number of features.
    uint256 features;
    /// Who may write the model until the initialisation is closed.
    address owner;
    /// Who may teach; zero while the initialisation is open.
    address trainer;
    /// The model's size in 256-bit words.
    uint256 words;
}

/// @title IClassifier
/// @notice A model that predicts labels and learns from labelled samples.
/// @dev A classifier cannot move money itself, but its labels decide who gets each deposit. A hostile one can see
/// the origin of a call and change its mind, and so controls all deposits of its model: before contributing, check
/// both implementations in `ModelCreated`.
/// A batch is one or more items `label (uint16) | length (uint16) | sample (length bytes)`.
interface IClassifier is IErrors {
    /// @notice Thrown when a label is not one of the model's.
    /// @param item The item's place in the batch or array, from 0.
    error LabelOutOfRange(uint256 item, uint256 label, uint256 classes);

    /// @notice Thrown when more features of a sparse sample are present than a model with so many classes takes.
    /// @dev A prediction reads the count of each present feature in every class. With more of them a refund or a
    /// report could need more gas than a transaction may have, and the deposit would wait for a late claim.
    /// @param present The number of present features.
    /// @param most The most that may be present.
    error TooManyFeatures(uint256 item, uint256 present, uint256 most);

    /// @notice Thrown when the number of samples is not the number of labels.
    error LengthsDiffer(uint256 samples, uint256 labels);

    /// @notice Thrown when somebody teaches while the model is still being written.
    error InitializationOpen();

    /// @notice Thrown when somebody else than the trainer teaches.
    error NotTrainer(address caller, address trainer);

    /// @notice Predicts the label of each sample.
    /// @dev Takes samples that the model would not learn from because they are too large.
    /// @param samples Encoded as `describe().encoding` says.
    /// @return labels One label a sample, in the order of the samples.
    function predict(bytes[] calldata samples) external view returns (uint256[] memory labels);

    /// @notice Counts the samples that are predicted right.
    /// @dev Takes what `predict` takes.
    /// @param labels The right labels, in the order of the samples.
    /// @return correct The number of samples whose predicted label is the right one.
    function evaluate(bytes[] calldata samples, uint256[] calldata labels)
        external
        view
        returns (uint256 correct);

    /// @notice Reverts with the first error that `learn` would find in the batch.
    function check(bytes calldata batch) external view;

    /// @notice Learns from each item in turn; only the trainer may teach.
    function learn(bytes calldata batch) external;

    /// @notice Says what this classifier is.
    /// @dev Reverts with `InvalidParameter` where the model's parameters are outside their bounds.
    function describe() external view returns (Description memory description);
}
