// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {LibSort} from "solady/utils/LibSort.sol";

import {DotProduct} from "./DotProduct.sol";
import {Memory} from "./Memory.sol";
import {Rows} from "./UpdateRows.sol";

/// @title MultiKrum
/// @notice Selects the updates that are closest to the others (Blanchard et al., 2017).
library MultiKrum {
    /// @dev Number of words of a row that are spread at once: memory costs more than its size.
    uint256 private constant BLOCK = 32 * 32;

    /// @dev Returns the `n - f` rows with the lowest scores, as bits. A score is the sum of the
    /// `n - f - 2` smallest squared distances to other rows. Of equal scores, the lower index wins.
    /// @dev Needs n > 2f + 2, and biased lanes.
    function select(Rows memory rows, uint256 f) internal pure returns (uint256 chosen) {
        uint256 n = rows.count;
        uint256[] memory products = _products(rows);
        uint256[] memory scores = new uint256[](n);
        uint256[] memory others = new uint256[](n - 1);
        for (uint256 i; i < n; ++i) {
            uint256 k;
            for (uint256 j; j < n; ++j) {
                if (j == i) continue;
                uint256 product = i < j ? products[i * n + j] : products[j * n + i];
                others[k++] = products[i * n + i] + products[j * n + j] - 2 * product;
            }
            LibSort.insertionSort(others);
            uint256 score;
            for (k = 0; k < n - f - 2; ++k) {
                score += others[k];
            }
            // With its index below it, each score is another number.
            scores[i] = score << 8 | i;
        }
        LibSort.insertionSort(scores);
        for (uint256 i; i < n - f; ++i) {
            chosen |= 1 << (scores[i] & 0xff);
        }
    }

    /// @dev Returns the dot products of all pairs of rows: that of `i` and `j`, `i <= j`, at index
    /// `i * n + j`. The bias of the lanes cancels in distances, as do the lanes past a row's length.
    function _products(Rows memory rows) private pure returns (uint256[] memory products) {
        products = new uint256[](rows.count * rows.count);
        // Two areas of spread words: in order, and reversed.
        uint256 size = DotProduct.GROUPS * (rows.stride < BLOCK ? rows.stride : BLOCK);
        uint256 area = Memory.free();
        Memory.restore(area + 2 * rows.count * size);
        for (uint256 offset; offset < rows.stride; offset += BLOCK) {
            uint256 length = rows.stride - offset < BLOCK ? rows.stride - offset : BLOCK;
            for (uint256 i; i < rows.count; ++i) {
                uint256 from = rows.start + i * rows.stride + offset;
                DotProduct.spread(from, from + length, area + i * size, rows.width);
                DotProduct.spreadReversed(from, from + length, area + (rows.count + i) * size, rows.width);
            }
            _addProducts(products, rows, area, size, DotProduct.GROUPS * length);
        }
        Memory.restore(area);
    }

    /// @dev Adds the products of one block of all rows.
    function _addProducts(
        uint256[] memory products,
        Rows memory rows,
        uint256 area,
        uint256 size,
        uint256 length
    ) private pure {
        uint256 n = rows.count;
        uint256 width = rows.width;
        // Addresses and sums are far below 2^256.
        unchecked {
            for (uint256 i; i < n; ++i) {
                uint256 first = area + i * size;
                for (uint256 j = i; j < n; ++j) {
                    products[i * n + j] += DotProduct.dot(first, first + length, area + (n + j) * size, width);
                }
            }
        }
    }
}
