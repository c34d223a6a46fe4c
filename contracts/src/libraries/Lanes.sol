// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @title Lanes
/// @notice Signed and unsigned numbers packed into 256-bit words, and the sums that saturate.
/// @dev Lane `i` of a word lies at bit `i * width`. `shift` is that bit, below 256.
library Lanes {
    /// @dev The highest bit of each 16-bit lane.
    uint256 private constant SIGNS = 0x8000800080008000800080008000800080008000800080008000800080008000;

    /// @dev The signed 16-bit lane at `shift`.
    function int16At(uint256 word, uint256 shift) internal pure returns (int256 value) {
        assembly {
            value := signextend(1, shr(shift, word))
        }
    }

    /// @dev The signed 64-bit lane at `shift`.
    function int64At(uint256 word, uint256 shift) internal pure returns (int256 value) {
        assembly {
            value := signextend(7, shr(shift, word))
        }
    }

    /// @dev The unsigned 16-bit lane at `shift`.
    function uint16At(uint256 word, uint256 shift) internal pure returns (uint256) {
        return (word >> shift) & type(uint16).max;
    }

    /// @dev The word with `delta` added to its signed 16-bit lane at `shift`, stopping at the lane's bounds.
    /// @param delta Between -2^254 and 2^254.
    function addInt16(uint256 word, uint256 shift, int256 delta) internal pure returns (uint256) {
        // The sum of a small number and `delta` cannot wrap.
        unchecked {
            int256 value = int16At(word, shift);
            int256 sum = value + delta;
            // The cast cuts off what does not fit: then, and only then, it changes the sum. The complement of the
            // largest number is the smallest.
            if (int16(sum) != sum) sum = type(int16).max ^ (sum >> 255);
            // Turns the lane's bits over where they change; the cast keeps two's complement.
            return word ^ ((uint256(value ^ sum) & type(uint16).max) << shift);
        }
    }

    /// @dev The word with each of its signed 16-bit lanes added to that of `deltas`, stopping at the lanes' bounds.
    function addInt16s(uint256 word, uint256 deltas) internal pure returns (uint256 sums) {
        // Without their highest bits, the signs, two lanes sum up to one; the signs are added without a carry.
        unchecked {
            sums = (word & ~SIGNS) + (deltas & ~SIGNS) ^ (word ^ deltas) & SIGNS;
            // The sign bits of the lanes that have left their bounds: there, it differs from both of the others.
            uint256 over = (sums ^ word) & (sums ^ deltas) & SIGNS;
            if (over != 0) {
                uint256 lanes = (over >> 15) * type(uint16).max;
                // The largest number, and one more, which is the smallest, where the lane was negative.
                uint256 bounds = ~SIGNS + ((word & SIGNS) >> 15);
                sums = sums & ~lanes | bounds & lanes;
            }
        }
    }

    /// @dev The word with `delta` added to its signed 64-bit lane at `shift`, stopping at the lane's bounds.
    /// @param delta Between -2^254 and 2^254.
    function addInt64(uint256 word, uint256 shift, int256 delta) internal pure returns (uint256) {
        // As above.
        unchecked {
            int256 value = int64At(word, shift);
            int256 sum = value + delta;
            if (int64(sum) != sum) sum = type(int64).max ^ (sum >> 255);
            return word ^ ((uint256(value ^ sum) & type(uint64).max) << shift);
        }
    }
}
