// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {LibSort} from "solady/utils/LibSort.sol";

import {Rule} from "../../src/libraries/Aggregation.sol";
import {Shape} from "../../src/libraries/SoftmaxLosses.sol";

/// @notice Updates of federated rounds: their bytes, and the rules over single values.
library Updates {
    /// @dev Packs values as an update of 8 or 16 bits a lane.
    function encode(int256[] memory values, uint256 width) internal pure returns (bytes memory data) {
        uint256[] memory packed = new uint256[]((values.length * width + 255) / 256);
        uint256 lanes = 256 / width;
        for (uint256 i; i < values.length; ++i) {
            uint256 value = uint256(values[i]) & ((1 << width - 1) - 1);
            packed[i / lanes] |= value << width * (i % lanes);
        }
        return abi.encodePacked(packed);
    }

    /// @dev Packs values as the words of a model.
    function words(int256[] memory values) internal pure returns (uint256[] memory packed) {
        packed = new uint256[]((values.length + 15) / 16);
        for (uint256 i; i < values.length; ++i) {
            packed[i / 16] |= uint256(uint16(int16(values[i]))) << 16 * (i % 16);
        }
    }

    function encodeAll(int256[][] memory updates, uint256 width) internal pure returns (bytes memory data) {
        for (uint256 i; i < updates.length; ++i) {
            data = bytes.concat(data, encode(updates[i], width));
        }
    }

    /// @dev Draws values, many of them equal or at the bounds.
    function random(uint256 seed, uint256 n, uint256 parameters, uint256 width)
        internal
        pure
        returns (int256[][] memory updates)
    {
        int256 most = int256((1 << width - 2) - 1);
        updates = new int256[][](n);
        for (uint256 i; i < n; ++i) {
            updates[i] = new int256[](parameters);
            for (uint256 j; j < parameters; ++j) {
                uint256 draw = uint256(keccak256(abi.encode(seed, i, j)));
                if (draw % 8 == 0) updates[i][j] = most;
                else if (draw % 8 == 1) updates[i][j] = -most;
                else if (draw % 8 < 4) updates[i][j] = int256((draw >> 8) % 5) - 2;
                else updates[i][j] = int256((draw >> 8) % uint256(2 * most + 1)) - most;
            }
        }
    }

    /// @dev Returns the biased value of a lane in memory.
    function laneAt(uint256 row, uint256 index, uint256 width) internal pure returns (uint256) {
        uint256 lanes = 256 / width;
        uint256 word;
        assembly ("memory-safe") {
            word := mload(add(row, mul(0x20, div(index, lanes))))
        }
        return word >> width * (index % lanes) & ((1 << width) - 1);
    }

    /// @dev Applies a rule to each parameter alone.
    function aggregate(Rule rule, int256[][] memory updates, uint256 f)
        internal
        pure
        returns (int256[] memory result)
    {
        uint256 n = updates.length;
        uint256 chosen = rule == Rule.MultiKrum ? krum(updates, f) : (1 << n) - 1;
        result = new int256[](updates[0].length);
        for (uint256 j; j < result.length; ++j) {
            int256[] memory values = new int256[](n);
            uint256 k;
            for (uint256 i; i < n; ++i) {
                if (chosen >> i & 1 == 1) values[k++] = updates[i][j];
            }
            (uint256 from, uint256 to) = (0, k);
            if (rule != Rule.Mean && rule != Rule.MultiKrum) {
                LibSort.insertionSort(values);
                (from, to) = rule == Rule.Median ? ((n - 1) / 2, n / 2 + 1) : (f, n - f);
            }
            int256 sum;
            for (uint256 i = from; i < to; ++i) {
                sum += values[i];
            }
            result[j] = floorDiv(sum, int256(to - from));
        }
    }

    /// @dev Returns the updates that Multi-Krum takes, as bits.
    function krum(int256[][] memory updates, uint256 f) internal pure returns (uint256 chosen) {
        uint256 n = updates.length;
        uint256[] memory scores = new uint256[](n);
        for (uint256 i; i < n; ++i) {
            uint256[] memory others = new uint256[](n - 1);
            uint256 k;
            for (uint256 j; j < n; ++j) {
                if (j != i) others[k++] = distance(updates[i], updates[j]);
            }
            LibSort.insertionSort(others);
            for (k = 0; k < n - f - 2; ++k) {
                scores[i] += others[k];
            }
        }
        for (uint256 taken; taken < n - f; ++taken) {
            uint256 best = n;
            for (uint256 i; i < n; ++i) {
                if (chosen >> i & 1 == 0 && (best == n || scores[i] < scores[best])) best = i;
            }
            chosen |= 1 << best;
        }
    }

    function distance(int256[] memory first, int256[] memory second) internal pure returns (uint256 sum) {
        for (uint256 j; j < first.length; ++j) {
            int256 difference = first[j] - second[j];
            sum += uint256(difference * difference);
        }
    }

    function floorDiv(int256 value, int256 divisor) internal pure returns (int256 quotient) {
        quotient = value / divisor;
        if (value % divisor < 0) --quotient;
    }

    /// @dev Returns the losses of a base, with all updates, and with all but each one, by the scalar
    /// rules.
    function losses(Shape memory shape, int256[] memory base, int256[][] memory updates, bytes memory samples)
        internal
        pure
        returns (uint256[] memory sums)
    {
        uint256 n = updates.length;
        sums = new uint256[](n + 2);
        uint256 size = shape.features + 1;
        for (uint256 from; from < samples.length; from += size) {
            uint256 label = uint8(samples[from]);
            int256[] memory own = logits(shape, base, samples, from);
            int256[][] memory each = new int256[][](n);
            for (uint256 i; i < n; ++i) {
                each[i] = logits(shape, updates[i], samples, from);
            }
            sums[0] += loss(shape, own, each, type(uint256).max, 0, label);
            sums[1] += loss(shape, own, each, type(uint256).max, n, label);
            for (uint256 i; i < n; ++i) {
                sums[2 + i] += loss(shape, own, each, i, n - 1, label);
            }
        }
    }

    /// @dev Returns the raw logits of one sample.
    function logits(Shape memory shape, int256[] memory weights, bytes memory samples, uint256 from)
        internal
        pure
        returns (int256[] memory raw)
    {
        raw = new int256[](shape.classes);
        for (uint256 class; class < shape.classes; ++class) {
            raw[class] = int256(shape.maxFeature) * weights[shape.classes * shape.features + class];
            for (uint256 j; j < shape.features; ++j) {
                raw[class] += weights[class * shape.features + j]
                * int256(uint256(uint8(samples[from + 1 + j])));
            }
        }
    }

    /// @dev Returns the loss of a coalition of `count` updates: all but `left`.
    function loss(
        Shape memory shape,
        int256[] memory base,
        int256[][] memory each,
        uint256 left,
        uint256 count,
        uint256 label
    ) internal pure returns (uint256) {
        int256[] memory z = new int256[](shape.classes);
        int256 largest = type(int256).min;
        for (uint256 class; class < shape.classes; ++class) {
            int256 sum;
            for (uint256 i; i < each.length; ++i) {
                if (i != left) sum += each[i][class];
            }
            int256 mean = count == 0 ? int256(0) : floorDiv(sum, int256(count));
            z[class] = floorDiv(base[class] + mean, int256(1 << shape.shift));
            if (z[class] > largest) largest = z[class];
        }
        uint256 all;
        uint256 own;
        for (uint256 class; class < shape.classes; ++class) {
            int256 below = z[class] - largest;
            uint256 e = power(below < -256 ? int256(-256) : below);
            all += e;
            if (class == label) own = e;
        }
        uint256 result = logarithm((all << 32) / own) - 8_192;
        return result < 1_536 ? result : 1_536;
    }

    /// @dev Returns 2^(z/16) in units of 1/65536.
    function power(int256 z) private pure returns (uint256) {
        uint24[16] memory powers = [
            65_536,
            68_437,
            71_467,
            74_631,
            77_935,
            81_386,
            84_989,
            88_752,
            92_681,
            96_785,
            101_070,
            105_545,
            110_217,
            115_097,
            120_193,
            125_514
        ];
        int256 whole = floorDiv(z, 16);
        return powers[uint256(z - 16 * whole)] >> uint256(-whole);
    }

    function logarithm(uint256 x) private pure returns (uint256 result) {
        uint256 top;
        while (x >> top > 1) ++top;
        result = 256 * top;
        uint256 mantissa = x << 63 - top;
        for (uint256 worth = 128; worth > 0; worth /= 2) {
            mantissa = mantissa * mantissa / (1 << 63);
            if (mantissa >= 1 << 64) {
                result += worth;
                mantissa /= 2;
            }
        }
    }
}
