// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @title Samples
/// @notice Checks the encodings of samples and reads their features.
library Samples {
    /// @notice Thrown when the length of a sparse sample is odd: its indices have two bytes each.
    /// @param item The item's index in the batch or array, from 0.
    /// @param length The sample's length in bytes.
    error OddSampleLength(uint256 item, uint256 length);

    /// @notice Thrown when a dense sample does not have one number a feature.
    /// @param item The item's index in the batch or array, from 0.
    /// @param length The sample's length in bytes.
    /// @param expected The expected length in bytes.
    error WrongSampleLength(uint256 item, uint256 length, uint256 expected);

    /// @notice Thrown when an index of a sparse sample is not above the one before it.
    /// @param item The item's index in the batch or array, from 0.
    /// @param index The index in the sample, from 0.
    /// @param feature The index of the feature.
    /// @param previous The index of the feature before it.
    error FeatureNotIncreasing(uint256 item, uint256 index, uint256 feature, uint256 previous);

    /// @notice Thrown when the last and largest index of a sparse sample is not a feature of the
    /// model.
    /// @param item The item's index in the batch or array, from 0.
    /// @param index The index in the sample, from 0.
    /// @param feature The index of the feature.
    /// @param features The number of features of the model.
    error FeatureOutOfRange(uint256 item, uint256 index, uint256 feature, uint256 features);

    /// @notice Thrown when a number of a dense sample is larger than the model learns from.
    /// @param item The item's index in the batch or array, from 0.
    /// @param feature The index of the first feature whose number is out of bounds, from 0.
    /// @param number The number.
    /// @param maximum The largest absolute value that the model learns from.
    error NumberTooLarge(uint256 item, uint256 feature, int256 number, uint256 maximum);

    /// @notice Thrown when the squared length of a dense sample is larger than the model learns
    /// from.
    /// @param item The item's index in the batch or array, from 0.
    /// @param squaredLength The sum of the squares of the sample's numbers.
    /// @param maximum The largest such sum that the model learns from.
    error SquaredLengthTooLarge(uint256 item, uint256 squaredLength, uint256 maximum);

    /// @dev The highest bit of each 16-bit lane.
    uint256 private constant HIGHEST = 0x8000800080008000800080008000800080008000800080008000800080008000;

    /// @dev Reverts unless the indices are whole, strictly increasing and below `features`.
    function requireSparse(uint256 item, bytes calldata sample, uint256 features) internal pure {
        uint256 length = sample.length;
        if (length % 2 != 0) revert OddSampleLength(item, length);
        if (length == 0) return;
        if (!increasing(sample)) revertNotIncreasing(item, sample);
        // The length is at least 2.
        unchecked {
            uint256 last = length / 2 - 1;
            uint256 feature = featureAt(sample, last);
            if (feature >= features) revert FeatureOutOfRange(item, last, feature, features);
        }
    }

    /// @dev Reverts unless the sample has `expected` bytes.
    function requireDense(uint256 item, bytes calldata sample, uint256 expected) internal pure {
        if (sample.length != expected) {
            revert WrongSampleLength(item, sample.length, expected);
        }
    }

    /// @dev Reverts unless the absolute value of each number in a dense sample is at most
    /// `maxNumber`. Also reverts unless the sum of their squares is at most `maxSquaredLength`.
    /// @param width The width of a number, in bytes: 2 or 4.
    /// @param maxNumber At most 2^31.
    function requireBounds(
        uint256 item,
        bytes calldata sample,
        uint256 width,
        uint256 maxNumber,
        uint256 maxSquaredLength
    ) internal pure {
        // A sample has fewer than 2^16 bytes: below 2^15 squares of at most 2^62 do not wrap.
        unchecked {
            uint256 bits = 8 * width;
            uint256 high = 256 - bits;
            uint256 maxSquare = maxNumber * maxNumber;
            uint256 squaredLength;
            uint256 over;
            for (uint256 offset; offset < sample.length; offset += 32) {
                uint256 numbers = numbersAt(sample, offset);
                // In assembly because this runs over every number of each lesson. An iteration
                // takes two numbers, because iterations are a third of the cost. A word has an even
                // number of them.
                assembly {
                    for {} numbers { numbers := shl(bits, numbers) } {
                        let value := sar(high, numbers)
                        let square := mul(value, value)
                        squaredLength := add(squaredLength, square)
                        over := or(over, gt(square, maxSquare))
                        numbers := shl(bits, numbers)
                        value := sar(high, numbers)
                        square := mul(value, value)
                        squaredLength := add(squaredLength, square)
                        over := or(over, gt(square, maxSquare))
                    }
                }
            }
            if (over != 0) revertNumberTooLarge(item, sample, width, maxNumber);
            if (squaredLength > maxSquaredLength) {
                revert SquaredLengthTooLarge(item, squaredLength, maxSquaredLength);
            }
        }
    }

    /// @dev Returns the numbers in 32 bytes of a dense sample, or in its shorter rest, the first
    /// one highest. There are zeros past the sample's end: they neither add to a sum nor move a
    /// weight.
    /// @param offset The offset, in bytes, below the sample's length.
    function numbersAt(bytes calldata sample, uint256 offset) internal pure returns (uint256 numbers) {
        assembly {
            numbers := calldataload(add(sample.offset, offset))
        }
        // The offset is below the length.
        unchecked {
            uint256 rest = sample.length - offset;
            if (rest < 32) numbers &= ~(type(uint256).max >> (8 * rest));
        }
    }

    /// @dev Returns the feature at an index of a sparse sample.
    /// @param index The index in the sample, from 0; it must lie within the sample.
    function featureAt(bytes calldata sample, uint256 index) internal pure returns (uint256 feature) {
        assembly {
            feature := shr(240, calldataload(add(sample.offset, shl(1, index))))
        }
    }

    /// @dev Copies a sparse sample to memory, for a walk over its features by words of 16 lanes.
    /// After the last index it writes one that belongs to another word. So the walk checks for the
    /// sample's end only at the end of a word.
    /// @return pointer The address of the first index.
    /// @return end The address after the last index.
    function terminated(bytes calldata sample) internal pure returns (uint256 pointer, uint256 end) {
        assembly ("memory-safe") {
            pointer := mload(0x40)
            end := add(pointer, sample.length)
            calldatacopy(pointer, sample.offset, sample.length)
            // The last index with all its bits flipped.
            mstore(end, not(mload(sub(end, 2))))
            mstore(0x40, add(end, 0x20))
        }
    }

    /// @dev Returns `true` if each index of a sparse sample is above the one before it. The sample
    /// must have at least one index. It compares 16 neighboring pairs at a time, because it runs
    /// before each prediction and each lesson. For that it compares a word of calldata with the
    /// word 2 bytes after it.
    function increasing(bytes calldata sample) internal pure returns (bool yes) {
        // Offsets in calldata are far below 2^64.
        unchecked {
            uint256 pairs = sample.length / 2 - 1;
            uint256 offset;
            assembly {
                offset := sample.offset
            }
            while (pairs != 0) {
                uint256 indices;
                uint256 nexts;
                // This may read past the sample's end; the code below shifts out the excess.
                assembly {
                    indices := calldataload(offset)
                    nexts := calldataload(add(offset, 2))
                }
                // The highest bit of a lane is 1 if the index's lower 15 bits are not below those
                // of the next one. That bit was set before, so no lane borrows from its neighbor.
                uint256 notBelow = (indices | HIGHEST) - (nexts & ~HIGHEST);
                // A pair does not increase if its highest bits fall, or if they are equal and the
                // lower bits do not increase.
                uint256 faults = (notBelow | indices ^ nexts) & ~(~indices & nexts) & HIGHEST;
                if (pairs < 16) return faults >> (256 - 16 * pairs) == 0;
                if (faults != 0) return false;
                pairs -= 16;
                offset += 32;
            }
            return true;
        }
    }

    /// @dev Reverts for the first index that is not above the one before it. The caller has made
    /// sure that there is one.
    function revertNotIncreasing(uint256 item, bytes calldata sample) private pure {
        // There is such a feature, and its index is at least 1.
        unchecked {
            uint256 index = 1;
            while (featureAt(sample, index) > featureAt(sample, index - 1)) ++index;
            revert FeatureNotIncreasing(item, index, featureAt(sample, index), featureAt(sample, index - 1));
        }
    }

    /// @dev Reverts for the first number that is too large. The caller has made sure that there is
    /// one.
    function revertNumberTooLarge(uint256 item, bytes calldata sample, uint256 width, uint256 maxNumber)
        private
        pure
    {
        // There is such a feature, and a number has at most 32 bits.
        unchecked {
            for (uint256 feature;; ++feature) {
                int256 value;
                assembly {
                    value := sar(
                        sub(256, shl(3, width)),
                        calldataload(add(sample.offset, mul(width, feature)))
                    )
                }
                if (uint256(value < 0 ? -value : value) > maxNumber) {
                    revert NumberTooLarge(item, feature, value, maxNumber);
                }
            }
        }
    }
}
