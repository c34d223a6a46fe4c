// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Classifier} from "../../src/models/Classifier.sol";
import {Encode} from "../base/Encode.sol";
import {ModelTest} from "../base/ModelTest.sol";

/// @notice Both nearest centroids against plain arrays of sums.
contract NearestCentroidsTest is ModelTest {
    function test_predict_isZeroIfNothingLearned() external {
        (, Classifier classifier) = create(sparseNearestCentroid, abi.encode(3, 4));
        assertEq(predict(classifier, hex"0000"), 0, "sparse");
        (, classifier) = create(denseNearestCentroid, Encode.widest32(abi.encode(3, 1)));
        assertEq(predict(classifier, hex"00000001"), 0, "dense");
    }

    function test_predict_passesOverClassesWithoutSamples() external {
        (, Classifier classifier) = create(sparseNearestCentroid, abi.encode(3, 4));
        closeForMe(classifier);
        classifier.learn(Encode.item(2, hex"0003"));
        assertEq(predict(classifier, hex"0000"), 2, "sparse");
        (, classifier) = create(denseNearestCentroid, Encode.widest32(abi.encode(3, 1)));
        closeForMe(classifier);
        classifier.learn(Encode.item(1, hex"00000064"));
        assertEq(predict(classifier, hex"ffffff00"), 1, "dense");
    }

    function test_predict_isLowestIndexIfEqual() external {
        (, Classifier classifier) = create(denseNearestCentroid, Encode.widest32(abi.encode(3, 1)));
        closeForMe(classifier);
        classifier.learn(bytes.concat(Encode.item(2, hex"00000001"), Encode.item(1, hex"ffffffff")));
        assertEq(predict(classifier, hex"00000000"), 1, "-1 and 1 around 0");
    }

    /// @dev 0xDeCA10B dropped squared differences below 1e-9, which made false ties.
    function test_predict_seesSmallestDifference() external {
        (, Classifier classifier) = create(denseNearestCentroid, Encode.widest32(abi.encode(2, 2)));
        // The means differ by a third of a unit in one feature, and are at the far end of the range
        // in the other.
        uint256 sum0 = uint64(uint256(int256(3) * type(int32).min));
        writeWord(classifier, 0, 3);
        writeWord(classifier, 1, 3);
        writeWord(classifier, 2, sum0 | uint256(1) << 64);
        writeWord(classifier, 3, sum0 | uint256(2) << 64);
        assertEq(predict(classifier, hex"8000000000000000"), 0, "nearer to a third");
        assertEq(predict(classifier, hex"8000000000000001"), 1, "nearer to two thirds");
    }

    function test_learn_changesNothingIfClassIsFull() external {
        uint256 header = type(uint32).max | uint256(5) << 32;
        (, Classifier classifier) = create(sparseNearestCentroid, abi.encode(2, 2));
        writeWord(classifier, 0, header);
        closeForMe(classifier);
        classifier.learn(Encode.item(0, hex"00000001"));
        assertEq(word(classifier, 0), header, "sparse header");
        assertEq(word(classifier, 2), 0, "sparse counts");
        (, classifier) = create(denseNearestCentroid, Encode.widest32(abi.encode(2, 1)));
        writeWord(classifier, 0, header);
        closeForMe(classifier);
        classifier.learn(Encode.item(0, hex"00000001"));
        assertEq(word(classifier, 0), header, "dense header");
        assertEq(word(classifier, 2), 0, "dense sums");
    }

    function test_learn_saturates() external {
        (, Classifier classifier) = create(sparseNearestCentroid, abi.encode(2, 3));
        uint256 full = type(uint16).max;
        uint256 allSquares = uint256(type(uint128).max) << 32;
        writeWord(classifier, 0, (uint256(type(uint128).max) - 2) << 32);
        writeWord(classifier, 2, full | 1 << 16 | 1 << 32);
        closeForMe(classifier);
        // The full count stays and adds nothing to the squares. The other two add 3 each, more than
        // the 2 that fit.
        classifier.learn(Encode.item(0, hex"000000010002"));
        assertEq(word(classifier, 2), full | 2 << 16 | 2 << 32, "counts");
        assertEq(word(classifier, 0), 1 | allSquares, "squares");

        (, classifier) = create(denseNearestCentroid, Encode.widest32(abi.encode(2, 2)));
        uint256 max = uint256(uint64(type(int64).max));
        uint256 min = uint256(uint64(uint256(int256(type(int64).min))));
        writeWord(classifier, 2, (max - 1) | (min + 1) << 64);
        closeForMe(classifier);
        classifier.learn(Encode.item(0, hex"00000002fffffffe"));
        assertEq(word(classifier, 2), max | min << 64, "sums");
    }

    /// @dev The largest values in all fields must not wrap.
    function test_predict_doesNotWrap() external {
        (, Classifier classifier) = create(denseNearestCentroid, Encode.widest32(abi.encode(2, 4)));
        uint256 min = uint256(uint64(uint256(int256(type(int64).min))));
        writeWord(classifier, 0, type(uint256).max);
        writeWord(classifier, 1, type(uint256).max);
        writeWord(classifier, 2, min | min << 64 | min << 128 | min << 192);
        writeWord(classifier, 3, min | min << 64 | min << 128 | (min + 1) << 192);
        assertEq(predict(classifier, hex"7fffffff7fffffff7fffffff7fffffff"), 1, "dense");
        assertEq(predict(classifier, hex"80000000800000008000000080000000"), 1, "dense, least");

        (, classifier) = create(sparseNearestCentroid, abi.encode(2, 2));
        writeWord(classifier, 0, type(uint256).max);
        writeWord(classifier, 1, type(uint256).max);
        writeWord(classifier, 3, 1);
        assertEq(predict(classifier, hex"0000"), 1, "sparse");
        assertEq(predict(classifier, hex"0001"), 0, "sparse, tie");
    }

    /// @dev After lessons alone, predictions are exactly those of the plain sums, with several
    /// classes.
    function testFuzz_learn_matchesSparseSums(uint256 seed, uint256 classes, uint256 features) external {
        classes = bound(classes, 2, 5);
        features = bound(features, 1, 40);
        (, Classifier classifier) = create(sparseNearestCentroid, abi.encode(classes, features));
        closeForMe(classifier);
        uint256[] memory samples = new uint256[](classes);
        uint256[] memory sums = new uint256[](classes * features);
        for (uint256 step; step < 20; ++step) {
            uint256 random = uint256(keccak256(abi.encode(seed, step)));
            bytes memory sample;
            for (uint256 i; i < features; ++i) {
                if (random >> i & 1 == 1) sample = bytes.concat(sample, bytes2(uint16(i)));
            }
            uint256 best;
            int256[2] memory nearest;
            for (uint256 class; class < classes; ++class) {
                int256 n = int256(samples[class]);
                if (n == 0) continue;
                int256 distance;
                for (uint256 i; i < features; ++i) {
                    int256 difference = n * int256(random >> i & 1) - int256(sums[class * features + i]);
                    distance += difference * difference;
                }
                if (nearest[1] == 0 || distance * nearest[1] < nearest[0] * n * n) {
                    nearest = [distance, n * n];
                    best = class;
                }
            }
            assertEq(predict(classifier, sample), best, "class");

            countSparse(random, samples, sums, features);
            classifier.learn(Encode.item((random >> 32) % classes, sample));
            checkSparse(classifier, (random >> 32) % classes, samples, sums, features);
        }
    }

    /// @dev Counts the sample whose features are the low bits of a number, and whose label comes
    /// from other bits.
    function countSparse(uint256 random, uint256[] memory samples, uint256[] memory sums, uint256 features)
        private
        pure
    {
        uint256 label = (random >> 32) % samples.length;
        ++samples[label];
        for (uint256 i; i < features; ++i) {
            sums[label * features + i] += random >> i & 1;
        }
    }

    /// @dev Checks that a class's header and counts are the ones counted here.
    function checkSparse(
        Classifier classifier,
        uint256 label,
        uint256[] memory samples,
        uint256[] memory sums,
        uint256 features
    ) private view {
        uint256 squares;
        uint256 first = samples.length + label * ((features + 15) / 16);
        for (uint256 i; i < features; ++i) {
            uint256 sum = sums[label * features + i];
            squares += sum ** 2;
            assertEq(uint16(word(classifier, first + i / 16) >> (i % 16 * 16)), sum, "count");
        }
        assertEq(word(classifier, label), samples[label] | squares << 32, "header");
    }

    function testFuzz_learn_matchesDenseSums(uint256 seed, uint256 classes, uint256 features) external {
        classes = bound(classes, 2, 5);
        features = bound(features, 1, 9);
        (, Classifier classifier) =
            create(denseNearestCentroid, Encode.widest32(abi.encode(classes, features)));
        closeForMe(classifier);
        int256[] memory samples = new int256[](classes);
        int256[] memory sums = new int256[](classes * features);
        for (uint256 step; step < 12; ++step) {
            int256[] memory numbers = new int256[](features);
            for (uint256 i; i < features; ++i) {
                numbers[i] = int32(uint32(uint256(keccak256(abi.encode(seed, step, i)))));
                if (seed & 1 == 0) numbers[i] %= 4;
            }
            bytes memory sample = Encode.dense32(numbers);
            uint256 best;
            int256[2] memory nearest;
            for (uint256 class; class < classes; ++class) {
                int256 n = samples[class];
                if (n == 0) continue;
                int256 distance;
                for (uint256 i; i < features; ++i) {
                    distance += (n * numbers[i] - sums[class * features + i]) ** 2;
                }
                if (nearest[1] == 0 || distance * nearest[1] < nearest[0] * n * n) {
                    nearest = [distance, n * n];
                    best = class;
                }
            }
            assertEq(predict(classifier, sample), best, "class");

            uint256 label = uint256(keccak256(abi.encode(seed, step))) % classes;
            classifier.learn(Encode.item(label, sample));
            ++samples[label];
            assertEq(word(classifier, label), uint256(samples[label]), "header");
            for (uint256 i; i < features; ++i) {
                sums[label * features + i] += numbers[i];
            }
            checkDense(classifier, classes, label, sums, features);
        }
    }

    /// @dev A lesson moves the mean of a class of n samples within bounds. In each feature it moves
    /// by at most `2 * maxNumber / (n + 1)`, and in total by at most twice the largest length over
    /// `n + 1`. Other classes stay.
    function testFuzz_learn_movesMeanWithinBounds(uint256 seed, uint256 maxNumber, uint256 share) external {
        uint256 features = 5;
        maxNumber = bound(maxNumber, 1, 1 << 31);
        uint256 longest = features * maxNumber * maxNumber * bound(share, 1, 100) / 100;
        if (longest == 0) longest = 1;
        (, Classifier classifier) = create(denseNearestCentroid, abi.encode(2, features, maxNumber, longest));
        closeForMe(classifier);
        int256[] memory sums = new int256[](features);
        for (uint256 n; n < 8; ++n) {
            int256[] memory numbers = within(
                uint256(keccak256(abi.encode(seed, n))), features, maxNumber, longest, type(int32).max
            );
            classifier.learn(Encode.item(1, Encode.dense32(numbers)));
            assertEq(word(classifier, 1), n + 1, "samples");
            assertEq(word(classifier, 0) | word(classifier, 2) | word(classifier, 3), 0, "the other class");
            uint256 square;
            for (uint256 i; i < features; ++i) {
                int256 sum = int64(uint64(word(classifier, 4 + i / 4) >> (i % 4 * 64)));
                // The difference of the means, times n (n + 1).
                int256 moved = sum * int256(n) - sums[i] * int256(n + 1);
                assertAtMost(uint256(moved < 0 ? -moved : moved), 2 * maxNumber * n, "a mean");
                square += uint256(moved * moved);
                sums[i] = sum;
            }
            assertAtMost(square, 4 * longest * n * n, "all of the mean");
        }
    }

    /// @dev Checks that a class's sums are the ones computed here.
    function checkDense(
        Classifier classifier,
        uint256 classes,
        uint256 label,
        int256[] memory sums,
        uint256 features
    ) private view {
        uint256 first = classes + label * ((features + 3) / 4);
        for (uint256 i; i < features; ++i) {
            uint256 lanes = word(classifier, first + i / 4);
            assertEq(int64(uint64(lanes >> (i % 4 * 64))), sums[label * features + i], "sum");
        }
    }
}
