//! One number that the contract of a mechanism is created with, and its bounds.

use crate::ContractError;

/// Unit of a term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Money.
    Wei,
    /// Time.
    Seconds,
    /// A plain number.
    Count,
}

/// One number that a contract is created with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term {
    /// Name of the contract's getter, and of the number in its errors.
    pub name: &'static str,
    /// Unit of the number.
    pub unit: Unit,
    /// Smallest number.
    pub least: u128,
    /// Largest number of bits.
    pub bits: u32,
    /// Meaning for people: a noun phrase.
    pub meaning: &'static str,
}

impl Term {
    /// Checks the bounds of a value.
    ///
    /// # Errors
    /// [`ContractError::InvalidParameter`].
    pub fn validate(&self, value: u128) -> Result<(), ContractError> {
        if value < self.least || value.checked_shr(self.bits).unwrap_or(0) != 0 {
            return Err(ContractError::InvalidParameter {
                name: self.name,
                value,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validate_holds_a_term_to_its_bounds() {
        let term = Term {
            name: "stake",
            unit: Unit::Wei,
            least: 1,
            bits: 8,
            meaning: "a stake",
        };
        for (value, fits) in [(0, false), (1, true), (255, true), (256, false)] {
            assert_eq!(term.validate(value).is_ok(), fits, "{value}");
        }
    }
}
