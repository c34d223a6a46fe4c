// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IClassifier} from "../interfaces/IClassifier.sol";

/// @title Samples
/// @notice Checks the encodings of samples and reads sparse ones.
library Samples {
    /// @dev The lower of each two 16-bit lanes.
    uint256 private constant LOWER = 0x0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff;
    /// @dev 1 in each 32-bit lane.
    uint256 private constant ONE = 0x0000000100000001000000010000000100000001000000010000000100000001;
    /// @dev The bit above the lower 16 of each 32-bit lane.
    uint256 private constant CARRY = 0x0001000000010000000100000001000000010000000100000001000000010000;

    /// @dev Reverts unless the indices are whole, strictly increasing and below `features`.
    function requireSparse(uint256 item, bytes calldata sample, uint256 features) internal pure {
        uint256 length = sample.length;
        if (length % 2 != 0) revert IClassifier.OddSampleLength(item, length);
        if (length == 0) return;
        if (!increasing(sample)) revertNotIncreasing(item, sample);
        // The length is at least 2.
        unchecked {
            uint256 last = length / 2 - 1;
            uint256 feature = indexAt(sample, last);
            if (feature >= features) revert IClassifier.FeatureOutOfRange(item, last, feature, features);
        }
    }

    /// @dev Reverts unless the sample has `expected` bytes.
    function requireDense(uint256 item, bytes calldata sample, uint256 expected) internal pure {
        if (sample.length != expected) {
            revert IClassifier.WrongSampleLength(item, sample.length, expected);
        }
    }

    /// @dev The index at a place of a sparse sample, which must lie within it.
    function indexAt(bytes calldata sample, uint256 place) internal pure returns (uint256 index) {
        assembly {
            index := shr(240, calldataload(add(sample.offset, shl(1, place))))
        }
    }

    /// @dev Whether each index of a sparse sample, of at least one, is above the one before it.
    /// Compares 16 neighbouring pairs at a time, for this runs before each prediction and each lesson: a word of
    /// calldata against the word 2 bytes after it. Of two lanes, each is widened to 32 bits: then bit 16 of
    /// `2^16 + next - index - 1` says whether `next > index`, and no lane borrows from its neighbour.
    function increasing(bytes calldata sample) internal pure returns (bool yes) {
        // Offsets in calldata are far below 2^64; lanes cannot wrap, as said above.
        unchecked {
            uint256 pairs = sample.length / 2 - 1;
            uint256 place;
            assembly {
                place := sample.offset
            }
            while (pairs != 0) {
                uint256 indices;
                uint256 nexts;
                // May read past the sample's end; what it reads there is shifted out below.
                assembly {
                    indices := calldataload(place)
                    nexts := calldataload(add(place, 2))
                }
                uint256 lower = ((nexts & LOWER) | CARRY) - (indices & LOWER) - ONE;
                uint256 upper = (((nexts >> 16) & LOWER) | CARRY) - ((indices >> 16) & LOWER) - ONE;
                // Bit 0 of each 16-bit lane: its pair does not increase.
                uint256 faults = (((lower & CARRY) >> 16) | (upper & CARRY)) ^ (ONE | CARRY);
                if (pairs < 16) return faults >> (256 - 16 * pairs) == 0;
                if (faults != 0) return false;
                pairs -= 16;
                place += 32;
            }
            return true;
        }
    }

    /// @dev Reverts for the first index that is not above the one before it; there must be one.
    function revertNotIncreasing(uint256 item, bytes calldata sample) private pure {
        // There is such a place and it is at least 1.
        unchecked {
            uint256 place = 1;
            while (indexAt(sample, place) > indexAt(sample, place - 1)) ++place;
            revert IClassifier.FeatureNotIncreasing(
                item, place, indexAt(sample, place), indexAt(sample, place - 1)
            );
        }
    }
}
