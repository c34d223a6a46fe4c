// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

import {Description, Encoding} from "../interfaces/IClassifier.sol";
import {Headers} from "../libraries/Headers.sol";
import {Lanes} from "../libraries/Lanes.sol";
import {Model} from "../libraries/Model.sol";
import {DenseClassifier} from "./DenseClassifier.sol";

/// @title DenseNearestCentroid
/// @notice Predicts the class whose mean of samples is nearest, by Euclidean distance.
/// @dev The model is a header a class, then each class's `int64` sums, 4 a word, each class from a
/// new word. The squared distance is `sum((samples * number - sum)^2) / samples^2`.
contract DenseNearestCentroid is DenseClassifier {
    uint256 private constant CLASSES_INDEX = 1;
    uint256 private constant FEATURES_INDEX = 2;

    uint256 private constant MAX_CLASSES = 256;
    /// @dev Maximum number of sums in a model. A prediction reads all of them, and refunds and
    /// reports must fit into a transaction.
    uint256 private constant MAX_SUMS = 16_384;
    /// @dev Maximum number of features, so that a lesson fits into a transaction too.
    uint256 private constant MAX_FEATURES = 4096;

    function _learn(uint256[] memory arguments, uint256 label, bytes calldata sample) internal override {
        uint256 header = Model.load(label);
        if (Headers.full(header)) return;
        Model.store(label, Headers.learned(header, 0));
        // The features and words are within the model.
        unchecked {
            uint256 index = _firstWord(arguments, label);
            uint256 features = _argument(arguments, FEATURES_INDEX);
            for (uint256 feature; feature < features; ++index) {
                uint256 word = Model.load(index);
                uint256 shift;
                do {
                    word = Lanes.addInt64(word, shift, _number(sample, feature));
                    shift += 64;
                } while (++feature < features && shift < 256);
                Model.store(index, word);
            }
        }
    }

    function _predict(uint256[] memory arguments, bytes calldata sample)
        internal
        view
        override
        returns (uint256 label)
    {
        uint256 classes = _argument(arguments, CLASSES_INDEX);
        uint256 nearest;
        uint256 nearestSquare;
        for (uint256 class; class < classes; ++class) {
            uint256 samples = Headers.samples(Model.load(class));
            if (samples == 0) continue;
            uint256 distance = _distance(arguments, class, samples, sample);
            // Distances are below 2^142, squares below 2^64.
            unchecked {
                uint256 square = samples * samples;
                // Only an earlier class with samples sets a square, which is never 0.
                if (nearestSquare == 0 || distance * nearestSquare < nearest * square) {
                    nearest = distance;
                    nearestSquare = square;
                    label = class;
                }
            }
        }
    }

    function _width() internal pure override returns (uint256) {
        return 4;
    }

    function _features(uint256[] memory arguments) internal pure override returns (uint256) {
        return _argument(arguments, FEATURES_INDEX);
    }

    function _classes(uint256[] memory arguments) internal pure override returns (uint256) {
        return _argument(arguments, CLASSES_INDEX);
    }

    function _size(uint256[] memory arguments) internal pure override returns (uint256) {
        return _firstWord(arguments, _argument(arguments, CLASSES_INDEX));
    }

    function _count() internal pure override returns (uint256) {
        return 5;
    }

    function _validate(uint256[] memory arguments) internal pure override {
        _requireWithin("classes", arguments[CLASSES_INDEX], 2, MAX_CLASSES);
        uint256 max = FixedPointMathLib.min(MAX_SUMS / arguments[CLASSES_INDEX], MAX_FEATURES);
        _requireWithin("features", arguments[FEATURES_INDEX], 1, max);
        _validateBounds(arguments);
    }

    function _describe(uint256[] memory arguments)
        internal
        pure
        override
        returns (Description memory description)
    {
        description.kind = "dense nearest centroid";
        description.encoding = Encoding.Dense32;
        description.classes = arguments[CLASSES_INDEX];
        description.features = arguments[FEATURES_INDEX];
    }

    /// @dev Returns the index of the first word of a class's sums.
    function _firstWord(uint256[] memory arguments, uint256 class) private pure returns (uint256) {
        uint256 wordsPerClass = _argument(arguments, FEATURES_INDEX) / 4
            + (_argument(arguments, FEATURES_INDEX) % 4 == 0 ? 0 : 1);
        return _argument(arguments, CLASSES_INDEX) + class * wordsPerClass;
    }

    /// @dev Returns the squared distance to a class's mean, times the square of its number of
    /// samples.
    function _distance(uint256[] memory arguments, uint256 class, uint256 samples, bytes calldata sample)
        private
        view
        returns (uint256 distance)
    {
        // There are at most 4,096 squares of differences of at most 2^64. So casts keep the values
        // and nothing wraps.
        unchecked {
            uint256 index = _firstWord(arguments, class);
            uint256 features = _argument(arguments, FEATURES_INDEX);
            for (uint256 feature; feature < features; ++index) {
                uint256 word = Model.load(index);
                uint256 shift;
                do {
                    int256 difference =
                        int256(samples) * _number(sample, feature) - Lanes.int64At(word, shift);
                    distance += uint256(difference * difference);
                    shift += 64;
                } while (++feature < features && shift < 256);
            }
        }
    }

    /// @dev Returns the number of one feature, which must belong to the model.
    function _number(bytes calldata sample, uint256 feature) private pure returns (int256 value) {
        assembly {
            value := sar(224, calldataload(add(sample.offset, shl(2, feature))))
        }
    }
}
