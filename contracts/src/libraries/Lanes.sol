// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @title Lanes
/// @notice Signed and unsigned numbers packed into 256-bit words, and the sums that saturate.
/// @dev Lane `i` of a word lies at bit `i * width`. `shift` is that bit, below 256.
library Lanes {
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

    /// @dev The unsigned 32-bit lane at `shift`.
    function uint32At(uint256 word, uint256 shift) internal pure returns (uint256) {
        return (word >> shift) & type(uint32).max;
    }

    /// @dev The word with `delta` added to its signed 16-bit lane at `shift`, stopping at the lane's bounds.
    /// @param delta Between -2^254 and 2^254.
    function addInt16(uint256 word, uint256 shift, int256 delta) internal pure returns (uint256) {
        // The sum of a small number and `delta` cannot wrap.
        unchecked {
            int256 value = int16At(word, shift);
            int256 sum = value + delta;
            // The cast cuts off what does not fit: then, and only then, it changes the sum.
            if (int16(sum) != sum) sum = delta > 0 ? int256(type(int16).max) : type(int16).min;
            // Turns the lane's bits over where they change; the cast keeps two's complement.
            return word ^ ((uint256(value ^ sum) & type(uint16).max) << shift);
        }
    }

    /// @dev The word with `delta` added to its signed 64-bit lane at `shift`, stopping at the lane's bounds.
    /// @param delta Between -2^254 and 2^254.
    function addInt64(uint256 word, uint256 shift, int256 delta) internal pure returns (uint256) {
        // As above.
        unchecked {
            int256 value = int64At(word, shift);
            int256 sum = value + delta;
            if (int64(sum) != sum) sum = delta > 0 ? int256(type(int64).max) : type(int64).min;
            return word ^ ((uint256(value ^ sum) & type(uint64).max) << shift);
        }
    }
}
