// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {LibBit} from "solady/utils/LibBit.sol";

/// @notice A quotient of two positive numbers `mantissa * 2^exponent`. Both mantissas have exactly
/// 128 bits.
struct Quotient {
    uint256 numerator;
    int256 numeratorExponent;
    uint256 denominator;
    int256 denominatorExponent;
}

/// @title FloatQuotient
/// @notice Long products as floating-point numbers, and the comparison of their quotients.
/// @dev Each truncation loses less than 2^-127 of a value; ADR 001 gives the consequences.
library FloatQuotient {
    /// @dev Multiplies `mantissa * 2^exponent` by a factor.
    /// @param mantissa Below 2^192.
    /// @param factor Below 2^64.
    /// @return The new mantissa, again below 2^192, and its exponent.
    function multiply(uint256 mantissa, uint256 exponent, uint256 factor)
        internal
        pure
        returns (uint256, uint256)
    {
        // The product is below 2^256; exponents grow by at most 64 a factor. The code has no
        // branches, because this is the innermost step of naive Bayes. The shift is 64 if the
        // product has reached 2^192, else 0.
        assembly {
            mantissa := mul(mantissa, factor)
            let shift := shl(6, gt(mantissa, 0xffffffffffffffffffffffffffffffffffffffffffffffff))
            mantissa := shr(shift, mantissa)
            exponent := add(exponent, shift)
        }
        return (mantissa, exponent);
    }

    /// @dev Normalizes a mantissa to exactly 128 bits, dropping low bits.
    /// @param mantissa From 1 to 2^192 - 1.
    function normalize(uint256 mantissa, uint256 exponent) internal pure returns (uint256, int256) {
        // The highest bit is one of 0..191, and an exponent is at most 64 times the number of
        // factors. So casts keep the values and nothing wraps.
        unchecked {
            int256 shift = int256(LibBit.fls(mantissa)) - 127;
            mantissa = shift < 0 ? mantissa << uint256(-shift) : mantissa >> uint256(shift);
            return (mantissa, int256(exponent) + shift);
        }
    }

    /// @dev Returns `true` if `a` exceeds `b` by more than truncation can explain.
    function exceeds(Quotient memory a, Quotient memory b) internal pure returns (bool) {
        // Products of 128-bit numbers and sums of small exponents cannot wrap. Only the sum with
        // the tolerance could, so it saturates. A shift by 256 or more gives 0 in the EVM, as it
        // should.
        unchecked {
            uint256 left = a.numerator * b.denominator;
            uint256 right = b.numerator * a.denominator;
            int256 difference =
                a.numeratorExponent + b.denominatorExponent - b.numeratorExponent - a.denominatorExponent;
            if (difference < 0) left >>= uint256(-difference);
            else right >>= uint256(difference);
            uint256 threshold = right + (right >> 110);
            if (threshold < right) threshold = type(uint256).max;
            return left > threshold;
        }
    }
}
