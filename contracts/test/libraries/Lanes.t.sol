// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Headers} from "../../src/libraries/Headers.sol";
import {Lanes} from "../../src/libraries/Lanes.sol";
import {Test} from "../base/Test.sol";

/// @notice Lanes of a word, and headers of classes.
contract LanesTest is Test {
    function testFuzz_addInt16_matchesClampedSum(uint256 word, uint256 lane, int256 delta) external pure {
        uint256 shift = bound(lane, 0, 15) * 16;
        delta = int256(bound(uint256(delta), 0, 140_000)) - 70_000;
        int256 before = int16(uint16(word >> shift));
        uint256 changed = Lanes.addInt16(word, shift, delta);

        assertEq(Lanes.int16At(word, shift), before, "lane before");
        assertEq(Lanes.int16At(changed, shift), clamp(before + delta, -32_768, 32_767), "lane after");
        uint256 others = ~(uint256(0xffff) << shift);
        assertEq(changed & others, word & others, "other lanes");
    }

    /// @dev Adds all lanes at once, some at their bounds, and compares with one lane after the
    /// other.
    function testFuzz_addInt16s_matchesOneByOne(uint256 word, uint256 deltas, uint256 edges) external pure {
        for (uint256 shift; shift < 256; shift += 16) {
            uint256 edge = edges >> shift & 0xff;
            // One lane in 8 is at each bound, or next to it.
            if (edge < 64) word = word & ~(uint256(0xffff) << shift) | (0x7ffe + edge % 4) << shift;
        }
        uint256 expected = word;
        for (uint256 shift; shift < 256; shift += 16) {
            expected = Lanes.addInt16(expected, shift, Lanes.int16At(deltas, shift));
        }
        assertEq(Lanes.addInt16s(word, deltas), expected, "lanes");
    }

    function testFuzz_addInt64_matchesClampedSum(uint256 word, uint256 lane, int256 delta) external pure {
        uint256 shift = bound(lane, 0, 3) * 64;
        delta = int256(bound(uint256(delta), 0, 1 << 66)) - int256(1 << 65);
        int256 before = int64(uint64(word >> shift));
        uint256 changed = Lanes.addInt64(word, shift, delta);

        assertEq(Lanes.int64At(word, shift), before, "lane before");
        assertEq(
            Lanes.int64At(changed, shift),
            clamp(before + delta, type(int64).min, type(int64).max),
            "lane after"
        );
        uint256 others = ~(uint256(type(uint64).max) << shift);
        assertEq(changed & others, word & others, "other lanes");
    }

    function testFuzz_uint16At_readsLane(uint256 word, uint256 lane) external pure {
        uint256 shift = bound(lane, 0, 15) * 16;
        assertEq(Lanes.uint16At(word, shift), uint16(word >> shift), "lane");
    }

    function testFuzz_learned_countsSampleAndGain(uint32 samples, uint128 total, uint96 unused, uint128 gain)
        external
        pure
    {
        if (samples == type(uint32).max) samples = 0;
        uint256 header = samples | uint256(total) << 32 | uint256(unused) << 160;
        uint256 learned = Headers.learned(header, gain);
        uint256 sum = uint256(total) + gain;
        if (sum > type(uint128).max) sum = type(uint128).max;

        assertEq(Headers.samples(header), samples, "samples before");
        assertEq(Headers.total(header), total, "total before");
        assertEq(Headers.samples(learned), uint256(samples) + 1, "samples after");
        assertEq(Headers.total(learned), sum, "total after");
        assertEq(learned >> 160, unused, "unused bits");
    }

    function test_full_isTrueAtLastSample() external pure {
        assertTrue(Headers.full(type(uint32).max), "full");
        assertTrue(!Headers.full(type(uint256).max - 1), "one to go");
    }

    function clamp(int256 value, int256 minimum, int256 maximum) private pure returns (int256) {
        return value < minimum ? minimum : value > maximum ? maximum : value;
    }
}
