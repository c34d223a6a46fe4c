// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Description, Encoding} from "../interfaces/IClassifier.sol";
import {IPerceptron} from "../interfaces/IPerceptron.sol";
import {CloneArguments} from "../libraries/CloneArguments.sol";
import {Lanes} from "../libraries/Lanes.sol";
import {Model} from "../libraries/Model.sol";
import {Samples} from "../libraries/Samples.sol";
import {DenseClassifier} from "./DenseClassifier.sol";

/// @title DensePerceptron
/// @notice A binary perceptron over signed numbers.
/// @dev The model is `int16` weights, 16 a word, and 32 bytes of a sample have as many features.
/// The first weight of a word is its lowest lane; the first feature is the highest lane.
contract DensePerceptron is DenseClassifier, IPerceptron {
    uint256 private constant FEATURES_INDEX = 1;
    uint256 private constant LEARNING_RATE_INDEX = 2;
    uint256 private constant INTERCEPT_INDEX = 3;

    /// @dev Maximum number of features, so that a lesson and a claim fit into a transaction.
    uint256 private constant MAX_FEATURES = 4096;

    /// @inheritdoc IPerceptron
    function learningRate() external view returns (uint256) {
        return CloneArguments.word(LEARNING_RATE_INDEX);
    }

    /// @inheritdoc IPerceptron
    function intercept() external view returns (int256) {
        return int256(CloneArguments.word(INTERCEPT_INDEX));
    }

    function _learn(uint256[] memory arguments, uint256 label, bytes calldata sample) internal override {
        if (_predict(arguments, sample) == label) return;
        // The rate is below 2^32, as `close` has made sure.
        int256 rate = int256(_argument(arguments, LEARNING_RATE_INDEX));
        int256 sign = label == 1 ? int256(1) : int256(-1);
        // The numbers have at most 48 bits, and the offsets are within the sample.
        unchecked {
            for (uint256 offset; offset < sample.length; offset += 32) {
                uint256 numbers = Samples.numbersAt(sample, offset);
                if (numbers == 0) continue;
                uint256 word = Model.load(offset / 32);
                // The loop ends when the rest of the numbers are 0, because they move nothing.
                for (uint256 shift; numbers != 0; shift += 16) {
                    int256 number = int256(numbers) >> 240;
                    word = Lanes.addInt16(word, shift, sign * ((rate * number + 32_768) >> 16));
                    numbers <<= 16;
                }
                Model.store(offset / 32, word);
            }
        }
    }

    function _predict(uint256[] memory arguments, bytes calldata sample)
        internal
        view
        override
        returns (uint256)
    {
        // There are at most 4,096 products of 32 bits and an intercept of 64: no sum wraps.
        unchecked {
            int256 score = int256(_argument(arguments, INTERCEPT_INDEX));
            for (uint256 offset; offset < sample.length; offset += 32) {
                uint256 numbers = Samples.numbersAt(sample, offset);
                if (numbers == 0) continue;
                uint256 word = Model.load(offset / 32);
                // In assembly because this loop is most of the cost of predictions and lessons. An
                // iteration takes two numbers for the same reason.
                assembly {
                    for {} numbers { numbers := shl(32, numbers) } {
                        score := add(score, mul(sar(240, numbers), signextend(1, word)))
                        let next := shl(16, numbers)
                        score := add(score, mul(sar(240, next), signextend(1, shr(16, word))))
                        word := shr(32, word)
                    }
                }
            }
            return score > 0 ? 1 : 0;
        }
    }

    function _width() internal pure override returns (uint256) {
        return 2;
    }

    function _features(uint256[] memory arguments) internal pure override returns (uint256) {
        return _argument(arguments, FEATURES_INDEX);
    }

    function _classes(uint256[] memory) internal pure override returns (uint256) {
        return 2;
    }

    function _size(uint256[] memory arguments) internal pure override returns (uint256) {
        return
            _argument(arguments, FEATURES_INDEX) / 16
                + (_argument(arguments, FEATURES_INDEX) % 16 == 0 ? 0 : 1);
    }

    function _count() internal pure override returns (uint256) {
        return 6;
    }

    function _validate(uint256[] memory arguments) internal pure override {
        _requireWithin("features", arguments[FEATURES_INDEX], 1, MAX_FEATURES);
        _requireWithin("learningRate", arguments[LEARNING_RATE_INDEX], 1, type(uint32).max);
        _requireInt64("intercept", arguments[INTERCEPT_INDEX]);
        _validateBounds(arguments);
    }

    function _describe(uint256[] memory arguments)
        internal
        pure
        override
        returns (Description memory description)
    {
        description.kind = "dense perceptron";
        description.encoding = Encoding.Dense16;
        description.classes = 2;
        description.features = arguments[FEATURES_INDEX];
    }
}
