// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {DotProduct} from "./DotProduct.sol";
import {Memory} from "./Memory.sol";

/// @notice Updates of one model in memory, as rows of equal length: the first row is the first
/// update.
/// @dev A row has room for whole groups of `UpdateRows.GROUP` bytes. The lanes past its length are 0,
/// as those past the last parameter are.
struct Rows {
    /// Address of the first row.
    uint256 start;
    /// Distance of two rows, in bytes.
    uint256 stride;
    uint256 count;
    /// Length of a row, in bytes: whole words.
    uint256 length;
    /// Width of a lane, in bits: 8 or 16.
    uint256 width;
}

/// @title UpdateRows
/// @notice The lanes of updates: checks, norms, and the words of a model that they change.
/// @dev Lane `i` of a word lies at bit `i * width`. A value has one bit less than its lane, in two's
/// complement; the lane's highest bit is the guard, which is 0. A biased value is the value plus a
/// quarter of the lane's range, so it is never negative.
library UpdateRows {
    /// @notice Thrown when an update has another length than the model's updates.
    /// @param length The update's length in bytes.
    /// @param expected The expected length in bytes.
    error WrongUpdateLength(uint256 length, uint256 expected);

    /// @notice Thrown when the guard bit of a lane is set.
    /// @param word The index of the word in the update, from 0.
    error GuardBitSet(uint256 word);

    /// @notice Thrown when a lane past the last parameter is not 0.
    /// @param parameters The number of parameters of the model.
    error PaddingNotZero(uint256 parameters);

    /// @notice Thrown when the squared length of an update is above the model's bound.
    /// @param squaredNorm The sum of the squares of the update's values.
    /// @param maximum The largest such sum that the model takes.
    error NormTooLarge(uint256 squaredNorm, uint256 maximum);

    /// @dev The rows of a network are walked in steps of so many bytes: four words.
    uint256 internal constant GROUP = 128;

    /// @dev Returns the length of an update in bytes: whole words.
    function lengthOf(uint256 parameters, uint256 width) internal pure returns (uint256) {
        return (parameters * width + 255 & ~uint256(255)) / 8;
    }

    /// @dev Reverts unless an update has the right length, each guard bit is 0, the lanes past the
    /// last parameter are 0, and its squared length is at most `maxSquaredNorm`.
    function requireValid(bytes calldata update, uint256 parameters, uint256 width, uint256 maxSquaredNorm)
        internal
        pure
    {
        uint256 expected = lengthOf(parameters, width);
        if (update.length != expected) revert WrongUpdateLength(update.length, expected);
        uint256 guards = DotProduct.ones(width) << (width - 1);
        (uint256 bits, uint256 last, uint256 squared) = _walk(update, width, guards);
        if (bits & guards != 0) _revertWithGuard(update, guards);
        uint256 used = parameters * width % 256;
        if (used != 0 && last >> used != 0) revert PaddingNotZero(parameters);
        if (squared > maxSquaredNorm) revert NormTooLarge(squared, maxSquaredNorm);
    }

    /// @dev Returns the bits that are set in any lane, the last word, and the sum of the squares of
    /// the values. The sum has no meaning if a guard bit is set.
    function _walk(bytes calldata update, uint256 width, uint256 guards)
        private
        pure
        returns (uint256 bits, uint256 last, uint256 squared)
    {
        // With 2m for a guard bit, the bias is m. If b = q + m, then q² = m² - b * (2m - b). No
        // factor is negative, and the products are summed in slots, as in `DotProduct`. Neither an
        // update's length nor its lanes make a sum wrap.
        unchecked {
            uint256 mask = DotProduct.maskOf(width);
            for (uint256 offset; offset < update.length; offset += 32) {
                assembly {
                    last := calldataload(add(update.offset, offset))
                    bits := or(bits, last)
                }
                uint256 word = last ^ guards >> 1;
                uint256 other = DotProduct.reverse(guards - word, width);
                squared += (word & mask) * (other & mask);
                squared += (word >> width & mask) * (other >> width & mask);
                squared += (word >> 2 * width & mask) * (other >> 2 * width & mask);
                squared += (word >> 3 * width & mask) * (other >> 3 * width & mask);
            }
            uint256 one = 1 << width - 2;
            squared = one * one * update.length * 8 / width - (squared >> 256 - 4 * width);
        }
    }

    /// @dev Copies updates from calldata, one after the other. Their lanes are not biased yet.
    /// @param data The updates, each of `length` bytes.
    function load(bytes calldata data, uint256 count, uint256 length, uint256 width)
        internal
        pure
        returns (Rows memory rows)
    {
        if (data.length != count * length) revert WrongUpdateLength(data.length, count * length);
        uint256 stride = length + GROUP - 1 & ~(GROUP - 1);
        uint256 start = Memory.free();
        Memory.restore(start + count * stride);
        assembly ("memory-safe") {
            let from := data.offset
            for { let i := 0 } lt(i, count) { i := add(i, 1) } {
                let end := add(start, mul(add(i, 1), stride))
                // Clears the end of a row, which the update may not fill.
                mstore(sub(end, 0x60), 0)
                mstore(sub(end, 0x40), 0)
                mstore(sub(end, 0x20), 0)
                calldatacopy(sub(end, stride), from, length)
                from := add(from, length)
            }
        }
        rows = Rows(start, stride, count, length, width);
    }

    /// @dev Adds the bias to each lane of a row, or takes it away.
    function bias(Rows memory rows, uint256 index) internal pure {
        uint256 to = rows.start + index * rows.stride;
        uint256 end = to + rows.stride;
        uint256 biases = DotProduct.ones(rows.width) << (rows.width - 2);
        assembly ("memory-safe") {
            for {} lt(to, end) { to := add(to, 0x80) } {
                mstore(to, xor(mload(to), biases))
                mstore(add(to, 0x20), xor(mload(add(to, 0x20)), biases))
                mstore(add(to, 0x40), xor(mload(add(to, 0x40)), biases))
                mstore(add(to, 0x60), xor(mload(add(to, 0x60)), biases))
            }
        }
    }

    /// @dev Adds the bias to each lane of all rows.
    function biasAll(Rows memory rows) internal pure {
        for (uint256 i; i < rows.count; ++i) {
            bias(rows, i);
        }
    }

    /// @dev Turns words of biased lanes into words of `int16` lanes, without bias. Eight-bit lanes
    /// need twice as many words.
    function toInt16(uint256[] memory biased, uint256 width) internal pure returns (uint256[] memory words) {
        uint256 signs = DotProduct.ones(16) << 15;
        uint256 biases = DotProduct.ones(16) << (width - 2);
        if (width == 16) {
            words = biased;
            for (uint256 i; i < words.length; ++i) {
                // With the sign bit set, no lane borrows from the next one.
                words[i] = ((words[i] | signs) - biases) ^ signs;
            }
            return words;
        }
        words = new uint256[](2 * biased.length);
        for (uint256 i; i < biased.length; ++i) {
            uint256 word = biased[i];
            words[2 * i] = ((widen(word) | signs) - biases) ^ signs;
            words[2 * i + 1] = ((widen(word >> 128) | signs) - biases) ^ signs;
        }
    }

    /// @dev Returns the 16 low bytes of a word in the low halves of 16-bit lanes.
    function widen(uint256 word) internal pure returns (uint256 wide) {
        assembly {
            wide := and(word, 0xffffffffffffffffffffffffffffffff)
            wide := and(or(wide, shl(64, wide)), 0xffffffffffffffff0000000000000000ffffffffffffffff)
            wide := and(
                or(wide, shl(32, wide)),
                0x00000000ffffffff00000000ffffffff00000000ffffffff00000000ffffffff
            )
            wide := and(
                or(wide, shl(16, wide)),
                0x0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff
            )
            wide := and(
                or(wide, shl(8, wide)),
                0x00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff
            )
        }
    }

    /// @dev Reverts with the first word that has a guard bit; there is one.
    function _revertWithGuard(bytes calldata update, uint256 guards) private pure {
        uint256 word;
        while (uint256(bytes32(update[32 * word:])) & guards == 0) ++word;
        revert GuardBitSet(word);
    }
}
