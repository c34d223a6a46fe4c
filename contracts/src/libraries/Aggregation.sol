// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {DotProduct} from "./DotProduct.sol";
import {MultiKrum} from "./MultiKrum.sol";
import {SortingNetwork} from "./SortingNetwork.sol";
import {Rows, UpdateRows} from "./UpdateRows.sol";

/// @notice The rule by which a round makes one update of many.
enum Rule {
    /// The mean of all updates: a reference, which a single update can move at will.
    Mean,
    /// The middle value of each parameter; of two, the floor of their mean.
    Median,
    /// The mean of each parameter without its `f` lowest and `f` highest values.
    TrimmedMean,
    /// The mean of the `n - f` updates that are closest to the others.
    MultiKrum
}

/// @title Aggregation
/// @notice The aggregation rules over rows of lanes. All divisions are floors.
library Aggregation {
    /// @dev Maximum number of updates: sums and quotients of so many fit into their slots.
    uint256 internal constant MAX_UPDATES = 32;

    /// @dev A division of packed sums by multiplying with a reciprocal.
    struct Divisor {
        /// Mask of the sums that are divided at once, each in a slot of four lanes.
        uint256 slots;
        /// Mask of the quotients in these slots.
        uint256 values;
        uint256 reciprocal;
        uint256 shift;
        /// Distance of two sums, in bits.
        uint256 double;
    }

    /// @dev Returns the minimum number of updates for a rule, if `f` of them may be bad.
    function minimum(Rule rule, uint256 f) internal pure returns (uint256) {
        if (rule == Rule.Mean) return 1;
        return rule == Rule.MultiKrum ? 2 * f + 3 : 2 * f + 1;
    }

    /// @dev Returns the aggregate in words of biased lanes. Changes the rows. The caller has checked
    /// the number of rows.
    function aggregate(Rule rule, Rows memory rows, uint256 f) internal pure returns (uint256[] memory) {
        uint256 n = rows.count;
        if (rule == Rule.Mean || rule == Rule.MultiKrum) {
            UpdateRows.biasAll(rows);
            return mean(rows, rule == Rule.Mean ? (1 << n) - 1 : MultiKrum.select(rows, f));
        }
        if (rule == Rule.Median) f = (n - 1) / 2;
        SortingNetwork.sort(rows, f, n - f - 1);
        return mean(rows, ((1 << n - f) - 1) & ~((1 << f) - 1));
    }

    /// @dev Returns the floor of the mean of the chosen rows, whose lanes are biased.
    /// @param chosen The indices of the rows, as bits; at least one.
    function mean(Rows memory rows, uint256 chosen) internal pure returns (uint256[] memory words) {
        uint256[] memory addresses = new uint256[](rows.count);
        uint256 k;
        for (uint256 i; i < rows.count; ++i) {
            if (chosen >> i & 1 == 1) addresses[k++] = rows.start + i * rows.stride;
        }
        words = new uint256[](rows.length / 32);
        if (k == 1) _copy(addresses[0], words);
        else if (k == 2) _meanOfTwo(addresses[0], addresses[1], words, rows.width);
        else _mean(addresses, k, words, rows.width);
    }

    function _copy(uint256 from, uint256[] memory words) private pure {
        assembly ("memory-safe") {
            mcopy(add(words, 0x20), from, shl(5, mload(words)))
        }
    }

    /// @dev Writes the floor of the mean of two rows: what both have, and half of what one has.
    function _meanOfTwo(uint256 first, uint256 second, uint256[] memory words, uint256 width) private pure {
        // The bit that leaves a lane lands on the guard of the next one.
        uint256 values = ~(DotProduct.ones(width) << (width - 1));
        assembly ("memory-safe") {
            let to := add(words, 0x20)
            for { let end := add(to, shl(5, mload(words))) } lt(to, end) { to := add(to, 0x20) } {
                let a := mload(first)
                let b := mload(second)
                mstore(to, add(and(a, b), and(shr(1, xor(a, b)), values)))
                first := add(first, 0x20)
                second := add(second, 0x20)
            }
        }
    }

    /// @dev Writes the floor of the mean of the first `k` rows of a list.
    function _mean(uint256[] memory addresses, uint256 k, uint256[] memory words, uint256 width)
        private
        pure
    {
        // Two lanes have room for a sum.
        uint256 pair = DotProduct.ones(2 * width) * ((1 << width) - 1);
        Divisor memory divisor = _divisor(k, width);
        for (uint256 i; i < words.length; ++i) {
            (uint256 even, uint256 odd) = _sums(addresses, k, 32 * i, pair, width);
            words[i] = _divided(even, divisor) | _divided(odd, divisor) << width;
        }
    }

    /// @dev Returns the sums of the even and of the odd lanes of a word of the first `k` rows.
    /// @param offset The offset of the word in its row, in bytes.
    function _sums(uint256[] memory addresses, uint256 k, uint256 offset, uint256 pair, uint256 width)
        private
        pure
        returns (uint256 even, uint256 odd)
    {
        assembly ("memory-safe") {
            let at := add(addresses, 0x20)
            for { let end := add(at, shl(5, k)) } lt(at, end) { at := add(at, 0x20) } {
                let word := mload(add(mload(at), offset))
                even := add(even, and(word, pair))
                odd := add(odd, and(shr(width, word), pair))
            }
        }
    }

    /// @dev Returns what divides sums of `k` values by `k`: `x * ceil(2^s / k) >> s` is the floor of
    /// x / k for all these sums x, if s is 17 for values of 7 bits, and 25 for 15 bits.
    function _divisor(uint256 k, uint256 width) private pure returns (Divisor memory divisor) {
        uint256 shift = width + 9;
        divisor.slots = DotProduct.ones(4 * width) * ((1 << 2 * width) - 1);
        divisor.values = DotProduct.ones(4 * width) * ((1 << width - 1) - 1);
        divisor.reciprocal = ((1 << shift) + k - 1) / k;
        divisor.shift = shift;
        divisor.double = 2 * width;
    }

    /// @dev Divides the sums in a word, each two lanes wide.
    function _divided(uint256 sums, Divisor memory divisor) private pure returns (uint256) {
        // A product fits into a slot of four lanes.
        unchecked {
            uint256 double = divisor.double;
            uint256 low = (sums & divisor.slots) * divisor.reciprocal >> divisor.shift;
            uint256 high = (sums >> double & divisor.slots) * divisor.reciprocal >> divisor.shift;
            return low & divisor.values | (high & divisor.values) << double;
        }
    }
}
