// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Description, Encoding} from "../interfaces/IClassifier.sol";
import {IPerceptron} from "../interfaces/IPerceptron.sol";
import {CloneArguments} from "../libraries/CloneArguments.sol";
import {Samples} from "../libraries/Samples.sol";
import {Classifier} from "./Classifier.sol";

/// @title SparsePerceptron
/// @notice A binary perceptron over the presence of features.
/// @dev The model is `int16` weights, 16 a word.
contract SparsePerceptron is Classifier, IPerceptron {
    uint256 private constant FEATURES_PLACE = 1;
    uint256 private constant LEARNING_RATE_PLACE = 2;
    uint256 private constant INTERCEPT_PLACE = 3;

    /// @inheritdoc IPerceptron
    function learningRate() external view returns (uint256) {
        return CloneArguments.word(LEARNING_RATE_PLACE);
    }

    /// @inheritdoc IPerceptron
    function intercept() external view returns (int256) {
        return int256(CloneArguments.word(INTERCEPT_PLACE));
    }

    function _learn(uint256[] memory arguments, uint256 label, bytes calldata sample) internal override {
        (bool positive, uint256 loaded) = _score(arguments, sample);
        if (positive == (label == 1)) return;
        // Within int16, as `close` has made sure. Weights that leave their bounds stop at `limit`.
        int256 delta = int256(arguments[LEARNING_RATE_PLACE]);
        int256 limit = type(int16).max;
        if (label == 0) (delta, limit) = (-delta, type(int16).min);
        // In assembly because this is most of what lessons compute. Sums of two 16-bit numbers cannot wrap.
        assembly ("memory-safe") {
            let end := add(sample.offset, sample.length)
            let place := sample.offset
            let feature := shr(240, calldataload(place))
            for {} lt(place, end) {} {
                let current := shr(4, feature)
                let word := mload(loaded)
                loaded := add(loaded, 0x20)
                for {} 1 {} {
                    let shift := and(shl(4, feature), 0xf0)
                    let weight := signextend(1, shr(shift, word))
                    let sum := add(weight, delta)
                    if xor(signextend(1, sum), sum) { sum := limit }
                    // Turns the lane's bits over where they change.
                    word := xor(word, shl(shift, and(xor(weight, sum), 0xffff)))
                    place := add(place, 2)
                    // At the sample's end this reads something else, which is not used.
                    feature := shr(240, calldataload(place))
                    if or(xor(shr(4, feature), current), iszero(lt(place, end))) { break }
                }
                sstore(add(0x10000000000000000, current), word) // Model.SLOT
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
        Samples.requireSparse(item, sample, arguments[FEATURES_PLACE]);
    }

    function _classes(uint256[] memory) internal pure override returns (uint256) {
        return 2;
    }

    function _size(uint256[] memory arguments) internal pure override returns (uint256) {
        return arguments[FEATURES_PLACE] / 16 + (arguments[FEATURES_PLACE] % 16 == 0 ? 0 : 1);
    }

    function _validate(uint256[] memory arguments) internal pure override {
        _requireCount(arguments, 4);
        _requireWithin("features", arguments[FEATURES_PLACE], 1, 65_536);
        _requireWithin("learningRate", arguments[LEARNING_RATE_PLACE], 1, 32_767);
        _requireInt64("intercept", arguments[INTERCEPT_PLACE]);
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
        description.features = arguments[FEATURES_PLACE];
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
        // At most 65,536 weights of 16 bits and an intercept of 64: no sum wraps.
        unchecked {
            int256 score = int256(arguments[INTERCEPT_PLACE]);
            // In assembly because this loop is most of what predictions and lessons compute.
            assembly ("memory-safe") {
                loaded := mload(0x40)
                let free := loaded
                let end := add(sample.offset, sample.length)
                let place := sample.offset
                let feature := shr(240, calldataload(place))
                for {} lt(place, end) {} {
                    let current := shr(4, feature)
                    let word := sload(add(0x10000000000000000, current)) // Model.SLOT
                    mstore(free, word)
                    free := add(free, 0x20)
                    for {} 1 {} {
                        score := add(score, signextend(1, shr(and(shl(4, feature), 0xf0), word)))
                        place := add(place, 2)
                        // At the sample's end this reads something else, which is not used.
                        feature := shr(240, calldataload(place))
                        if or(xor(shr(4, feature), current), iszero(lt(place, end))) { break }
                    }
                }
                mstore(0x40, free)
                positive := sgt(score, 0)
            }
        }
    }
}
