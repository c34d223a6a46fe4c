// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @title Lanes
/// @notice Signed and unsigned numbers packed into 256-bit words, with saturating sums.
/// @dev Lane `i` of a word lies at bit `i * width`. `shift` is that bit, below 256.
library Lanes {
    /// @dev The highest bit of each 16-bit lane.
    uint256 private constant SIGNS = 0x8000800080008000800080008000800080008000800080008000800080008000;

    /// @dev Returns the signed 16-bit lane at `shift`.
    function int16At(uint256 word, uint256 shift) internal pure returns (int256 value) {
        assembly {
            value := signextend(1, shr(shift, word))
        }
    }

    /// @dev Returns the signed 64-bit lane at `shift`.
    function int64At(uint256 word, uint256 shift) internal pure returns (int256 value) {
        assembly {
            value := signextend(7, shr(shift, word))
        }
    }

    /// @dev Returns the unsigned 16-bit lane at `shift`.
    function uint16At(uint256 word, uint256 shift) internal pure returns (uint256) {
        return (word >> shift) & type(uint16).max;
    }

    /// @dev Returns the word with `delta` added to its signed 16-bit lane at `shift`. The sum
    /// saturates at the lane's bounds.
    /// @param delta Between -2^254 and 2^254.
    function addInt16(uint256 word, uint256 shift, int256 delta) internal pure returns (uint256) {
        // The sum of a small number and `delta` cannot wrap.
        unchecked {
            int256 value = int16At(word, shift);
            int256 sum = value + delta;
            // The cast changes the sum if, and only if, it does not fit. The complement of the
            // largest number is the smallest.
            if (int16(sum) != sum) sum = type(int16).max ^ (sum >> 255);
            // Flips the changed bits of the lane; the cast keeps two's complement.
            return word ^ ((uint256(value ^ sum) & type(uint16).max) << shift);
        }
    }

    /// @dev Returns the word with each of its signed 16-bit lanes added to that of `deltas`. The
    /// sums saturate at the lanes' bounds.
    function addInt16s(uint256 word, uint256 deltas) internal pure returns (uint256 sums) {
        // Without their sign bits, two lanes add up within one lane. The signs are added without a
        // carry.
        unchecked {
            sums = (word & ~SIGNS) + (deltas & ~SIGNS) ^ (word ^ deltas) & SIGNS;
            // A lane has left its bounds if its sign differs from both summands' signs.
            uint256 over = (sums ^ word) & (sums ^ deltas) & SIGNS;
            if (over != 0) {
                uint256 lanes = (over >> 15) * type(uint16).max;
                // The bound is the largest number, or one more, which is the smallest, if the lane
                // was negative.
                uint256 bounds = ~SIGNS + ((word & SIGNS) >> 15);
                sums = sums & ~lanes | bounds & lanes;
            }
        }
    }

    /// @dev Returns the word with `delta` added to its signed 64-bit lane at `shift`. The sum
    /// saturates at the lane's bounds.
    /// @param delta Between -2^254 and 2^254.
    function addInt64(uint256 word, uint256 shift, int256 delta) internal pure returns (uint256) {
        // As in `addInt16`.
        unchecked {
            int256 value = int64At(word, shift);
            int256 sum = value + delta;
            if (int64(sum) != sum) sum = type(int64).max ^ (sum >> 255);
            return word ^ ((uint256(value ^ sum) & type(uint64).max) << shift);
        }
    }
}
