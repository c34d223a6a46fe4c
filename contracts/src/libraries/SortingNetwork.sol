// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {DotProduct} from "./DotProduct.sol";
import {Memory} from "./Memory.sol";
import {Rows, UpdateRows} from "./UpdateRows.sol";

/// @title SortingNetwork
/// @notice Sorts rows of lanes: afterwards, the first rows have the lowest values of each lane.
/// @dev Batcher's merge exchange for the next power of two (Knuth, volume 3, algorithm 5.2.2M).
/// Exchanges with rows that do not exist are left out: those rows would hold the largest value, and
/// no exchange moves it from the end. Exchanges whose outputs nobody reads are left out too.
/// The first three passes sort rows in groups of four, which takes a third of the memory accesses.
library SortingNetwork {
    /// @dev The outputs of an exchange that are read, as bits.
    uint256 private constant MINIMUM = 1;
    uint256 private constant MAXIMUM = 2;

    /// @dev Width of a row's index in an exchange, in bits: `outputs | lower row | upper row`.
    uint256 private constant INDEX_BITS = 8;
    uint256 private constant INDEX_MASK = 0xff;

    /// @dev More than the exchanges of 32 rows, in bytes of a word each.
    uint256 private constant ROOM = 192 * 32;

    /// @dev Biases the rows, and sorts them so far that the rows `first` to `last` are right; the
    /// others have no meaning.
    function sort(Rows memory rows, uint256 first, uint256 last) internal pure {
        uint256 count = rows.count;
        // Powers of two: half of the next one that is not below the count, and half of that.
        (uint256 quarter, uint256 half) = (0, 1);
        while (2 * half < count) (quarter, half) = (half, 2 * half);
        // With fewer rows, the groups of four are not whole.
        uint256 groups = quarter == 0 || count < 3 * quarter ? 0 : count - 3 * quarter;
        uint256 guards = DotProduct.ones(rows.width) << (rows.width - 1);
        for (uint256 i; i < groups; ++i) {
            uint256 row = rows.start + i * rows.stride;
            _sortFour(row, row + rows.stride, quarter * rows.stride, guards, rows.width - 1);
        }
        for (uint256 i; i < count; ++i) {
            if (quarter == 0 || i % quarter >= groups) UpdateRows.bias(rows, i);
        }
        _run(rows, half, groups, (2 << last) - (1 << first), guards);
    }

    /// @dev Runs the exchanges that the rows need, each over all words of its two rows.
    /// @param read The rows that are read afterwards, as bits.
    function _run(Rows memory rows, uint256 half, uint256 groups, uint256 read, uint256 guards) private pure {
        uint256 free = Memory.free();
        (uint256 next, uint256 end) = _network(rows.count, half, groups, read);
        uint256 stride = rows.stride;
        uint256 start = rows.start;
        uint256 shift = rows.width - 1;
        // Exchanges and rows are in memory, so no sum wraps.
        unchecked {
            for (; next < end; next += 32) {
                uint256 exchange;
                assembly ("memory-safe") {
                    exchange := mload(next)
                }
                uint256 low = start + (exchange >> INDEX_BITS & INDEX_MASK) * stride;
                uint256 high = start + (exchange & INDEX_MASK) * stride;
                uint256 outputs = exchange >> 2 * INDEX_BITS;
                if (outputs == MINIMUM) _minimum(low, low + stride, high, guards, shift);
                else if (outputs == MAXIMUM) _maximum(low, low + stride, high, guards, shift);
                else _exchange(low, low + stride, high, guards, shift);
            }
        }
        Memory.restore(free);
    }

    /// @dev Writes the exchanges that rows need, a word each, to new memory.
    /// @return next Address of the first exchange.
    /// @return end Address after the last one.
    function _network(uint256 count, uint256 half, uint256 groups, uint256 read)
        private
        pure
        returns (uint256 next, uint256 end)
    {
        uint256 start = Memory.free();
        next = start + 2 * ROOM;
        Memory.restore(next);
        uint256 last = _exchanges(count, half, groups, start);
        // Indices are below 32.
        unchecked {
            end = next;
            while (last > start) {
                last -= 32;
                uint256 exchange;
                assembly ("memory-safe") {
                    exchange := mload(last)
                }
                uint256 lower = exchange >> INDEX_BITS;
                uint256 upper = exchange & INDEX_MASK;
                uint256 outputs = (read >> lower & 1) * MINIMUM | (read >> upper & 1) * MAXIMUM;
                if (outputs == 0) continue;
                read |= 1 << lower | 1 << upper;
                next -= 32;
                exchange |= outputs << 2 * INDEX_BITS;
                assembly ("memory-safe") {
                    mstore(next, exchange)
                }
            }
        }
    }

    /// @dev Writes the exchanges that sort rows of which `_sortFour` has sorted some groups.
    /// @param half Half of the next power of two, at least of 2.
    /// @param groups The number of sorted groups of four.
    /// @param end The address to write to.
    /// @return The address after the last exchange.
    function _exchanges(uint256 count, uint256 half, uint256 groups, uint256 end)
        private
        pure
        returns (uint256)
    {
        if (half == 1) return _pass(count, 1, 0, 1, end);
        // There are at most 32 rows.
        unchecked {
            uint256 quarter = half / 2;
            for (uint256 i = groups; i < quarter; ++i) {
                end = _add(count, i, i + half, end);
                end = _add(count, i + quarter, i + quarter + half, end);
                end = _add(count, i, i + quarter, end);
                end = _add(count, i + half, i + half + quarter, end);
                end = _add(count, i + quarter, i + half, end);
            }
            for (uint256 p = quarter / 2; p > 0; p /= 2) {
                end = _pass(count, p, 0, p, end);
                for (uint256 q = half; q > p; q /= 2) {
                    end = _pass(count, p, p, q - p, end);
                }
            }
        }
        return end;
    }

    /// @dev Writes the exchanges of a pass: the rows `i` with `i & p == rest`, each with the row at
    /// a distance.
    function _pass(uint256 count, uint256 p, uint256 rest, uint256 distance, uint256 end)
        private
        pure
        returns (uint256)
    {
        // There are at most 32 rows.
        unchecked {
            for (uint256 first = rest; first + distance < count; first += 2 * p) {
                for (uint256 i = first; i < first + p; ++i) {
                    end = _add(count, i, i + distance, end);
                }
            }
        }
        return end;
    }

    /// @dev Writes an exchange, unless its upper row does not exist.
    function _add(uint256 count, uint256 lower, uint256 upper, uint256 end) private pure returns (uint256) {
        if (upper >= count) return end;
        // Memory has no address near 2^256.
        unchecked {
            assembly ("memory-safe") {
                mstore(end, or(shl(INDEX_BITS, lower), upper))
            }
            return end + 32;
        }
    }

    // In each function below, a difference of two lanes with a set guard keeps the guard unless the
    // first lane is smaller. `over` is that difference if the guard is kept, and else 0: what the
    // first lane has over the second one.

    /// @dev Biases and sorts four rows at equal distances, which are the first of their groups.
    /// @param row Address of the first row.
    /// @param end Address after it.
    /// @param step Distance of two rows, in bytes.
    function _sortFour(uint256 row, uint256 end, uint256 step, uint256 guards, uint256 shift) private pure {
        assembly ("memory-safe") {
            for {} lt(row, end) { row := add(row, 0x20) } {
                let a := xor(mload(row), shr(1, guards))
                let b := xor(mload(add(row, step)), shr(1, guards))
                let c := xor(mload(add(row, mul(2, step))), shr(1, guards))
                let d := xor(mload(add(row, mul(3, step))), shr(1, guards))

                let over := sub(or(a, guards), c)
                over := and(over, sub(and(over, guards), shr(shift, and(over, guards))))
                a := sub(a, over)
                c := add(c, over)

                over := sub(or(b, guards), d)
                over := and(over, sub(and(over, guards), shr(shift, and(over, guards))))
                b := sub(b, over)
                d := add(d, over)

                over := sub(or(a, guards), b)
                over := and(over, sub(and(over, guards), shr(shift, and(over, guards))))
                mstore(row, sub(a, over))
                b := add(b, over)

                over := sub(or(c, guards), d)
                over := and(over, sub(and(over, guards), shr(shift, and(over, guards))))
                c := sub(c, over)
                mstore(add(row, mul(3, step)), add(d, over))

                over := sub(or(b, guards), c)
                over := and(over, sub(and(over, guards), shr(shift, and(over, guards))))
                mstore(add(row, step), sub(b, over))
                mstore(add(row, mul(2, step)), add(c, over))
            }
        }
    }

    /// @dev Moves the minimum of each lane to the lower row, and the maximum to the upper one. A step
    /// takes a group of words, because its own cost is near that of a word.
    function _exchange(uint256 low, uint256 end, uint256 high, uint256 guards, uint256 shift) private pure {
        assembly ("memory-safe") {
            for {} lt(low, end) {} {
                let a := mload(low)
                let b := mload(high)
                let over := sub(or(a, guards), b)
                let kept := and(over, guards)
                over := and(over, sub(kept, shr(shift, kept)))
                mstore(low, sub(a, over))
                mstore(high, add(b, over))
                low := add(low, 0x20)
                high := add(high, 0x20)

                a := mload(low)
                b := mload(high)
                over := sub(or(a, guards), b)
                kept := and(over, guards)
                over := and(over, sub(kept, shr(shift, kept)))
                mstore(low, sub(a, over))
                mstore(high, add(b, over))
                low := add(low, 0x20)
                high := add(high, 0x20)

                a := mload(low)
                b := mload(high)
                over := sub(or(a, guards), b)
                kept := and(over, guards)
                over := and(over, sub(kept, shr(shift, kept)))
                mstore(low, sub(a, over))
                mstore(high, add(b, over))
                low := add(low, 0x20)
                high := add(high, 0x20)

                a := mload(low)
                b := mload(high)
                over := sub(or(a, guards), b)
                kept := and(over, guards)
                over := and(over, sub(kept, shr(shift, kept)))
                mstore(low, sub(a, over))
                mstore(high, add(b, over))
                low := add(low, 0x20)
                high := add(high, 0x20)
            }
        }
    }

    /// @dev Moves the minimum of each lane to the lower row; the upper row is not read any more.
    function _minimum(uint256 low, uint256 end, uint256 high, uint256 guards, uint256 shift) private pure {
        assembly ("memory-safe") {
            for {} lt(low, end) {} {
                let a := mload(low)
                let b := mload(high)
                let over := sub(or(a, guards), b)
                let kept := and(over, guards)
                over := and(over, sub(kept, shr(shift, kept)))
                mstore(low, sub(a, over))
                low := add(low, 0x20)
                high := add(high, 0x20)

                a := mload(low)
                b := mload(high)
                over := sub(or(a, guards), b)
                kept := and(over, guards)
                over := and(over, sub(kept, shr(shift, kept)))
                mstore(low, sub(a, over))
                low := add(low, 0x20)
                high := add(high, 0x20)
            }
        }
    }

    /// @dev Moves the maximum of each lane to the upper row; the lower row is not read any more.
    function _maximum(uint256 low, uint256 end, uint256 high, uint256 guards, uint256 shift) private pure {
        assembly ("memory-safe") {
            for {} lt(low, end) {} {
                let a := mload(low)
                let b := mload(high)
                let over := sub(or(a, guards), b)
                let kept := and(over, guards)
                over := and(over, sub(kept, shr(shift, kept)))
                mstore(high, add(b, over))
                low := add(low, 0x20)
                high := add(high, 0x20)

                a := mload(low)
                b := mload(high)
                over := sub(or(a, guards), b)
                kept := and(over, guards)
                over := and(over, sub(kept, shr(shift, kept)))
                mstore(high, add(b, over))
                low := add(low, 0x20)
                high := add(high, 0x20)
            }
        }
    }
}
