// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Samples} from "../../src/libraries/Samples.sol";
import {Classifier} from "../../src/models/Classifier.sol";
import {Encode} from "../base/Encode.sol";
import {ModelTest} from "../base/ModelTest.sol";

/// @notice Both perceptrons against plain arrays of weights.
contract PerceptronsTest is ModelTest {
    int256 private constant LIMIT = 32_767;

    function test_predict_isZeroIfScoreIsZero() external {
        (, Classifier classifier) = create(sparsePerceptron, abi.encode(3, 1, int256(-2)));
        writeWord(classifier, 0, 2 | 3 << 16 | 1 << 32);
        assertEq(predict(classifier, hex""), 0, "intercept alone");
        assertEq(predict(classifier, hex"0000"), 0, "exactly 0");
        assertEq(predict(classifier, hex"0001"), 1, "1");
        assertEq(predict(classifier, hex"00000002"), 1, "2 + 1 - 2");
    }

    function test_learn_changesNothingIfRight() external {
        (, Classifier classifier) = create(sparsePerceptron, abi.encode(20, 1, int256(1)));
        writeWord(classifier, 0, type(uint256).max);
        closeForMe(classifier);
        classifier.learn(Encode.item(1, hex""));
        classifier.learn(Encode.item(0, hex"00010002"));
        assertEq(word(classifier, 0), type(uint256).max, "weights");
    }

    /// @dev 0xDeCA10B's intercept counted a billion times too little.
    function test_predict_countsDenseInterceptFully() external {
        (, Classifier classifier) =
            create(densePerceptron, Encode.widest16(abi.encode(1, 65_536, int256(-1000))));
        writeWord(classifier, 0, 100);
        assertEq(predict(classifier, hex"000a"), 0, "100 * 10 - 1000 = 0");
        assertEq(predict(classifier, hex"000b"), 1, "100 * 11 - 1000 > 0");
        (, classifier) = create(densePerceptron, Encode.widest16(abi.encode(1, 65_536, type(int64).min)));
        writeWord(classifier, 0, 0x7fff);
        assertEq(predict(classifier, hex"7fff"), 0, "the least intercept");
    }

    function test_predict_ignoresUnusedLanes() external {
        (, Classifier classifier) = create(densePerceptron, Encode.widest16(abi.encode(3, 65_536, int256(0))));
        uint256 unused = type(uint256).max << 48;
        writeWord(classifier, 0, unused);
        closeForMe(classifier);
        assertEq(predict(classifier, hex"000100020003"), 0, "weights of 0");
        // Bytes after the sample, here of the next item, have no meaning either.
        classifier.learn(bytes.concat(Encode.item(1, hex"000100020003"), Encode.item(1, hex"000100020003")));
        assertEq(word(classifier, 0), unused | 1 | 2 << 16 | 3 << 32, "unused lanes");
    }

    function test_learn_failsIfDenseLengthIsWrong() external {
        (, Classifier classifier) = create(densePerceptron, Encode.widest16(abi.encode(3, 65_536, int256(0))));
        closeForMe(classifier);
        vm.expectRevert(abi.encodeWithSelector(Samples.WrongSampleLength.selector, 1, 4, 6));
        classifier.learn(bytes.concat(Encode.item(1, hex"000100020003"), Encode.item(1, hex"00010002")));
        vm.expectRevert(abi.encodeWithSelector(Samples.WrongSampleLength.selector, 0, 8, 6));
        classifier.predict(Encode.one(hex"0001000200030004"));
    }

    /// @dev After the last feature, memory has an index in another word, whatever the feature
    /// before it is.
    function test_predict_endsWithSample() external {
        (, Classifier classifier) = create(sparsePerceptron, abi.encode(512, 1, int256(0)));
        // The feature 0x01fe, in the same word as 0x01f0.
        writeWord(classifier, 31, uint256(1) << (14 * 16));
        assertEq(predict(classifier, hex"00fe01f0"), 0, "neither has a weight");
        assertEq(predict(classifier, hex"00fe01f001fe"), 1, "with it");
    }

    function test_learn_roundsDenseRate() external {
        // A rate of 1.5: 1 becomes 2 (1.5 rounds up), -1 becomes -1 (-1.5 rounds up), 3 becomes 5
        // (4.5).
        (, Classifier classifier) = create(densePerceptron, Encode.widest16(abi.encode(3, 98_304, int256(0))));
        closeForMe(classifier);
        classifier.learn(Encode.item(1, hex"0001ffff0003"));
        assertEq(word(classifier, 0), 2 | 0xffff << 16 | 5 << 32, "weights");
    }

    function testFuzz_learn_matchesSparseWeights(
        uint256 seed,
        uint256 rate,
        int64 intercept,
        uint256 features
    ) external {
        rate = bound(rate, 1, 32_767);
        features = bound(features, 1, 70);
        int256 offset = intercept % 200_000;
        (, Classifier classifier) = create(sparsePerceptron, abi.encode(features, rate, offset));
        int256[] memory weights = randomWeights(classifier, seed, features);
        closeForMe(classifier);

        for (uint256 step; step < 12; ++step) {
            bytes memory sample;
            int256 score = offset;
            uint256 present = uint256(keccak256(abi.encode(seed, "present", step)));
            for (uint256 i; i < features; ++i) {
                if (present >> i & 1 == 0) continue;
                sample = bytes.concat(sample, bytes2(uint16(i)));
                score += weights[i];
            }
            uint256 label = uint256(keccak256(abi.encode(seed, "label", step))) % 2;
            uint256 expected = score > 0 ? 1 : 0;
            assertEq(predict(classifier, sample), expected, "prediction");
            classifier.learn(Encode.item(label, sample));
            for (uint256 i; i < features && label != expected; ++i) {
                if (present >> i & 1 == 1) {
                    weights[i] = saturate(weights[i] + (label == 1 ? int256(rate) : -int256(rate)));
                }
            }
            requireWeights(classifier, weights);
        }
    }

    function testFuzz_learn_matchesDenseWeights(uint256 seed, uint32 rate, int64 intercept, uint256 features)
        external
    {
        if (rate == 0) rate = 1;
        features = bound(features, 1, 40);
        (, Classifier classifier) =
            create(densePerceptron, Encode.widest16(abi.encode(features, rate, intercept)));
        int256[] memory weights = randomWeights(classifier, seed, features);
        closeForMe(classifier);

        for (uint256 step; step < 8; ++step) {
            int256[] memory numbers = new int256[](features);
            int256 score = intercept;
            for (uint256 i; i < features; ++i) {
                uint256 random = uint256(keccak256(abi.encode(seed, "number", step, i)));
                // Some numbers are 0, and whole words of them.
                numbers[i] =
                    random % 3 == 0 || (seed >> (i / 16)) & 1 == 0 ? int256(0) : int16(uint16(random >> 8));
                score += numbers[i] * weights[i];
            }
            bytes memory sample = Encode.dense16(numbers);
            uint256 label = uint256(keccak256(abi.encode(seed, "label", step))) % 2;
            uint256 expected = score > 0 ? 1 : 0;
            assertEq(predict(classifier, sample), expected, "prediction");
            classifier.learn(Encode.item(label, sample));
            for (uint256 i; i < features && label != expected; ++i) {
                int256 delta = (int256(uint256(rate)) * numbers[i] + 32_768) >> 16;
                weights[i] = saturate(weights[i] + (label == 1 ? delta : -delta));
            }
            requireWeights(classifier, weights);
        }
    }

    /// @dev A lesson moves weights within bounds. Each moves by at most `(rate * maxNumber + 32768)
    /// >> 16`. All together move by at most the length of the sample times the rate, plus a half
    /// each for rounding.
    function testFuzz_learn_movesWeightsWithinBounds(
        uint256 seed,
        uint32 rate,
        uint256 maxNumber,
        uint256 share,
        uint256 label
    ) external {
        if (rate == 0) rate = 1;
        uint256 features = 20;
        maxNumber = bound(maxNumber, 1, 32_768);
        uint256 longest = features * maxNumber * maxNumber * bound(share, 1, 100) / 100;
        if (longest == 0) longest = 1;
        (, Classifier classifier) =
            create(densePerceptron, abi.encode(features, rate, int256(0), maxNumber, longest));
        int256[] memory before = randomWeights(classifier, seed, features);
        closeForMe(classifier);
        classifier.learn(
            Encode.item(label % 2, Encode.dense16(within(seed, features, maxNumber, longest, 32_767)))
        );
        uint256 moved = squaredMoves(classifier, before, (uint256(rate) * maxNumber + 32_768) >> 16);
        uint256 max = rate * rootUp(longest) + 32_768 * rootUp(features);
        assertAtMost(moved << 32, max * max, "all weights");
    }

    function randomWeights(Classifier classifier, uint256 seed, uint256 features)
        private
        returns (int256[] memory weights)
    {
        weights = new int256[](features);
        for (uint256 index; index * 16 < features; ++index) {
            uint256 value = uint256(keccak256(abi.encode(seed, "weights", index)));
            writeWord(classifier, index, value);
            for (uint256 lane; lane < 16 && index * 16 + lane < features; ++lane) {
                weights[index * 16 + lane] = int16(uint16(value >> (16 * lane)));
            }
        }
    }

    /// @dev Returns the sum of the squares of the weights' moves since `before`, each of at most
    /// `max`.
    function squaredMoves(Classifier classifier, int256[] memory before, uint256 max)
        private
        view
        returns (uint256 sum)
    {
        for (uint256 i; i < before.length; ++i) {
            int256 weight = int16(uint16(word(classifier, i / 16) >> (i % 16 * 16)));
            uint256 step = uint256(weight > before[i] ? weight - before[i] : before[i] - weight);
            assertAtMost(step, max, "a weight");
            sum += step * step;
        }
    }

    function requireWeights(Classifier classifier, int256[] memory weights) private view {
        uint256[] memory words = classifier.words(0, (weights.length + 15) / 16);
        for (uint256 i; i < weights.length; ++i) {
            assertEq(int16(uint16(words[i / 16] >> (i % 16 * 16))), weights[i], "weight");
        }
    }

    function saturate(int256 weight) private pure returns (int256) {
        return weight > LIMIT ? LIMIT : weight < -LIMIT - 1 ? -LIMIT - 1 : weight;
    }
}
