// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @title Headers
/// @notice The header of a class: `samples (bits 0..31) | total (bits 32..159) | unused`.
library Headers {
    /// @dev The lowest bit of the total, and its mask.
    uint8 private constant TOTAL_OFFSET = 32;
    uint256 private constant TOTAL_MASK = uint256(type(uint128).max) << TOTAL_OFFSET;

    /// @dev Returns the number of samples that the class has learned from.
    function samples(uint256 header) internal pure returns (uint256) {
        return header & type(uint32).max;
    }

    /// @dev Returns `true` if the class cannot learn from further samples.
    function full(uint256 header) internal pure returns (bool) {
        return samples(header) == type(uint32).max;
    }

    /// @dev Returns the sum that the classifier keeps for the class.
    function total(uint256 header) internal pure returns (uint256) {
        return (header >> TOTAL_OFFSET) & type(uint128).max;
    }

    /// @dev Returns the header after one more sample, which adds `gain` to the total. The total
    /// saturates.
    /// @param header The header of a class that is not full.
    /// @param gain The gain, below 2^128.
    function learned(uint256 header, uint256 gain) internal pure returns (uint256) {
        // Both numbers are below 2^128; the count of samples is below its largest value.
        unchecked {
            uint256 sum = total(header) + gain;
            if (sum > type(uint128).max) sum = type(uint128).max;
            return (header & ~TOTAL_MASK | sum << TOTAL_OFFSET) + 1;
        }
    }
}
