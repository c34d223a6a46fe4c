// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Headers} from "../libraries/Headers.sol";
import {Lanes} from "../libraries/Lanes.sol";
import {Model} from "../libraries/Model.sol";
import {Samples} from "../libraries/Samples.sol";
import {SparseCounts} from "./SparseCounts.sol";

/// @title SparseNearestCentroid
/// @notice Predicts the class whose mean of presence vectors is nearest, by Euclidean distance.
/// @dev A class's total is the sum of the squares of its counts. `sum` is the sum of its counts
/// over the present features. The squared distance is `(total - 2 * sum * samples) / samples^2`,
/// apart from a term that all classes share.
contract SparseNearestCentroid is SparseCounts {
    function _predict(uint256[] memory arguments, bytes calldata sample)
        internal
        view
        override
        returns (uint256 label)
    {
        uint256 classes = _argument(arguments, CLASSES_INDEX);
        int256 nearest;
        uint256 nearestSquare;
        for (uint256 class; class < classes; ++class) {
            uint256 header = Model.load(class);
            uint256 samples = Headers.samples(header);
            if (samples == 0) continue;
            uint256 sum = _sum(_firstWord(arguments, class), sample);
            // A total is below 2^128, a sum below 2^32, and samples below 2^32. So casts keep the
            // values, and the absolute values of the compared products are below 2^193.
            unchecked {
                uint256 square = samples * samples;
                int256 distance = int256(Headers.total(header)) - int256(2 * sum * samples);
                // Only an earlier class with samples sets a square, which is never 0.
                if (nearestSquare == 0 || distance * int256(nearestSquare) < nearest * int256(square)) {
                    nearest = distance;
                    nearestSquare = square;
                    label = class;
                }
            }
        }
    }

    function _count() internal pure override returns (uint256) {
        return 3;
    }

    function _gainSlope() internal pure override returns (uint256) {
        return 2;
    }

    function _kind() internal pure override returns (string memory) {
        return "sparse nearest centroid";
    }

    /// @dev Returns the sum of the present features' counts, which begin at word `first`.
    function _sum(uint256 first, bytes calldata sample) private view returns (uint256 sum) {
        // There are at most 65,536 counts below 2^16. The indices are within the sample, and the
        // words within the model.
        unchecked {
            uint256 current = type(uint256).max; // the index of no word
            uint256 word;
            uint256 present = sample.length / 2;
            for (uint256 i; i < present; ++i) {
                uint256 feature = Samples.featureAt(sample, i);
                if (feature / 16 != current) {
                    current = feature / 16;
                    word = Model.load(first + current);
                }
                sum += Lanes.uint16At(word, feature % 16 * 16);
            }
        }
    }
}
