// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {LibBit} from "solady/utils/LibBit.sol";

import {DotProduct} from "./DotProduct.sol";
import {Memory} from "./Memory.sol";
import {Samples} from "./Samples.sol";
import {Rows, UpdateRows} from "./UpdateRows.sol";

/// @notice The shape of a softmax regression.
/// @dev Parameters are a row of weights for each class, then a bias for each class. A raw logit is
/// the sum of weight times feature, plus `maxFeature` times the bias.
struct Shape {
    uint256 classes;
    uint256 features;
    /// The largest feature, which is a power of two.
    uint256 maxFeature;
    /// The number of bits that a raw logit has below units of 1/16.
    uint256 shift;
}

/// @title SoftmaxLosses
/// @notice The losses of a model with updates, and with all updates but one, over the same samples.
/// @dev A sample is `label (uint8) | features (uint8 each)`. The logits of a coalition are those of
/// the base plus the floor of the mean of its updates' raw logits, so each update is evaluated once.
library SoftmaxLosses {
    /// @notice Thrown when samples are not whole, or there are none.
    /// @param length The length of the samples in bytes.
    /// @param size The length of one sample in bytes.
    error WrongSamplesLength(uint256 length, uint256 size);

    /// @notice Thrown when a sample has a label beyond the classes, or a feature above the maximum.
    /// @param sample The index of the sample, from 0.
    error SampleOutOfBounds(uint256 sample);

    /// @dev Number of bytes of spread features or weights for each begun group of 64: the eight words
    /// that `DotProduct.dot` takes at once. A word has eight slots, and a slot has room for the sum
    /// of a raw logit's terms.
    uint256 private constant GROUP_BYTES = 256;

    /// @dev Masks of the lowest 8 and 16 bits of each slot of 32 bits.
    uint256 private constant LOW_8 = 0x000000ff000000ff000000ff000000ff000000ff000000ff000000ff000000ff;
    uint256 private constant LOW_16 = 0x0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff;

    /// @dev A 1 in each slot.
    uint256 private constant ONES = 0x0000000100000001000000010000000100000001000000010000000100000001;

    /// @dev Width and bias of the base model's lanes: they have no guard.
    uint256 private constant BASE_WIDTH = 16;
    uint256 private constant BASE_BIAS = 0x8000;

    /// @dev The numbers `floor(65536 * 2^(k/16)) - 65536`, 16 bits each, that of k = 0 lowest.
    uint256 private constant POWERS = 0xea4ad581c199ae899c498ace7a116a095ab04bfd3dea306f2387172b0b550000;

    /// @dev Distances below the largest logit count up to 16 bits, in units of 1/16.
    uint256 private constant MAX_DISTANCE = 256;

    /// @dev The largest loss of a sample, in units of 1/256 bit.
    uint256 private constant MAX_LOSS = 1_536;

    /// @dev An evaluation: sizes in bytes, and addresses.
    struct Work {
        /// Size of the logits of one model: a word a class.
        uint256 size;
        uint256 shift;
        uint256 maxFeature;
        /// Size of the spread features of a sample, and of the spread weights of a class.
        uint256 spread;
        /// Size of a table: for each class its spread weights and a word for its bias.
        uint256 stride;
        /// The tables: that of the base, then that of each update.
        uint256 tables;
        /// The spread features of a sample: for weights of 16 bits, then for those of 8 bits.
        uint256 features;
        /// The raw logits of the base, of each update, and the sum over the updates.
        uint256 logits;
        /// A 0 for each class.
        uint256 zeros;
        /// The logits of a coalition, in units of 1/16.
        uint256 coalition;
        /// The numbers of `_writePowers`.
        uint256 powers;
        /// The sum that the biases of the weights add to each raw logit of the base, for the sample.
        uint256 added;
        /// The offset of the sample's class among the logits.
        uint256 label;
    }

    /// @dev Returns the losses of the base model, of the base with all updates, and of the base with
    /// all updates but each one, in units of 1/256 bit, summed over the samples.
    /// @param updates The updates, not biased; at least one.
    /// @param base The words of the base model.
    /// @param samples Samples within the bounds that `requireSamples` checks.
    function losses(Shape memory shape, Rows memory updates, uint256[] memory base, bytes calldata samples)
        internal
        pure
        returns (uint256[] memory sums)
    {
        sums = new uint256[](updates.count + 2);
        Work memory work = _prepare(shape, updates, base);
        uint256 size = shape.features + 1;
        for (uint256 from; from < samples.length; from += size) {
            bytes calldata sample = samples[from:from + size];
            _addLosses(work, updates.count, updates.width, sample, sums);
        }
    }

    /// @dev Allocates the work's memory and spreads all weights.
    function _prepare(Shape memory shape, Rows memory updates, uint256[] memory base)
        private
        pure
        returns (Work memory work)
    {
        uint256 n = updates.count;
        work.size = 32 * shape.classes;
        work.shift = shape.shift;
        work.maxFeature = shape.maxFeature;
        // Whole groups.
        // slither-disable-next-line divide-before-multiply
        work.spread = GROUP_BYTES * ((shape.features + 63) / 64);
        work.stride = shape.classes * (work.spread + 32);
        work.tables = Memory.free();
        work.features = work.tables + (n + 1) * work.stride;
        work.logits = work.features + 2 * work.spread;
        work.zeros = work.logits + (n + 2) * work.size;
        work.coalition = work.zeros + work.size;
        work.powers = work.coalition + work.size;
        Memory.restore(work.powers + 32 * (MAX_DISTANCE + 1));
        _writePowers(work.powers);
        uint256 zeros = work.zeros;
        uint256 size = work.size;
        uint256 source;
        assembly ("memory-safe") {
            // There is no calldata at its end, so this writes zeros.
            calldatacopy(zeros, calldatasize(), size)
            source := add(base, 0x20)
        }
        _spread(work, shape, source, BASE_WIDTH, BASE_BIAS, work.tables);
        for (uint256 i; i < n; ++i) {
            source = updates.start + i * updates.stride;
            uint256 bias = 1 << updates.width - 2;
            _spread(work, shape, source, updates.width, bias, work.tables + (i + 1) * work.stride);
        }
    }

    /// @dev Writes the table of a model's or an update's weights.
    /// @param source Address of its words.
    /// @param bias The number that is added to each weight, so that it is not negative.
    /// @param to Address of the table.
    function _spread(
        Work memory work,
        Shape memory shape,
        uint256 source,
        uint256 width,
        uint256 bias,
        uint256 to
    ) private pure {
        uint256 weights = shape.classes * shape.features;
        uint256 copy = Memory.free();
        _copyInOrder(source, UpdateRows.lengthOf(weights + shape.classes, width), copy, width, bias);
        uint256 biases = copy + weights * width / 8;
        uint256 row = shape.features * width / 8;
        for (uint256 class; class < shape.classes; ++class) {
            if (width == 8) _spread8(copy, to, work.spread);
            else _spread16(copy, to, work.spread);
            to += work.spread;
            uint256 factor = work.maxFeature;
            assembly ("memory-safe") {
                mstore(to, mul(factor, shr(sub(256, width), mload(biases))))
            }
            to += 32;
            copy += row;
            biases += width / 8;
        }
    }

    /// @dev Copies words so that their biased lanes follow each other in memory, and can be read from
    /// any of them on. Does not keep the memory.
    function _copyInOrder(uint256 from, uint256 length, uint256 to, uint256 width, uint256 bias)
        private
        pure
    {
        uint256 biases = DotProduct.ones(width) * bias;
        for (uint256 end = from + length; from < end; from += 32) {
            uint256 word;
            assembly ("memory-safe") {
                word := mload(from)
            }
            word = LibBit.reverseBytes(word ^ biases);
            // The two bytes of a lane keep their order.
            if (width == 16) {
                uint256 low = word & (DotProduct.ones(16) * 0xff);
                word = (word ^ low) >> 8 | low << 8;
            }
            assembly ("memory-safe") {
                mstore(to, word)
            }
            to += 32;
        }
    }

    /// @dev Spreads lanes of 8 bits. The features past the last one are 0, so what is read past a
    /// row's end does not count.
    function _spread8(uint256 from, uint256 to, uint256 size) private pure {
        assembly ("memory-safe") {
            for { let end := add(to, size) } lt(to, end) { to := add(to, 0x80) } {
                let word := mload(from)
                mstore(to, and(word, LOW_8))
                mstore(add(to, 0x20), and(shr(8, word), LOW_8))
                mstore(add(to, 0x40), and(shr(16, word), LOW_8))
                mstore(add(to, 0x60), and(shr(24, word), LOW_8))
                from := add(from, 0x20)
            }
        }
    }

    /// @dev Spreads lanes of 16 bits, as `_spread8` does with 8.
    function _spread16(uint256 from, uint256 to, uint256 size) private pure {
        assembly ("memory-safe") {
            for { let end := add(to, size) } lt(to, end) { to := add(to, 0x40) } {
                let word := mload(from)
                mstore(to, and(word, LOW_16))
                mstore(add(to, 0x20), and(shr(16, word), LOW_16))
                from := add(from, 0x20)
            }
        }
    }

    /// @dev Spreads a sample's features with slots in the opposite order, for weights of either width.
    /// @return sum The sum of the features.
    function _spreadFeatures(Work memory work, bytes calldata sample) private pure returns (uint256 sum) {
        bytes calldata features = sample[1:];
        uint256 to = work.features;
        uint256 spread = work.spread;
        uint256 slots;
        for (uint256 offset; offset < spread / 4; offset += 32) {
            uint256 word = offset < features.length ? Samples.numbersAt(features, offset) : 0;
            uint256 first = DotProduct.reverse(UpdateRows.widen(word >> 128), 8);
            uint256 second = DotProduct.reverse(UpdateRows.widen(word), 8);
            word = DotProduct.reverse(word, 8);
            assembly ("memory-safe") {
                mstore(to, and(first, LOW_16))
                mstore(add(to, 0x20), and(shr(16, first), LOW_16))
                mstore(add(to, 0x40), and(second, LOW_16))
                mstore(add(to, 0x60), and(shr(16, second), LOW_16))
                let next := add(to, spread)
                mstore(next, and(word, LOW_8))
                mstore(add(next, 0x20), and(shr(8, word), LOW_8))
                mstore(add(next, 0x40), and(shr(16, word), LOW_8))
                mstore(add(next, 0x60), and(shr(24, word), LOW_8))
                slots := add(slots, add(mload(next), mload(add(next, 0x20))))
                slots := add(slots, add(mload(add(next, 0x40)), mload(add(next, 0x60))))
                to := add(to, 0x80)
            }
        }
        // A slot has room for the sum of all features.
        unchecked {
            return slots * ONES >> 224;
        }
    }

    /// @dev Adds the losses of one sample.
    function _addLosses(
        Work memory work,
        uint256 n,
        uint256 width,
        bytes calldata sample,
        uint256[] memory sums
    ) private pure {
        // Raw logits have at most 32 bits, and losses fewer.
        unchecked {
            uint256 terms = _spreadFeatures(work, sample) + work.maxFeature;
            _writeLogits(work, n, width);
            work.label = 32 * uint256(uint8(sample[0]));
            uint256 zeros = work.zeros;
            work.added = BASE_BIAS * terms;
            uint256 loss = _loss(work, zeros, zeros, 1);
            sums[0] += loss;
            // A mean has the bias of one update.
            work.added += (1 << width - 2) * terms;
            if (n == 1) sums[2] += loss;
            _addLossesWith(work, n, sums);
        }
    }

    /// @dev Adds the losses with all updates, and with all but each one of several.
    function _addLossesWith(Work memory work, uint256 n, uint256[] memory sums) private pure {
        // As in `_addLosses`.
        unchecked {
            uint256 logits = work.logits + work.size;
            uint256 totals = logits + n * work.size;
            sums[1] += _loss(work, totals, work.zeros, n);
            // Without the only update, the base is left.
            if (n == 1) return;
            for (uint256 i; i < n; ++i) {
                sums[2 + i] += _loss(work, totals, logits, n - 1);
                logits += work.size;
            }
        }
    }

    /// @dev Writes the raw logits of the base, of each update, and their sums over the updates.
    function _writeLogits(Work memory work, uint256 n, uint256 width) private pure {
        // Addresses and raw logits are far below 2^256.
        unchecked {
            uint256 features = work.features;
            uint256 table = work.tables;
            uint256 to = work.logits;
            uint256 totals = to + (n + 1) * work.size;
            uint256 size = work.size;
            _dots(work, features, table, to, work.coalition);
            assembly ("memory-safe") {
                calldatacopy(totals, calldatasize(), size)
            }
            if (width == 8) features += work.spread;
            for (uint256 i; i < n; ++i) {
                table += work.stride;
                to += size;
                _dots(work, features, table, to, totals);
            }
        }
    }

    /// @dev Writes the raw logits of one table, and adds them to totals.
    function _dots(Work memory work, uint256 features, uint256 table, uint256 to, uint256 totals)
        private
        pure
    {
        // As in `_writeLogits`.
        unchecked {
            uint256 spread = work.spread;
            for (uint256 end = to + work.size; to < end; to += 32) {
                uint256 logit = DotProduct.dot(features, features + spread, table, 8);
                assembly ("memory-safe") {
                    table := add(table, spread)
                    logit := add(logit, mload(table))
                    table := add(table, 0x20)
                    mstore(to, logit)
                    mstore(totals, add(mload(totals), logit))
                    totals := add(totals, 0x20)
                }
            }
        }
    }

    /// @dev Returns the loss of a coalition for the sample's label.
    /// @param totals Address of the sums of the raw logits.
    /// @param without Address of the raw logits that are taken away from them.
    /// @param count The number of updates in the coalition.
    function _loss(Work memory work, uint256 totals, uint256 without, uint256 count)
        private
        pure
        returns (uint256)
    {
        uint256 largest = _writeCoalition(work, totals, without, count);
        uint256 logits = work.coalition;
        uint256 label = logits + work.label;
        uint256 end = logits + work.size;
        uint256 powers = work.powers;
        uint256 sum;
        uint256 own;
        assembly ("memory-safe") {
            for {} lt(logits, end) { logits := add(logits, 0x20) } {
                let distance := sub(largest, mload(logits))
                if gt(distance, MAX_DISTANCE) { distance := MAX_DISTANCE }
                sum := add(sum, mload(add(powers, shl(5, distance))))
            }
            let distance := sub(largest, mload(label))
            if gt(distance, MAX_DISTANCE) { distance := MAX_DISTANCE }
            own := mload(add(powers, shl(5, distance)))
        }
        // No power is 0. The quotient is at least 2^32 and its logarithm 8,192.
        unchecked {
            uint256 bits = _logarithm((sum << 32) / own) - 8_192;
            return bits < MAX_LOSS ? bits : MAX_LOSS;
        }
    }

    /// @dev Writes the logits of a coalition in units of 1/16, and returns the largest one.
    function _writeCoalition(Work memory work, uint256 totals, uint256 without, uint256 count)
        private
        pure
        returns (uint256 largest)
    {
        uint256 base = work.logits;
        uint256 shift = work.shift;
        uint256 added = work.added;
        uint256 to = work.coalition;
        uint256 size = work.size;
        assembly ("memory-safe") {
            // The smallest number in two's complement.
            largest := shl(255, 1)
            for { let at := 0 } lt(at, size) { at := add(at, 0x20) } {
                let logit := div(sub(mload(add(totals, at)), mload(add(without, at))), count)
                logit := sar(shift, sub(add(logit, mload(add(base, at))), added))
                mstore(add(to, at), logit)
                if sgt(logit, largest) { largest := logit }
            }
        }
    }

    /// @dev Writes 2^-(d/16) in units of 1/65536 for each distance d: a number of the table, by the
    /// rest of d to whole bits, shifted by those.
    function _writePowers(uint256 to) private pure {
        assembly ("memory-safe") {
            for { let d := 0 } iszero(gt(d, MAX_DISTANCE)) { d := add(d, 1) } {
                let power := add(0x10000, and(shr(shl(4, and(sub(0, d), 15)), POWERS), 0xffff))
                mstore(add(to, shl(5, d)), shr(shr(4, add(d, 15)), power))
            }
        }
    }

    /// @dev Returns the floor of 256 log2(x), or one less, by squaring a mantissa with 63 bits after
    /// the point.
    /// @param x Between 1 and 2^64 - 1.
    function _logarithm(uint256 x) private pure returns (uint256 result) {
        result = LibBit.fls(x);
        // The whole part is at most 63.
        unchecked {
            x <<= 63 - result;
        }
        assembly {
            for { let i := 0 } lt(i, 2) { i := add(i, 1) } {
                x := shr(63, mul(x, x))
                result := or(shl(1, result), shr(64, x))
                x := shr(shr(64, x), x)
                x := shr(63, mul(x, x))
                result := or(shl(1, result), shr(64, x))
                x := shr(shr(64, x), x)
                x := shr(63, mul(x, x))
                result := or(shl(1, result), shr(64, x))
                x := shr(shr(64, x), x)
                x := shr(63, mul(x, x))
                result := or(shl(1, result), shr(64, x))
                x := shr(shr(64, x), x)
            }
        }
    }

    /// @dev Reverts unless there are whole samples whose labels and features are within bounds.
    function requireSamples(Shape memory shape, bytes calldata samples) internal pure {
        uint256 size = shape.features + 1;
        if (samples.length == 0 || samples.length % size != 0) {
            revert WrongSamplesLength(samples.length, size);
        }
        for (uint256 from; from < samples.length; from += size) {
            if (!_isWithin(shape, samples[from:from + size])) revert SampleOutOfBounds(from / size);
        }
    }

    /// @dev Returns `true` if the label is one of the classes, and no feature is above the maximum.
    function _isWithin(Shape memory shape, bytes calldata sample) private pure returns (bool) {
        uint256 most = shape.maxFeature;
        uint256 over;
        assembly {
            let end := add(sample.offset, sample.length)
            for { let at := add(sample.offset, 1) } lt(at, end) { at := add(at, 1) } {
                over := or(over, gt(byte(0, calldataload(at)), most))
            }
        }
        return over == 0 && uint8(sample[0]) < shape.classes;
    }
}
