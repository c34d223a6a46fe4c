// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {FloatQuotient, Quotient} from "../../src/libraries/FloatQuotient.sol";
import {Test} from "../base/Test.sol";

/// @notice Long products, and the comparison of their quotients.
contract FloatQuotientTest is Test {
    /// @dev A product without truncation is exact.
    function testFuzz_multiply_isExactBelowTruncation(uint256 mantissa, uint64 factor) external pure {
        mantissa = bound(mantissa, 1, (1 << 192) - 1);
        (uint256 product, uint256 exponent) = FloatQuotient.multiply(mantissa, 128, factor);
        uint256 exact = mantissa * factor;
        bool shifted = exact >= 1 << 192;
        assertEq(product, shifted ? exact >> 64 : exact, "mantissa");
        assertEq(exponent, shifted ? 192 : 128, "exponent");
    }

    function testFuzz_normalize_keepsValue(uint256 mantissa, uint32 exponent) external pure {
        mantissa = bound(mantissa, 1, (1 << 192) - 1);
        (uint256 normal, int256 normalExponent) = FloatQuotient.normalize(mantissa, exponent);
        assertEq(normal >> 127, 1, "128 bits");
        int256 shift = normalExponent - int256(uint256(exponent));
        assertEq(normal, shift < 0 ? mantissa << uint256(-shift) : mantissa >> uint256(shift), "value");
    }

    /// @dev Quotients of small numbers can be compared exactly, because 2^-109 is far below their
    /// smallest difference.
    function testFuzz_exceeds_matchesExactQuotients(uint64 a, uint64 b, uint64 c, uint64 d, uint8 shift)
        external
        pure
    {
        vm.assume(a != 0 && b != 0 && c != 0 && d != 0);
        uint256 exponent = bound(shift, 0, 100);
        Quotient memory left = quotient(a, exponent, b, 0);
        Quotient memory right = quotient(c, 0, d, 0);
        bool expected = (uint256(a) * d << exponent) > uint256(c) * b;
        assertTrue(FloatQuotient.exceeds(left, right) == expected, "exceeds");
        if (expected) assertTrue(!FloatQuotient.exceeds(right, left), "not both");
    }

    function test_exceeds_isFalseIfEqual() external pure {
        // 1/3 and 3/9, and the same with exponents that are far apart.
        assertTrue(!FloatQuotient.exceeds(quotient(1, 0, 3, 0), quotient(3, 0, 9, 0)), "1/3 > 3/9");
        assertTrue(!FloatQuotient.exceeds(quotient(3, 0, 9, 0), quotient(1, 0, 3, 0)), "3/9 > 1/3");
        assertTrue(
            !FloatQuotient.exceeds(quotient(1, 64_000, 3, 64_000), quotient(3, 0, 9, 0)), "with exponents"
        );
    }

    function test_exceeds_comparesFarApart() external pure {
        assertTrue(FloatQuotient.exceeds(quotient(1, 64_000, 1, 0), quotient(1, 0, 1, 64_000)), "huge");
        assertTrue(!FloatQuotient.exceeds(quotient(1, 0, 1, 64_000), quotient(1, 64_000, 1, 0)), "tiny");
    }

    /// @dev Compares quotients just below and just above the tolerance of 2^-110.
    function test_exceeds_keepsTolerance() external pure {
        Quotient memory one = quotient(1, 0, 1, 0);
        Quotient memory above = quotient(1, 0, 1, 0);
        above.numerator = (1 << 127) + (1 << 17);
        assertTrue(!FloatQuotient.exceeds(above, one), "a tie at 2^-110");
        above.numerator += 1;
        assertTrue(FloatQuotient.exceeds(above, one), "no tie above");
    }

    /// @dev For the largest products, the tolerance must saturate and not wrap.
    function test_exceeds_saturatesTolerance() external pure {
        Quotient memory max = Quotient(type(uint128).max, 0, type(uint128).max, 0);
        assertTrue(!FloatQuotient.exceeds(max, max), "equal");
    }

    function quotient(uint256 a, uint256 aExponent, uint256 b, uint256 bExponent)
        private
        pure
        returns (Quotient memory result)
    {
        (result.numerator, result.numeratorExponent) = FloatQuotient.normalize(a, aExponent);
        (result.denominator, result.denominatorExponent) = FloatQuotient.normalize(b, bExponent);
    }
}
