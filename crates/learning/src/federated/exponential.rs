//! Powers of 2 of our own: those of platforms differ in the last bit.

use std::f64::consts::LN_2;

/// Exponents below this give 0.
const LOWEST: f64 = -64.0;

/// Number of terms of the series after the first.
const TERMS: u32 = 12;

/// Returns `2^x` for `x` of at most 0, with a relative error below 1e-14; 0 below -64.
///
/// It halves a sum of powers of the fraction, in a fixed order.
/// So other languages with IEEE numbers give the same bits.
#[must_use]
pub fn exp2(x: f64) -> f64 {
    // This is also false if `x` is no number.
    if !(LOWEST..=0.0).contains(&x) {
        return if x > 0.0 { 1.0 } else { 0.0 };
    }
    let whole = (x + 0.5).floor();
    let power = (x - whole) * LN_2;
    let mut sum = 1.0;
    let mut term = f64::from(TERMS);
    while term > 0.0 {
        sum = 1.0 + sum * power / term;
        term -= 1.0;
    }
    let mut halvings = -whole;
    while halvings > 0.0 {
        sum *= 0.5;
        halvings -= 1.0;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp2_is_near_the_platforms() {
        for step in 0..6_400 {
            let x = -f64::from(step) / 100.0;
            let expected = x.exp2();
            assert!((exp2(x) / expected - 1.0).abs() < 1e-14, "{x}");
        }
        assert_eq!(exp2(0.0).to_bits(), 1.0_f64.to_bits());
        assert_eq!(exp2(-3.0).to_bits(), 0.125_f64.to_bits());
        for (x, expected) in [
            (-64.1, 0.0),
            (f64::NEG_INFINITY, 0.0),
            (f64::NAN, 0.0),
            (0.1, 1.0),
        ] {
            assert_eq!(exp2(x).to_bits(), f64::to_bits(expected), "{x}");
        }
    }
}
