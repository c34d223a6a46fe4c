// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Description, Encoding} from "../interfaces/IClassifier.sol";
import {IPerceptron} from "../interfaces/IPerceptron.sol";
import {CloneArguments} from "../libraries/CloneArguments.sol";
import {Lanes} from "../libraries/Lanes.sol";
import {MODEL_SLOT} from "../libraries/Model.sol";
import {Samples} from "../libraries/Samples.sol";
import {Classifier} from "./Classifier.sol";

/// @title SparsePerceptron
/// @notice A binary perceptron over the presence of features.
/// @dev The model is `int16` weights, 16 a word.
contract SparsePerceptron is Classifier, IPerceptron {
    uint256 private constant FEATURES_INDEX = 1;
    uint256 private constant LEARNING_RATE_INDEX = 2;
    uint256 private constant INTERCEPT_INDEX = 3;

    /// @dev Maximum number of features; an index has 16 bits.
    uint256 private constant MAX_FEATURES = 65_536;

    /// @inheritdoc IPerceptron
    function learningRate() external view returns (uint256) {
        return CloneArguments.word(LEARNING_RATE_INDEX);
    }

    /// @inheritdoc IPerceptron
    function intercept() external view returns (int256) {
        return int256(CloneArguments.word(INTERCEPT_INDEX));
    }

    /// @dev Scores the sample like `_predict`, and writes a note of each word that it loads, for a
    /// wrong prediction. A note has the word's slot, its value, and 1 in the lane of each present
    /// feature. The notes lie in free memory.
    function _learn(uint256[] memory arguments, uint256 label, bytes calldata sample) internal override {
        (uint256 pointer, uint256 end) = Samples.terminated(sample);
        // There are at most 65,536 weights of 16 bits and an intercept of 64: no sum wraps. The
        // product of a word with lanes of 0 or 1 and a 16-bit number keeps its lanes apart.
        unchecked {
            int256 score = int256(_argument(arguments, INTERCEPT_INDEX));
            uint256 notes = end + 32;
            // In assembly because this loop is most of the cost of lessons. In the features from an
            // index on, the highest 12 bits are the first one's word and the next 4 its lane.
            assembly ("memory-safe") {
                let features := mload(pointer)
                for {} lt(pointer, end) {} {
                    let index := shr(244, features)
                    let slot := add(MODEL_SLOT, index)
                    let word := sload(slot)
                    mstore(notes, slot)
                    mstore(add(notes, 0x20), word)
                    let ones := 0
                    for {} 1 {} {
                        let shift := and(shr(236, features), 0xf0)
                        score := add(score, signextend(1, shr(shift, word)))
                        // In assembly the shift comes first: this is 1 << shift.
                        // slither-disable-next-line incorrect-shift
                        ones := or(ones, shl(shift, 1))
                        pointer := add(pointer, 2)
                        features := mload(pointer)
                        if xor(shr(244, features), index) { break }
                    }
                    mstore(add(notes, 0x40), ones)
                    notes := add(notes, 0x60)
                }
            }
            if ((score > 0) == (label == 1)) return;
            // The rate is within int16, as `close` has made sure; a lane keeps two's complement.
            uint256 rate = _argument(arguments, LEARNING_RATE_INDEX);
            uint256 delta = label == 1 ? rate : uint16(-int16(int256(rate)));
            for (uint256 note = end + 32; note != notes; note += 96) {
                uint256 slot;
                uint256 word;
                uint256 ones;
                assembly ("memory-safe") {
                    slot := mload(note)
                    word := mload(add(note, 0x20))
                    ones := mload(add(note, 0x40))
                }
                word = Lanes.addInt16s(word, ones * delta);
                assembly ("memory-safe") {
                    sstore(slot, word)
                }
            }
        }
    }

    function _predict(uint256[] memory arguments, bytes calldata sample)
        internal
        view
        override
        returns (uint256)
    {
        (uint256 pointer, uint256 end) = Samples.terminated(sample);
        int256 score = int256(_argument(arguments, INTERCEPT_INDEX));
        // In assembly because this loop is most of the cost of predictions. Sums cannot wrap, as
        // above.
        assembly ("memory-safe") {
            let features := mload(pointer)
            for {} lt(pointer, end) {} {
                let index := shr(244, features)
                let word := sload(add(MODEL_SLOT, index))
                for {} 1 {} {
                    score := add(score, signextend(1, shr(and(shr(236, features), 0xf0), word)))
                    pointer := add(pointer, 2)
                    features := mload(pointer)
                    if xor(shr(244, features), index) { break }
                }
            }
        }
        return score > 0 ? 1 : 0;
    }

    function _requireSample(uint256[] memory arguments, uint256 item, bytes calldata sample)
        internal
        pure
        override
    {
        Samples.requireSparse(item, sample, _argument(arguments, FEATURES_INDEX));
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
        return 4;
    }

    function _validate(uint256[] memory arguments) internal pure override {
        _requireWithin("features", arguments[FEATURES_INDEX], 1, MAX_FEATURES);
        _requireWithin("learningRate", arguments[LEARNING_RATE_INDEX], 1, 32_767);
        _requireInt64("intercept", arguments[INTERCEPT_INDEX]);
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
        description.features = arguments[FEATURES_INDEX];
    }
}
