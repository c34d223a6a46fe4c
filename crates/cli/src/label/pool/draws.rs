//! Random choices of rows, which follow from a seed alone, so that a run goes on as it began.

use alloy_primitives::{B256, keccak256};

/// Returns rows in an order that follows from the seed and the purpose.
pub(super) fn shuffled(rows: &[usize], seed: u64, purpose: &str) -> Vec<usize> {
    let key = |row: usize| -> B256 {
        let numbers = [seed.to_be_bytes(), (row as u64).to_be_bytes()];
        keccak256([purpose.as_bytes(), numbers.concat().as_slice()].concat())
    };
    let mut keyed: Vec<(B256, usize)> = rows.iter().map(|&row| (key(row), row)).collect();
    keyed.sort_unstable();
    keyed.into_iter().map(|(_, row)| row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shuffled_is_another_order_for_each_seed_and_purpose() {
        let rows: Vec<usize> = (0..50).collect();
        let first = shuffled(&rows, 1, "a");
        assert_eq!(shuffled(&rows, 1, "a"), first);
        assert_ne!(shuffled(&rows, 2, "a"), first);
        assert_ne!(shuffled(&rows, 1, "b"), first);
        // The order of some rows is that of all, without the others.
        let odd: Vec<usize> = rows.iter().copied().filter(|row| row % 2 == 1).collect();
        let expected: Vec<usize> = first.into_iter().filter(|row| row % 2 == 1).collect();
        assert_eq!(shuffled(&odd, 1, "a"), expected);
    }
}
