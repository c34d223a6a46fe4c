// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Description, Encoding} from "../interfaces/IClassifier.sol";
import {ISoftmaxRegression} from "../interfaces/ISoftmaxRegression.sol";
import {CloneArguments} from "../libraries/CloneArguments.sol";
import {Lanes} from "../libraries/Lanes.sol";
import {Model} from "../libraries/Model.sol";
import {Samples} from "../libraries/Samples.sol";
import {Classifier} from "./Classifier.sol";

/// @title SoftmaxRegression
/// @notice A linear model of several classes, trained off the chain.
/// @dev The model is `int16` lanes, 16 a word: a row of weights for each class, then a bias for each
/// class. A prediction is the class with the largest logit; of equal ones the first.
contract SoftmaxRegression is Classifier, ISoftmaxRegression {
    uint256 private constant CLASSES_INDEX = 1;
    uint256 private constant FEATURES_INDEX = 2;
    uint256 private constant SCALE_INDEX = 3;
    uint256 private constant MAX_FEATURE_INDEX = 4;

    /// @dev Maximum number of classes: a test sample has its label in one byte.
    uint256 private constant MAX_CLASSES = 256;

    /// @dev Maximum product of the largest feature and the number of features and bias: raw logits of
    /// 16-bit weights then fit into 32 bits.
    uint256 private constant MAX_FEATURE_SUM = 65_536;

    /// @dev Maximum number of parameters, so that an aggregate can be added in one transaction.
    uint256 private constant MAX_PARAMETERS = 32_768;

    uint256 private constant MAX_SCALE = 15;

    /// @dev A logit has so many bits after the point.
    uint256 private constant LOGIT_BITS = 4;

    /// @inheritdoc ISoftmaxRegression
    function add(uint256[] calldata deltas) external returns (bytes32 root) {
        address trainer = _trainer;
        if (trainer == address(0)) revert InitializationOpen();
        if (msg.sender != trainer) revert NotTrainer(msg.sender, trainer);
        uint256 size = _size(CloneArguments.load());
        if (deltas.length != size) revert WrongAggregate(deltas.length, size);
        uint256[] memory sums = new uint256[](size);
        for (uint256 i; i < size; ++i) {
            uint256 word = Model.load(i);
            if (deltas[i] != 0) {
                word = Lanes.addInt16s(word, deltas[i]);
                Model.store(i, word);
            }
            sums[i] = word;
        }
        assembly ("memory-safe") {
            root := keccak256(add(sums, 0x20), shl(5, size))
        }
        emit Updated(root);
    }

    /// @inheritdoc ISoftmaxRegression
    function maxFeature() external view returns (uint256) {
        return CloneArguments.word(MAX_FEATURE_INDEX);
    }

    /// @inheritdoc ISoftmaxRegression
    function scale() external view returns (uint256) {
        return CloneArguments.word(SCALE_INDEX);
    }

    function _learn(uint256[] memory arguments, uint256 label, bytes calldata) internal pure override {
        // True for every item. Without a condition, the compiler warns of the code after the call.
        if (label < _classes(arguments)) revert LearnsFromUpdates();
    }

    function _predict(uint256[] memory arguments, bytes calldata sample)
        internal
        view
        override
        returns (uint256 label)
    {
        uint256 features = _argument(arguments, FEATURES_INDEX);
        uint256 classes = _argument(arguments, CLASSES_INDEX);
        // Weights and numbers have 16 bits, and there are fewer than 2^16 features.
        unchecked {
            int256 largest = type(int256).min;
            for (uint256 class; class < classes; ++class) {
                int256 logit = _biasOf(arguments, classes * features + class);
                uint256 index = class * features;
                uint256 word = Model.load(index / 16);
                for (uint256 feature; feature < features; ++feature) {
                    if (index % 16 == 0) word = Model.load(index / 16);
                    int256 number = int16(uint16(Samples.featureAt(sample, feature)));
                    logit += Lanes.int16At(word, 16 * (index % 16)) * number;
                    ++index;
                }
                if (logit > largest) (largest, label) = (logit, class);
            }
        }
    }

    function _requireSample(uint256[] memory arguments, uint256 item, bytes calldata sample)
        internal
        pure
        override
    {
        Samples.requireDense(item, sample, 2 * _argument(arguments, FEATURES_INDEX));
    }

    function _classes(uint256[] memory arguments) internal pure override returns (uint256) {
        return arguments[CLASSES_INDEX];
    }

    function _size(uint256[] memory arguments) internal pure override returns (uint256) {
        return (arguments[CLASSES_INDEX] * (arguments[FEATURES_INDEX] + 1) + 15) / 16;
    }

    function _count() internal pure override returns (uint256) {
        return 5;
    }

    function _validate(uint256[] memory arguments) internal pure override {
        uint256 classes = arguments[CLASSES_INDEX];
        uint256 features = arguments[FEATURES_INDEX];
        uint256 most = arguments[MAX_FEATURE_INDEX];
        _requireWithin("classes", classes, 2, MAX_CLASSES);
        _requireWithin("features", features, 1, MAX_PARAMETERS / classes - 1);
        _requireWithin("scale", arguments[SCALE_INDEX], 0, MAX_SCALE);
        _requireWithin("maxFeature", most, 1, MAX_FEATURE_SUM / (features + 1));
        bool isPower = most & (most - 1) == 0;
        // A feature is one byte of a test sample. A raw logit has at least the bits of a logit.
        if (!isPower || most > 128 || most << arguments[SCALE_INDEX] >> LOGIT_BITS == 0) {
            revert InvalidParameter("maxFeature", most);
        }
    }

    function _describe(uint256[] memory arguments) internal pure override returns (Description memory) {
        return Description({
            kind: "softmax regression",
            encoding: Encoding.Dense16,
            classes: arguments[CLASSES_INDEX],
            features: arguments[FEATURES_INDEX],
            owner: address(0),
            trainer: address(0),
            words: 0
        });
    }

    /// @dev Returns what the bias at an index adds to a raw logit.
    function _biasOf(uint256[] memory arguments, uint256 index) private view returns (int256) {
        // The largest feature is at most 128.
        unchecked {
            int256 factor = int256(_argument(arguments, MAX_FEATURE_INDEX));
            return factor * Lanes.int16At(Model.load(index / 16), 16 * (index % 16));
        }
    }
}
