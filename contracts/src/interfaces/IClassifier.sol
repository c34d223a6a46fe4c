// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IErrors} from "./IErrors.sol";

/// @notice The encoding of a sample's bytes; all numbers are big-endian.
enum Encoding {
    /// The indices of the present features, `uint16` each, strictly increasing.
    Sparse,
    /// One `int16` a feature.
    Dense16,
    /// One `int32` a feature.
    Dense32
}

/// @notice The facts that a classifier states about itself.
struct Description {
    /// The name of the kind, such as "sparse perceptron".
    string kind;
    /// The encoding of the samples.
    Encoding encoding;
    /// The number of classes; labels run from 0 to `classes - 1`.
    uint256 classes;
    /// The number of features.
    uint256 features;
    /// The address that may write the weights until it closes the model.
    address owner;
    /// The address that may teach the model; zero while the initialization is open.
    address trainer;
    /// The model's size in 256-bit words.
    uint256 words;
}

/// @title IClassifier
/// @notice A model that predicts labels and learns from labeled samples.
/// @dev A classifier cannot move money itself, but its labels decide who gets each deposit. A
/// hostile classifier can see the origin of a call and change its mind. So it controls all deposits
/// of its model: before you contribute, check both implementations in `ModelCreated`.
/// A batch is one or more items `label (uint16) | length (uint16) | sample (length bytes)`.
interface IClassifier is IErrors {
    /// @notice Thrown when a label does not belong to the model.
    /// @param item The item's index in the batch or array, from 0.
    /// @param label The label of the item.
    /// @param classes The number of classes; the label must be below it.
    error LabelOutOfRange(uint256 item, uint256 label, uint256 classes);

    /// @notice Thrown when a sparse sample has more present features than a model with so many
    /// classes accepts.
    /// @dev A prediction reads the count of each present feature in every class. With more
    /// features, a refund or a report could need more gas than a transaction may have. The deposit
    /// would then wait for a late claim.
    /// @param item The item's index in the batch or array, from 0.
    /// @param present The number of present features.
    /// @param max The maximum number of present features.
    error TooManyFeatures(uint256 item, uint256 present, uint256 max);

    /// @notice Thrown when the number of samples differs from the number of labels.
    error LengthsDiffer(uint256 samples, uint256 labels);

    /// @notice Thrown when a caller teaches while the owner may still write the model.
    error InitializationOpen();

    /// @notice Thrown when a caller other than the trainer teaches.
    error NotTrainer(address caller, address trainer);

    /// @notice Predicts the label of each sample.
    /// @dev Accepts samples that are too large for the model to learn from.
    /// @param samples Encoded as `describe().encoding` says.
    /// @return labels One label a sample, in the order of the samples.
    function predict(bytes[] calldata samples) external view returns (uint256[] memory labels);

    /// @notice Counts the samples whose label the model predicts right.
    /// @dev Accepts the same samples as `predict`.
    /// @param samples Encoded as `describe().encoding` says.
    /// @param labels The right labels, in the order of the samples.
    /// @return correct The number of samples whose predicted label is right.
    function evaluate(bytes[] calldata samples, uint256[] calldata labels)
        external
        view
        returns (uint256 correct);

    /// @notice Reverts with the first error that `learn` would find in the batch.
    /// @param batch One or more items.
    function check(bytes calldata batch) external view;

    /// @notice Learns from each item in turn; only the trainer may teach.
    /// @param batch One or more items.
    function learn(bytes calldata batch) external;

    /// @notice Returns the classifier's description.
    /// @dev Reverts with `InvalidParameter` if a parameter of the model is outside its bounds.
    function describe() external view returns (Description memory description);
}
