// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IErrors} from "../../src/interfaces/IErrors.sol";
import {Batches} from "../../src/libraries/Batches.sol";
import {Samples} from "../../src/libraries/Samples.sol";
import {Encode} from "../base/Encode.sol";
import {Test} from "../base/Test.sol";

/// @notice Encodings of samples and batches.
contract SamplesTest is Test {
    function test_requireSparse_failsIfLengthIsOdd() external {
        vm.expectRevert(abi.encodeWithSelector(Samples.OddSampleLength.selector, 7, 3));
        this.requireSparse(7, hex"000102", 10);
    }

    function test_requireSparse_failsIfNotIncreasingBeforeOutOfRange() external {
        vm.expectRevert(abi.encodeWithSelector(Samples.FeatureNotIncreasing.selector, 0, 2, 4, 4));
        this.requireSparse(0, hex"0001000400040003ffff", 10);
    }

    function test_requireSparse_failsIfLastIsOutOfRange() external {
        vm.expectRevert(abi.encodeWithSelector(Samples.FeatureOutOfRange.selector, 3, 2, 11, 10));
        this.requireSparse(3, hex"0001000a000b", 10);
    }

    function test_requireDense_failsIfLengthIsWrong() external {
        vm.expectRevert(abi.encodeWithSelector(Samples.WrongSampleLength.selector, 2, 3, 4));
        this.requireDense(2, hex"000102", 4);
        this.requireDense(2, hex"00010203", 4);
    }

    function test_requireSparse_takesEmptyAndLargest() external view {
        this.requireSparse(0, hex"", 1);
        this.requireSparse(0, hex"0000", 1);
        this.requireSparse(0, hex"0000ffff", 65_536);
    }

    /// @dev Compares indices whose highest bits differ, or are both set.
    function test_requireSparse_comparesHighestBits() external {
        this.requireSparse(0, hex"80008001", 65_536);
        this.requireSparse(0, hex"7fff8000", 65_536);
        vm.expectRevert(abi.encodeWithSelector(Samples.FeatureNotIncreasing.selector, 0, 1, 1, 0x8000));
        this.requireSparse(0, hex"80000001", 65_536);
    }

    /// @dev Tests each pair of neighbors, at each index of a sample longer than a word, against the
    /// plain rule.
    function test_requireSparse_failsIfNotIncreasingAnywhere() external {
        for (uint256 index = 1; index < 40; ++index) {
            uint256[] memory indices = new uint256[](40);
            for (uint256 i; i < 40; ++i) {
                indices[i] = i * 1600 + (i % 2) * 1500;
            }
            indices[index] = indices[index - 1];
            vm.expectRevert(
                abi.encodeWithSelector(
                    Samples.FeatureNotIncreasing.selector, 0, index, indices[index], indices[index - 1]
                )
            );
            this.requireSparse(0, Encode.sparse(indices), 65_536);
        }
    }

    /// @dev Bytes after the sample must make no difference.
    function testFuzz_increasing_ignoresWhatFollows(uint256 seed, uint256 length, bytes calldata tail)
        external
        view
    {
        length = bound(length, 1, 70);
        uint256[] memory indices = new uint256[](length);
        bool expected = true;
        for (uint256 i; i < length; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            // Mostly small steps up, sometimes one of 0 or down, sometimes large.
            uint256 previous = i == 0 ? 0 : indices[i - 1];
            indices[i] = seed % 97 == 0 ? (seed >> 16) % 65_536 : (previous + (seed >> 16) % 50 + 1) % 65_536;
            if (i > 0 && indices[i] <= previous) expected = false;
        }
        bytes memory sample = Encode.sparse(indices);
        bool actual = this.increasing(bytes.concat(sample, tail), sample.length);
        assertTrue(actual == expected, "increasing");
    }

    function test_count_failsIfEmpty() external {
        vm.expectRevert(abi.encodeWithSelector(IErrors.EmptyBatch.selector));
        this.count("");
    }

    function test_count_failsIfMalformed() external {
        bytes memory whole = Encode.item(1, hex"0001");
        // A header cut short, a sample cut short, garbage after a whole item.
        vm.expectRevert(abi.encodeWithSelector(IErrors.MalformedBatch.selector, 0));
        this.count(hex"000100");
        vm.expectRevert(abi.encodeWithSelector(IErrors.MalformedBatch.selector, 0));
        this.count(hex"000100020a");
        vm.expectRevert(abi.encodeWithSelector(IErrors.MalformedBatch.selector, 6));
        this.count(bytes.concat(whole, hex"00"));
    }

    function testFuzz_count_countsItems(bytes[] calldata samples) external view {
        vm.assume(samples.length > 0);
        bytes memory batch;
        for (uint256 i; i < samples.length; ++i) {
            batch = bytes.concat(batch, Encode.item(i, samples[i]));
        }
        assertEq(this.count(batch), samples.length, "count");
        uint256 offset;
        for (uint256 i; i < samples.length; ++i) {
            uint256 label;
            bytes memory sample;
            (label, sample, offset) = this.item(batch, offset);
            assertEq(label, i, "label");
            assertEq(sample, samples[i], "sample");
        }
        assertEq(offset, batch.length, "end");
    }

    /// @dev Tests values at, just below and just above each bound, the smallest number, and numbers
    /// after the first 32 bytes. Other bytes follow the sample.
    function test_requireBounds_of16Bits() external {
        // 3 and -4: the sum of their squares is 25.
        this.requireBounds(0, hex"0003fffc7fff", 4, 2, 4, 25);
        vm.expectRevert(numberTooLarge(5, 1, -4, 3));
        this.requireBounds(5, hex"0003fffc7fff", 4, 2, 3, 25);
        vm.expectRevert(lengthTooLarge(5, 25, 24));
        this.requireBounds(5, hex"0003fffc7fff", 4, 2, 4, 24);
        // Numbers are checked before the length, and the first number before others. The error
        // skips numbers within the bounds.
        vm.expectRevert(numberTooLarge(0, 0, 3, 2));
        this.requireBounds(0, hex"0003fffc", 4, 2, 2, 1);
        vm.expectRevert(numberTooLarge(0, 1, 32_767, 100));
        this.requireBounds(0, hex"ffff7fff", 4, 2, 100, 1 << 31);
        // In the second 32 bytes, too, bytes after the sample do not count.
        this.requireBounds(0, bytes.concat(new bytes(34), hex"7fff"), 34, 2, 1, 1);

        bytes memory sample = new bytes(68);
        (sample[66], sample[67]) = (0x80, 0x00);
        this.requireBounds(0, sample, 68, 2, 32_768, 1 << 30);
        vm.expectRevert(numberTooLarge(0, 33, -32_768, 32_767));
        this.requireBounds(0, sample, 68, 2, 32_767, 1 << 30);
        vm.expectRevert(lengthTooLarge(0, 1 << 30, (1 << 30) - 1));
        this.requireBounds(0, sample, 68, 2, 32_768, (1 << 30) - 1);
    }

    function test_requireBounds_of32Bits() external {
        this.requireBounds(0, hex"00000003fffffffc7fffffff", 8, 4, 4, 25);
        vm.expectRevert(numberTooLarge(5, 1, -4, 3));
        this.requireBounds(5, hex"00000003fffffffc7fffffff", 8, 4, 3, 25);
        vm.expectRevert(lengthTooLarge(5, 25, 24));
        this.requireBounds(5, hex"00000003fffffffc7fffffff", 8, 4, 4, 24);
    }

    /// @dev The squared length of the longest sample of a model does not wrap.
    function test_requireBounds_ofLongestSample() external {
        bytes memory sample = new bytes(4 * 4096);
        for (uint256 i; i < sample.length; i += 4) {
            sample[i] = 0x80;
        }
        this.requireBounds(0, sample, sample.length, 4, 1 << 31, 1 << 74);
        vm.expectRevert(lengthTooLarge(0, 1 << 74, (1 << 74) - 1));
        this.requireBounds(0, sample, sample.length, 4, 1 << 31, (1 << 74) - 1);
    }

    /// @dev Compares with a plain walk over the numbers. The bounds are at, just below and just
    /// above the sample's values.
    function testFuzz_requireBounds_matchesPlainWalk(
        uint256 seed,
        uint256 features,
        bool wide,
        uint8 below,
        uint8 shorter
    ) external {
        features = bound(features, 1, 40);
        uint256 width = wide ? 4 : 2;
        int256[] memory numbers = new int256[](features);
        uint256 largest;
        uint256 squaredLength;
        for (uint256 i; i < features; ++i) {
            uint256 random = uint256(keccak256(abi.encode(seed, i)));
            int256 number = wide ? int256(int32(uint32(random))) : int256(int16(uint16(random)));
            numbers[i] = random >> 250 == 0 ? int256(0) : number >> (random >> 224) % (8 * width);
            uint256 size = uint256(numbers[i] < 0 ? -numbers[i] : numbers[i]);
            if (size > largest) largest = size;
            squaredLength += size * size;
        }
        bytes memory sample = wide ? Encode.dense32(numbers) : Encode.dense16(numbers);
        uint256 maxNumber = largest + 1 - below % 3 % (largest + 2);
        uint256 maxSquaredLength = squaredLength + 1 - shorter % 3 % (squaredLength + 2);
        if (largest > maxNumber) {
            uint256 feature;
            while (uint256(numbers[feature] < 0 ? -numbers[feature] : numbers[feature]) <= maxNumber) ++feature;
            vm.expectRevert(numberTooLarge(9, feature, numbers[feature], maxNumber));
        } else if (squaredLength > maxSquaredLength) {
            vm.expectRevert(lengthTooLarge(9, squaredLength, maxSquaredLength));
        }
        this.requireBounds(
            9, bytes.concat(sample, hex"80000000"), sample.length, width, maxNumber, maxSquaredLength
        );
    }

    function numberTooLarge(uint256 itemIndex, uint256 feature, int256 number, uint256 max)
        private
        pure
        returns (bytes memory)
    {
        return abi.encodeWithSelector(Samples.NumberTooLarge.selector, itemIndex, feature, number, max);
    }

    function lengthTooLarge(uint256 itemIndex, uint256 squaredLength, uint256 max)
        private
        pure
        returns (bytes memory)
    {
        return abi.encodeWithSelector(Samples.SquaredLengthTooLarge.selector, itemIndex, squaredLength, max);
    }

    /// @dev Checks the first `length` bytes.
    function requireBounds(
        uint256 itemIndex,
        bytes calldata data,
        uint256 length,
        uint256 width,
        uint256 maxNumber,
        uint256 maxSquaredLength
    ) external pure {
        Samples.requireBounds(itemIndex, data[:length], width, maxNumber, maxSquaredLength);
    }

    function requireSparse(uint256 itemIndex, bytes calldata sample, uint256 features) external pure {
        Samples.requireSparse(itemIndex, sample, features);
    }

    function requireDense(uint256 itemIndex, bytes calldata sample, uint256 expected) external pure {
        Samples.requireDense(itemIndex, sample, expected);
    }

    function increasing(bytes calldata data, uint256 length) external pure returns (bool) {
        return Samples.increasing(data[:length]);
    }

    function count(bytes calldata batch) external pure returns (uint256) {
        return Batches.count(batch);
    }

    function item(bytes calldata batch, uint256 offset)
        external
        pure
        returns (uint256 label, bytes memory sample, uint256 next)
    {
        bytes calldata data;
        (label, data, next) = Batches.item(batch, offset);
        sample = data;
    }
}
