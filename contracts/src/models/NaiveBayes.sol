// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {INaiveBayes} from "../interfaces/INaiveBayes.sol";
import {CloneArguments} from "../libraries/CloneArguments.sol";
import {FloatQuotient, Quotient} from "../libraries/FloatQuotient.sol";
import {Headers} from "../libraries/Headers.sol";
import {Lanes} from "../libraries/Lanes.sol";
import {Model} from "../libraries/Model.sol";
import {Samples} from "../libraries/Samples.sol";
import {SparseCounts} from "./SparseCounts.sol";

/// @title NaiveBayes
/// @notice Multinomial naive Bayes over the presence of features, with additive smoothing.
/// @dev A class's total is the sum of its counts. A class scores
/// `samples * product(256 * count + smoothing) / (256 * total + smoothing * features) ^ present`.
contract NaiveBayes is SparseCounts, INaiveBayes {
    uint256 private constant SMOOTHING_INDEX = 3;

    /// @inheritdoc INaiveBayes
    function smoothing() external view returns (uint256) {
        return CloneArguments.word(SMOOTHING_INDEX);
    }

    function _predict(uint256[] memory arguments, bytes calldata sample)
        internal
        view
        override
        returns (uint256 label)
    {
        uint256 classes = _argument(arguments, CLASSES_INDEX);
        Quotient memory best;
        for (uint256 class; class < classes; ++class) {
            uint256 header = Model.load(class);
            if (Headers.samples(header) == 0) continue;
            Quotient memory score = _score(arguments, class, header, sample);
            // Only an earlier class with samples sets a numerator, which is never 0.
            if (best.numerator == 0 || FloatQuotient.exceeds(score, best)) {
                best = score;
                label = class;
            }
        }
    }

    function _count() internal pure override returns (uint256) {
        return 4;
    }

    function _validate(uint256[] memory arguments) internal pure override {
        super._validate(arguments);
        _requireWithin("smoothing", arguments[SMOOTHING_INDEX], 1, type(uint32).max);
    }

    function _gainSlope() internal pure override returns (uint256) {
        return 0;
    }

    function _kind() internal pure override returns (string memory) {
        return "naive Bayes";
    }

    /// @dev Returns the score of a class that has samples.
    function _score(uint256[] memory arguments, uint256 class, uint256 header, bytes calldata sample)
        private
        view
        returns (Quotient memory score)
    {
        // Counts are below 2^16, totals are cut to 48 bits, smoothing is below 2^32, and there are
        // at most 2^16 features. So factors stay below 2^58.
        unchecked {
            uint256 smooth = _argument(arguments, SMOOTHING_INDEX);
            uint256 factor = 256 * (Headers.total(header) & type(uint48).max) + smooth
                * _argument(arguments, FEATURES_INDEX);
            uint256 first = _firstWord(arguments, class);
            uint256 numerator = Headers.samples(header);
            uint256 numeratorExponent;
            uint256 denominator = 1;
            uint256 denominatorExponent;
            uint256 current = type(uint256).max; // the index of no word
            uint256 word;
            uint256 present = sample.length / 2;
            for (uint256 i; i < present; ++i) {
                uint256 feature = Samples.featureAt(sample, i);
                if (feature / 16 != current) {
                    current = feature / 16;
                    word = Model.load(first + current);
                }
                (numerator, numeratorExponent) = FloatQuotient.multiply(
                    numerator, numeratorExponent, 256 * Lanes.uint16At(word, feature % 16 * 16) + smooth
                );
                (denominator, denominatorExponent) =
                    FloatQuotient.multiply(denominator, denominatorExponent, factor);
            }
            (score.numerator, score.numeratorExponent) = FloatQuotient.normalize(numerator, numeratorExponent);
            (score.denominator, score.denominatorExponent) =
                FloatQuotient.normalize(denominator, denominatorExponent);
        }
    }
}
