// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @title DotProduct
/// @notice Dot products of unsigned lanes, several products in one multiplication.
/// @dev A word of lanes is spread over four words of slots, each slot four lanes wide. The product
/// of a word with one whose slots have the opposite order has the dot product in its highest slot.
/// No slot may overflow: the sum of all products must fit into one.
library DotProduct {
    /// @dev Number of words over which a word of lanes is spread.
    uint256 internal constant GROUPS = 4;

    /// @dev Returns a word with a 1 at the lowest bit of each lane. The width divides 256.
    function ones(uint256 width) internal pure returns (uint256) {
        // The width is positive.
        unchecked {
            return type(uint256).max / ((1 << width) - 1);
        }
    }

    /// @dev Returns the mask of the lowest lane of each slot.
    function maskOf(uint256 width) internal pure returns (uint256) {
        unchecked {
            return ones(4 * width) * ((1 << width) - 1);
        }
    }

    /// @dev Returns the word with its slots in the opposite order.
    /// @param width The width of a lane, in bits: 8 or 16. A slot is four lanes.
    function reverse(uint256 word, uint256 width) internal pure returns (uint256 reversed) {
        assembly {
            reversed := word
            if eq(width, 8) {
                let mask := 0x00000000ffffffff00000000ffffffff00000000ffffffff00000000ffffffff
                reversed := or(shl(32, and(reversed, mask)), and(shr(32, reversed), mask))
            }
            let mask := 0x0000000000000000ffffffffffffffff0000000000000000ffffffffffffffff
            reversed := or(shl(64, and(reversed, mask)), and(shr(64, reversed), mask))
            reversed := or(shl(128, reversed), shr(128, reversed))
        }
    }

    /// @dev Spreads words of memory over four times as many.
    /// @param from Address of the words.
    /// @param end Address after the last word.
    /// @param to Address to which the function writes.
    function spread(uint256 from, uint256 end, uint256 to, uint256 width) internal pure {
        uint256 mask = maskOf(width);
        assembly ("memory-safe") {
            for {} lt(from, end) { from := add(from, 0x20) } {
                let word := mload(from)
                mstore(to, and(word, mask))
                mstore(add(to, 0x20), and(shr(width, word), mask))
                mstore(add(to, 0x40), and(shr(mul(2, width), word), mask))
                mstore(add(to, 0x60), and(shr(mul(3, width), word), mask))
                to := add(to, 0x80)
            }
        }
    }

    /// @dev Spreads words as `spread` does, with the slots of each word in the opposite order.
    function spreadReversed(uint256 from, uint256 end, uint256 to, uint256 width) internal pure {
        uint256 mask = maskOf(width);
        for (; from < end; from += 32) {
            uint256 word;
            assembly ("memory-safe") {
                word := mload(from)
            }
            word = reverse(word, width);
            assembly ("memory-safe") {
                mstore(to, and(word, mask))
                mstore(add(to, 0x20), and(shr(width, word), mask))
                mstore(add(to, 0x40), and(shr(mul(2, width), word), mask))
                mstore(add(to, 0x60), and(shr(mul(3, width), word), mask))
                to := add(to, 0x80)
            }
        }
    }

    /// @dev Returns the dot product of two runs of spread words, one of them reversed.
    /// @param first Address of the one run.
    /// @param end Address after it; a run has whole groups of eight words.
    /// @param second Address of the other run.
    function dot(uint256 first, uint256 end, uint256 second, uint256 width)
        internal
        pure
        returns (uint256 sum)
    {
        assembly ("memory-safe") {
            for {} lt(first, end) {} {
                sum := add(sum, mul(mload(first), mload(second)))
                sum := add(sum, mul(mload(add(first, 0x20)), mload(add(second, 0x20))))
                sum := add(sum, mul(mload(add(first, 0x40)), mload(add(second, 0x40))))
                sum := add(sum, mul(mload(add(first, 0x60)), mload(add(second, 0x60))))
                sum := add(sum, mul(mload(add(first, 0x80)), mload(add(second, 0x80))))
                sum := add(sum, mul(mload(add(first, 0xa0)), mload(add(second, 0xa0))))
                sum := add(sum, mul(mload(add(first, 0xc0)), mload(add(second, 0xc0))))
                sum := add(sum, mul(mload(add(first, 0xe0)), mload(add(second, 0xe0))))
                first := add(first, 0x100)
                second := add(second, 0x100)
            }
            sum := shr(sub(256, mul(4, width)), sum)
        }
    }
}
