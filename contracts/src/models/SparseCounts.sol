// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Encoding, Description} from "../interfaces/IClassifier.sol";
import {Headers} from "../libraries/Headers.sol";
import {Lanes} from "../libraries/Lanes.sol";
import {MODEL_SLOT, Model} from "../libraries/Model.sol";
import {Samples} from "../libraries/Samples.sol";
import {Classifier} from "./Classifier.sol";

/// @title SparseCounts
/// @notice The common part of naive Bayes and the sparse nearest centroid: it counts the samples of
/// each class in which each feature was present.
/// @dev The model is a header a class, then each class's `uint16` counts, 16 a word, each class
/// from a new word.
abstract contract SparseCounts is Classifier {
    uint256 internal constant CLASSES_INDEX = 1;
    uint256 internal constant FEATURES_INDEX = 2;

    uint256 private constant MAX_CLASSES = 256;
    /// @dev Maximum number of features; an index has 16 bits.
    uint256 private constant MAX_FEATURES = 65_536;
    /// @dev Maximum number of counts that a prediction may read, so that refunds and reports fit
    /// into a transaction. Each may be in a slot of its own. A feature needs one count in every
    /// class.
    uint256 private constant MAX_COUNTS = 5120;

    function _learn(uint256[] memory arguments, uint256 label, bytes calldata sample) internal override {
        uint256 header = Model.load(label);
        if (Headers.full(header)) return;
        uint256 first = _firstWord(arguments, label);
        uint256 slope = _gainSlope();
        uint256 gain;
        (uint256 pointer, uint256 end) = Samples.terminated(sample);
        // In assembly because this loop is most of the cost of lessons. In the features from an
        // index on, the highest 12 bits are the first one's word and the next 4 its lane. There are
        // at most 65,536 gains of at most 2^17 + 1.
        assembly ("memory-safe") {
            first := add(first, MODEL_SLOT)
            let features := mload(pointer)
            for {} lt(pointer, end) {} {
                let index := shr(244, features)
                let slot := add(first, index)
                let word := sload(slot)
                for {} 1 {} {
                    let shift := and(shr(236, features), 0xf0)
                    let count := and(shr(shift, word), 0xffff)
                    if lt(count, 0xffff) {
                        // The count is below its largest value, so the sum does not reach the next
                        // lane.
                        // In assembly the shift comes first: this is 1 << shift.
                        // slither-disable-next-line incorrect-shift
                        word := add(word, shl(shift, 1))
                        gain := add(gain, add(mul(slope, count), 1))
                    }
                    pointer := add(pointer, 2)
                    features := mload(pointer)
                    if xor(shr(244, features), index) { break }
                }
                sstore(slot, word)
            }
        }
        Model.store(label, Headers.learned(header, gain));
    }

    /// @dev Returns the slope of the gain: a class's total grows by `slope * count + 1` if a count
    /// rises. It is 0 or 2.
    function _gainSlope() internal pure virtual returns (uint256);

    /// @dev Returns the name of the classifier.
    function _kind() internal pure virtual returns (string memory);

    /// @dev Returns the index of the first word of a class's counts.
    function _firstWord(uint256[] memory arguments, uint256 class) internal pure returns (uint256) {
        return _argument(arguments, CLASSES_INDEX) + class * _wordsPerClass(arguments);
    }

    function _requireSample(uint256[] memory arguments, uint256 item, bytes calldata sample)
        internal
        pure
        override
    {
        Samples.requireSparse(item, sample, _argument(arguments, FEATURES_INDEX));
        uint256 present = sample.length / 2;
        uint256 max = MAX_COUNTS / _argument(arguments, CLASSES_INDEX);
        if (present > max) revert TooManyFeatures(item, present, max);
    }

    function _classes(uint256[] memory arguments) internal pure override returns (uint256) {
        return _argument(arguments, CLASSES_INDEX);
    }

    function _size(uint256[] memory arguments) internal pure override returns (uint256) {
        return _firstWord(arguments, _argument(arguments, CLASSES_INDEX));
    }

    function _validate(uint256[] memory arguments) internal pure virtual override {
        _requireWithin("classes", arguments[CLASSES_INDEX], 2, MAX_CLASSES);
        _requireWithin("features", arguments[FEATURES_INDEX], 1, MAX_FEATURES);
    }

    function _describe(uint256[] memory arguments)
        internal
        pure
        override
        returns (Description memory description)
    {
        description.kind = _kind();
        description.encoding = Encoding.Sparse;
        description.classes = arguments[CLASSES_INDEX];
        description.features = arguments[FEATURES_INDEX];
    }

    /// @dev Returns the number of words for a class's counts.
    function _wordsPerClass(uint256[] memory arguments) private pure returns (uint256) {
        return
            _argument(arguments, FEATURES_INDEX) / 16
                + (_argument(arguments, FEATURES_INDEX) % 16 == 0 ? 0 : 1);
    }
}
