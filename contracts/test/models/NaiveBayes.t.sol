// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Classifier} from "../../src/models/Classifier.sol";
import {Encode} from "../base/Encode.sol";
import {ModelTest} from "../base/ModelTest.sol";

/// @notice Predictions and lessons of naive Bayes.
contract NaiveBayesTest is ModelTest {
    function test_predict_isZeroIfNothingLearned() external {
        (, Classifier classifier) = create(naiveBayes, abi.encode(3, 4, 256));
        assertEq(predict(classifier, hex"0000"), 0, "no class has samples");
    }

    function test_predict_passesOverClassWithoutSamples() external {
        (, Classifier classifier) = create(naiveBayes, abi.encode(3, 4, 256));
        closeForMe(classifier);
        classifier.learn(Encode.item(2, hex"0003"));
        assertEq(predict(classifier, hex"0000"), 2, "the only class with samples");
    }

    function test_learn_counts() external {
        (, Classifier classifier) = create(naiveBayes, abi.encode(2, 20, 256));
        closeForMe(classifier);
        classifier.learn(Encode.item(1, hex"0000000f0011"));
        classifier.learn(Encode.item(1, hex"0011"));
        // The headers of classes 0 and 1, then two words for class 0, then those of class 1.
        assertEq(word(classifier, 0), 0, "header of 0");
        assertEq(word(classifier, 1), 2 | 4 << 32, "header of 1");
        assertEq(word(classifier, 4), 1 | 1 << 240, "features 0 to 15");
        assertEq(word(classifier, 5), 2 << 16, "features 16 to 19");
    }

    function test_learn_saturatesCount() external {
        (, Classifier classifier) = create(naiveBayes, abi.encode(2, 2, 256));
        uint256 full = type(uint16).max;
        writeWord(classifier, 2, full | uint256(7) << 16);
        closeForMe(classifier);
        classifier.learn(Encode.item(0, hex"00000001"));
        assertEq(word(classifier, 2), full | uint256(8) << 16, "counts");
        assertEq(word(classifier, 0), 1 | 1 << 32, "the total rose by one");
    }

    function test_learn_changesNothingIfClassIsFull() external {
        (, Classifier classifier) = create(naiveBayes, abi.encode(2, 2, 256));
        uint256 header = type(uint32).max | uint256(5) << 32;
        writeWord(classifier, 0, header);
        closeForMe(classifier);
        classifier.learn(Encode.item(0, hex"00000001"));
        assertEq(word(classifier, 0), header, "header");
        assertEq(word(classifier, 2), 0, "counts");
    }

    /// @dev 0xDeCA10B's product became 0 from 8 present features on, and it predicted class 0.
    function test_predict_takesManyPresentFeatures() external {
        uint256[] memory lengths = Encode.list("2,6,8,10,20,100,1000");
        for (uint256 i; i < lengths.length; ++i) {
            (, Classifier classifier) = create(naiveBayes, abi.encode(2, 1000, 256));
            fill(classifier, 10, 10);
            assertEq(predict(classifier, mirrored(lengths[i])), 0, "a true tie is the lowest index");
            (, classifier) = create(naiveBayes, abi.encode(2, 1000, 256));
            fill(classifier, 10, 11);
            assertEq(predict(classifier, mirrored(lengths[i])), 1, "more samples");
        }
    }

    /// @dev The order of 1,000 factors differs, so truncation differs too, but the tie must stay
    /// one. A difference of one in four billion samples must decide.
    function test_predict_keepsTieOfReversedFactors() external {
        (, Classifier classifier) = create(naiveBayes, abi.encode(2, 1000, 257));
        fill(classifier, type(uint32).max - 1, type(uint32).max - 1);
        assertEq(predict(classifier, mirrored(1000)), 0, "tie");
        (, classifier) = create(naiveBayes, abi.encode(2, 1000, 257));
        fill(classifier, type(uint32).max - 1, type(uint32).max);
        assertEq(predict(classifier, mirrored(1000)), 1, "no tie");
    }

    /// @dev Compares with the formula in whole numbers, for samples so short that nothing
    /// overflows, and up to 6 classes.
    function testFuzz_predict_matchesFormula(uint256 seed, uint256 classes, uint32 smoothing, uint8 mask)
        external
    {
        classes = bound(classes, 2, 6);
        uint256 smooth = bound(smoothing, 1, 1025);
        (, Classifier classifier) = create(naiveBayes, abi.encode(classes, 8, smooth));
        bytes memory sample = short(mask);
        uint256 best;
        uint256[2] memory bestScore;
        for (uint256 class; class < classes; ++class) {
            uint256 random = uint256(keccak256(abi.encode(seed, class)));
            uint256 samples = random % 4;
            (uint256 counts, uint256 total) = drawn(random);
            // Bits above the low 48 of the total have no meaning.
            writeWord(classifier, class, samples | total << 32 | (random >> 200) << 80);
            writeWord(classifier, classes + class, counts);
            if (samples == 0) continue;
            uint256[2] memory score = scored(sample, samples, counts, total, smooth);
            if (bestScore[1] == 0 || score[0] * bestScore[1] > bestScore[0] * score[1]) {
                bestScore = score;
                best = class;
            }
        }
        assertEq(predict(classifier, sample), best, "class");
    }

    /// @dev Returns the first three features whose bits are set.
    function short(uint8 mask) private pure returns (bytes memory sample) {
        for (uint256 i; i < 8 && sample.length < 6; ++i) {
            if (mask >> i & 1 == 1) sample = bytes.concat(sample, bytes2(uint16(i)));
        }
    }

    /// @dev Returns counts of 8 features, and their sum.
    function drawn(uint256 random) private pure returns (uint256 counts, uint256 total) {
        for (uint256 i; i < 8; ++i) {
            uint256 count = (random >> (8 * i + 8)) % 5;
            counts |= count << (16 * i);
            total += count;
        }
    }

    /// @dev Returns a class's score, as numerator and denominator.
    function scored(bytes memory sample, uint256 samples, uint256 counts, uint256 total, uint256 smooth)
        private
        pure
        returns (uint256[2] memory score)
    {
        score = [samples, 1];
        for (uint256 i; i < sample.length; i += 2) {
            score[0] *= 256 * uint16(counts >> (16 * uint8(sample[i + 1]))) + smooth;
            score[1] *= 256 * total + smooth * 8;
        }
    }

    /// @dev Writes two classes of 1,000 features, whose counts are in reverse order of each other.
    function fill(Classifier classifier, uint256 samples0, uint256 samples1) private {
        uint256[] memory values = new uint256[](128);
        uint256 total;
        for (uint256 i; i < 1000; ++i) {
            uint256 count = uint256(keccak256(abi.encode(i))) % 65_536;
            values[2 + i / 16] |= count << (i % 16 * 16);
            uint256 opposite = 999 - i;
            values[65 + opposite / 16] |= count << (opposite % 16 * 16);
            total += count;
        }
        values[0] = samples0 | total << 32;
        values[1] = samples1 | total << 32;
        vm.prank(OWNER);
        classifier.write(0, values);
    }

    /// @dev Returns the sample of the first and the last features, `length / 2` of each. It mirrors
    /// itself, so both classes have the same counts for it, in reverse order.
    function mirrored(uint256 length) private pure returns (bytes memory sample) {
        uint256[] memory indices = new uint256[](length);
        for (uint256 i; i < length; ++i) {
            indices[i] = i < length / 2 ? i : 1000 - length + i;
        }
        return Encode.sparse(indices);
    }
}
