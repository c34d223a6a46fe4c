// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Description, Encoding} from "../interfaces/IClassifier.sol";
import {IPerceptron} from "../interfaces/IPerceptron.sol";
import {CloneArguments} from "../libraries/CloneArguments.sol";
import {Lanes} from "../libraries/Lanes.sol";
import {Model} from "../libraries/Model.sol";
import {Samples} from "../libraries/Samples.sol";
import {Classifier} from "./Classifier.sol";

/// @title SparsePerceptron
/// @notice A binary perceptron over the presence of features.
/// @dev The model is `int16` weights, 16 a word.
contract SparsePerceptron is Classifier, IPerceptron {
    uint256 private constant FEATURES = 1;
    uint256 private constant LEARNING_RATE = 2;
    uint256 private constant INTERCEPT = 3;

    /// @inheritdoc IPerceptron
    function learningRate() external view returns (uint256) {
        return CloneArguments.word(LEARNING_RATE);
    }

    /// @inheritdoc IPerceptron
    function intercept() external view returns (int256) {
        return int256(CloneArguments.word(INTERCEPT));
    }

    function _learn(uint256[] memory arguments, uint256 label, bytes calldata sample) internal override {
        (bool positive, uint256 loaded) = _score(arguments, sample);
        if (positive == (label == 1)) return;
        // Within int16, as `close` has made sure.
        int256 delta = int256(arguments[LEARNING_RATE]);
        if (label == 0) delta = -delta;

        // Bounded by the sample's length.
        unchecked {
            uint256 present = sample.length / 2;
            for (uint256 i; i < present;) {
                uint256 current = Samples.indexAt(sample, i) / 16;
                uint256 word;
                assembly ("memory-safe") {
                    word := mload(loaded)
                    loaded := add(loaded, 0x20)
                }
                uint256 feature;
                do {
                    feature = Samples.indexAt(sample, i);
                    if (feature / 16 != current) break;
                    word = Lanes.addInt16(word, feature % 16 * 16, delta);
                } while (++i < present);
                Model.store(current, word);
            }
        }
    }

    function _predict(uint256[] memory arguments, bytes calldata sample)
        internal
        view
        override
        returns (uint256)
    {
        (bool positive,) = _score(arguments, sample);
        return positive ? 1 : 0;
    }

    function _requireSample(uint256[] memory arguments, uint256 item, bytes calldata sample)
        internal
        pure
        override
    {
        Samples.requireSparse(item, sample, arguments[FEATURES]);
    }

    function _classes(uint256[] memory) internal pure override returns (uint256) {
        return 2;
    }

    function _size(uint256[] memory arguments) internal pure override returns (uint256) {
        return arguments[FEATURES] / 16 + (arguments[FEATURES] % 16 == 0 ? 0 : 1);
    }

    function _validate(uint256[] memory arguments) internal pure override {
        _requireCount(arguments, 4);
        _requireWithin("features", arguments[FEATURES], 1, 65_536);
        _requireWithin("learningRate", arguments[LEARNING_RATE], 1, 32_767);
        _requireInt64("intercept", arguments[INTERCEPT]);
    }

    function _describe(uint256[] memory arguments)
        internal
        pure
        override
        returns (Description memory description)
    {
        description.kind = "sparse perceptron";
        description.encoding = Encoding.Sparse;
        description.classes = 2;
        description.features = arguments[FEATURES];
    }

    /// @dev Whether the weighted sum is positive. Indices increase, so features that share a word follow each
    /// other and each word is loaded once.
    /// @return positive Whether the class is 1.
    /// @return loaded Where in memory the words of the model lie that were loaded, in the sample's order: for
    /// learning without loading them again.
    function _score(uint256[] memory arguments, bytes calldata sample)
        private
        view
        returns (bool positive, uint256 loaded)
    {
        // At most 32,768 weights of 16 bits and an intercept of 64: no sum wraps.
        unchecked {
            int256 score = int256(arguments[INTERCEPT]);
            // In assembly because this loop is most of what predictions and lessons compute.
            assembly ("memory-safe") {
                loaded := mload(0x40)
                let free := loaded
                let word
                let current := not(0) // the index of no word
                let end := add(sample.offset, sample.length)
                for { let place := sample.offset } lt(place, end) { place := add(place, 2) } {
                    let feature := shr(240, calldataload(place))
                    if xor(shr(4, feature), current) {
                        current := shr(4, feature)
                        word := sload(add(0x10000000000000000, current)) // Model.SLOT
                        mstore(free, word)
                        free := add(free, 0x20)
                    }
                    score := add(score, signextend(1, shr(shl(4, and(feature, 15)), word)))
                }
                mstore(0x40, free)
                positive := sgt(score, 0)
            }
        }
    }
}
