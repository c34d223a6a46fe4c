// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IClassifier} from "../../src/interfaces/IClassifier.sol";
import {IErrors} from "../../src/interfaces/IErrors.sol";
import {Batches} from "../../src/libraries/Batches.sol";
import {Samples} from "../../src/libraries/Samples.sol";
import {Encode} from "../base/Encode.sol";
import {Test} from "../base/Test.sol";

contract SamplesTest is Test {
    function testOddLength() external {
        VM.expectRevert(abi.encodeWithSelector(IClassifier.OddSampleLength.selector, 7, 3));
        this.requireSparse(7, hex"000102", 10);
    }

    function testNotIncreasingIsFoundBeforeOutOfRange() external {
        VM.expectRevert(abi.encodeWithSelector(IClassifier.FeatureNotIncreasing.selector, 0, 2, 4, 4));
        this.requireSparse(0, hex"0001000400040003ffff", 10);
    }

    function testOutOfRangeNamesTheLast() external {
        VM.expectRevert(abi.encodeWithSelector(IClassifier.FeatureOutOfRange.selector, 3, 2, 11, 10));
        this.requireSparse(3, hex"0001000a000b", 10);
    }

    function testWrongLength() external {
        VM.expectRevert(abi.encodeWithSelector(IClassifier.WrongSampleLength.selector, 2, 3, 4));
        this.requireDense(2, hex"000102", 4);
        this.requireDense(2, hex"00010203", 4);
    }

    function testEmptyAndLargestAreValid() external view {
        this.requireSparse(0, hex"", 1);
        this.requireSparse(0, hex"0000", 1);
        this.requireSparse(0, hex"0000ffff", 65_536);
    }

    /// @dev Every pair of neighbours, in every place of a sample longer than a word, against the plain rule.
    function testNotIncreasingInEachPlace() external {
        for (uint256 place = 1; place < 40; ++place) {
            uint256[] memory indices = new uint256[](40);
            for (uint256 i; i < 40; ++i) {
                indices[i] = i * 1600 + (i % 2) * 1500;
            }
            indices[place] = indices[place - 1];
            VM.expectRevert(
                abi.encodeWithSelector(
                    IClassifier.FeatureNotIncreasing.selector, 0, place, indices[place], indices[place - 1]
                )
            );
            this.requireSparse(0, Encode.sparse(indices), 65_536);
        }
    }

    /// @dev Bytes after the sample must make no difference.
    function testFuzzIncreasing(uint256 seed, uint256 length, bytes calldata tail) external view {
        length = bound(length, 1, 70);
        uint256[] memory indices = new uint256[](length);
        bool expected = true;
        for (uint256 i; i < length; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            // Mostly small steps up, sometimes one of 0 or down, sometimes far.
            uint256 previous = i == 0 ? 0 : indices[i - 1];
            indices[i] = seed % 97 == 0 ? (seed >> 16) % 65_536 : (previous + (seed >> 16) % 50 + 1) % 65_536;
            if (i > 0 && indices[i] <= previous) expected = false;
        }
        bytes memory sample = Encode.sparse(indices);
        bool actual = this.increasing(bytes.concat(sample, tail), sample.length);
        assertTrue(actual == expected, "increasing");
    }

    function testEmptyBatch() external {
        VM.expectRevert(abi.encodeWithSelector(IErrors.EmptyBatch.selector));
        this.count("");
    }

    function testMalformedBatch() external {
        bytes memory whole = Encode.item(1, hex"0001");
        // A header cut short, a sample cut short, garbage after a whole item.
        VM.expectRevert(abi.encodeWithSelector(IErrors.MalformedBatch.selector, 0));
        this.count(hex"000100");
        VM.expectRevert(abi.encodeWithSelector(IErrors.MalformedBatch.selector, 0));
        this.count(hex"000100020a");
        VM.expectRevert(abi.encodeWithSelector(IErrors.MalformedBatch.selector, 6));
        this.count(bytes.concat(whole, hex"00"));
    }

    function testFuzzBatch(bytes[] calldata samples) external view {
        VM.assume(samples.length > 0);
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

    function requireSparse(uint256 place, bytes calldata sample, uint256 features) external pure {
        Samples.requireSparse(place, sample, features);
    }

    function requireDense(uint256 place, bytes calldata sample, uint256 expected) external pure {
        Samples.requireDense(place, sample, expected);
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
