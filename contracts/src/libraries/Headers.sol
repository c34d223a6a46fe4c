// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @title Headers
/// @notice The header of a class: `samples (bits 0..31) | total (bits 32..159) | unused`.
library Headers {
    uint256 private constant TOTAL = uint256(type(uint128).max) << 32;

    /// @dev The number of samples that the class has learned from.
    function samples(uint256 header) internal pure returns (uint256) {
        return header & type(uint32).max;
    }

    /// @dev Whether the class can learn from no further sample.
    function full(uint256 header) internal pure returns (bool) {
        return samples(header) == type(uint32).max;
    }

    /// @dev What the classifier sums up over the class.
    function total(uint256 header) internal pure returns (uint256) {
        return (header >> 32) & type(uint128).max;
    }

    /// @dev The header after one more sample that adds `gain` to the total, which saturates.
    /// @param header Of a class that is not full.
    /// @param gain Below 2^128.
    function learned(uint256 header, uint256 gain) internal pure returns (uint256) {
        // Two numbers below 2^128; the count of samples is below its largest value.
        unchecked {
            uint256 sum = total(header) + gain;
            if (sum > type(uint128).max) sum = type(uint128).max;
            return (header & ~TOTAL | sum << 32) + 1;
        }
    }
}
