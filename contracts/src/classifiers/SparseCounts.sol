// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Encoding, Description} from "../interfaces/IClassifier.sol";
import {Headers} from "../libraries/Headers.sol";
import {Lanes} from "../libraries/Lanes.sol";
import {Model} from "../libraries/Model.sol";
import {Samples} from "../libraries/Samples.sol";
import {Classifier} from "./Classifier.sol";

/// @title SparseCounts
/// @notice What naive Bayes and the sparse nearest centroid share: how often each feature was present in each
/// class.
/// @dev The model is a header a class, then each class's `uint32` counts, 8 a word, each class from a new word.
abstract contract SparseCounts is Classifier {
    uint256 internal constant CLASSES_PLACE = 1;
    uint256 internal constant FEATURES_PLACE = 2;

    /// @dev The most counts that a prediction may read, each from a slot of its own, so that refunds and reports
    /// fit into a transaction: in steps of a feature in every class.
    uint256 private constant MOST_COUNTS = 5120;

    function _learn(uint256[] memory arguments, uint256 label, bytes calldata sample) internal override {
        uint256 header = Model.load(label);
        if (Headers.full(header)) return;
        uint256 first = _firstWord(arguments, label);
        uint256 slope = _gainSlope();
        uint256 gain;
        // At most 65,536 gains of at most 2^33 + 1; places within the sample; words within the model.
        unchecked {
            uint256 present = sample.length / 2;
            for (uint256 i; i < present;) {
                uint256 feature = Samples.indexAt(sample, i);
                uint256 current = feature / 8;
                uint256 word = Model.load(first + current);
                do {
                    uint256 shift = feature % 8 * 32;
                    uint256 count = Lanes.uint32At(word, shift);
                    if (count != type(uint32).max) {
                        // Does not reach the next lane: the count is below its largest value.
                        word += uint256(1) << shift;
                        gain += slope * count + 1;
                    }
                    if (++i == present) break;
                    feature = Samples.indexAt(sample, i);
                } while (feature / 8 == current);
                Model.store(first + current, word);
            }
        }
        Model.store(label, Headers.learned(header, gain));
    }

    /// @dev A class's total grows by `slope * count + 1` where a count rises; 0 or 2.
    function _gainSlope() internal pure virtual returns (uint256);

    /// @dev The name of the classifier.
    function _kind() internal pure virtual returns (string memory);

    /// @dev Where a class's counts begin.
    function _firstWord(uint256[] memory arguments, uint256 class) internal pure returns (uint256) {
        return arguments[CLASSES_PLACE] + class * _wordsPerClass(arguments);
    }

    function _requireSample(uint256[] memory arguments, uint256 item, bytes calldata sample)
        internal
        pure
        override
    {
        Samples.requireSparse(item, sample, arguments[FEATURES_PLACE]);
        uint256 present = sample.length / 2;
        uint256 most = MOST_COUNTS / arguments[CLASSES_PLACE];
        if (present > most) revert TooManyFeatures(item, present, most);
    }

    function _classes(uint256[] memory arguments) internal pure override returns (uint256) {
        return arguments[CLASSES_PLACE];
    }

    function _size(uint256[] memory arguments) internal pure override returns (uint256) {
        return _firstWord(arguments, arguments[CLASSES_PLACE]);
    }

    function _validate(uint256[] memory arguments) internal pure virtual override {
        _requireWithin("classes", arguments[CLASSES_PLACE], 2, 256);
        _requireWithin("features", arguments[FEATURES_PLACE], 1, 65_536);
    }

    function _describe(uint256[] memory arguments)
        internal
        pure
        override
        returns (Description memory description)
    {
        description.kind = _kind();
        description.encoding = Encoding.Sparse;
        description.classes = arguments[CLASSES_PLACE];
        description.features = arguments[FEATURES_PLACE];
    }

    function _wordsPerClass(uint256[] memory arguments) private pure returns (uint256) {
        return arguments[FEATURES_PLACE] / 8 + (arguments[FEATURES_PLACE] % 8 == 0 ? 0 : 1);
    }
}
