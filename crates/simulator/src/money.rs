//! Money of scenarios: conversion of units to wei.

/// Wei in one unit of a scenario's money.
pub const UNIT: u128 = 1_000_000_000_000_000_000;

/// Returns the wei in `units` units, to the nearest millionth of a unit; 0 if the number is
/// negative.
#[must_use]
pub(crate) fn units(units: f64) -> u128 {
    to_integer(units.max(0.0) * 1e6) * (UNIT / 1_000_000)
}

/// Returns the nearest integer to a number that the caller knows to be in [0, 2^64).
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub(crate) fn to_integer(value: f64) -> u128 {
    // Truncation after adding a half rounds. The caller guarantees sign and range.
    (value + 0.5) as u128
}
