//! Batcher's merge-exchange networks, which sort the lanes of many words at once.

use super::Width;

/// Comparison of two columns: the smaller numbers go to the lower one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exchange {
    /// Column that gets the smaller numbers.
    pub low: usize,
    /// Column that gets the larger numbers.
    pub high: usize,
}

/// Network of exchanges over a power of two of columns.
///
/// It is Algorithm M of Knuth, The Art of Computer Programming, volume 3, section 5.2.2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    columns: usize,
    exchanges: Vec<Exchange>,
}

impl Network {
    /// Creates the network that sorts so many columns, rounded up to a power of two and at least 2.
    #[must_use]
    pub fn sorting(columns: usize) -> Self {
        let columns = columns.max(2).next_power_of_two();
        let mut exchanges = Vec::new();
        let top = columns / 2;
        let mut step = top;
        while step > 0 {
            let (mut width, mut rest, mut distance) = (top, 0, step);
            loop {
                for low in (0..columns - distance).filter(|low| low & step == rest) {
                    let high = low + distance;
                    exchanges.push(Exchange { low, high });
                }
                if width == step {
                    break;
                }
                (distance, width, rest) = (width - step, width / 2, step);
            }
            step /= 2;
        }
        Self { columns, exchanges }
    }

    /// Returns the network without the exchanges that none of the outputs `first..=last` depends on.
    #[must_use]
    pub fn pruned(&self, first: usize, last: usize) -> Self {
        let mut needed: Vec<bool> = (0..self.columns)
            .map(|column| (first..=last).contains(&column))
            .collect();
        let mut kept: Vec<Exchange> = self
            .exchanges
            .iter()
            .rev()
            .filter(|exchange| {
                let keep = needed[exchange.low] || needed[exchange.high];
                if keep {
                    needed[exchange.low] = true;
                    needed[exchange.high] = true;
                }
                keep
            })
            .copied()
            .collect();
        kept.reverse();
        Self {
            columns: self.columns,
            exchanges: kept,
        }
    }

    /// Returns the number of columns.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Returns the exchanges in their order.
    #[must_use]
    pub fn exchanges(&self) -> &[Exchange] {
        &self.exchanges
    }

    /// Applies the exchanges to words of biased lanes with clear guard bits, a word a column.
    pub(super) fn apply(&self, width: Width, words: &mut [u64]) {
        let guards = guards(width);
        let shift = width.bits() - 1;
        for &Exchange { low, high } in &self.exchanges {
            let (a, b) = (words[low], words[high]);
            // A lane of `a` with its guard bit set minus one of `b` keeps the bit if a >= b.
            let swapped = ((a | guards) - b) & guards;
            let mask = swapped - (swapped >> shift);
            let flips = (a ^ b) & mask;
            words[low] = a ^ flips;
            words[high] = b ^ flips;
        }
    }
}

/// Returns a word whose lanes have only the guard bit set.
pub(super) fn guards(width: Width) -> u64 {
    match width {
        Width::Eight => 0x8080_8080_8080_8080,
        Width::Sixteen => 0x8000_8000_8000_8000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorting_and_pruned_have_the_known_numbers_of_exchanges() {
        for (columns, all, median) in [(4, 5, 5), (8, 19, 17), (16, 63, 53), (32, 191, 157)] {
            let network = Network::sorting(columns);
            assert_eq!(network.exchanges().len(), all);
            let middle = network.pruned(columns / 2 - 1, columns / 2);
            assert_eq!(middle.exchanges().len(), median);
        }
        for (cut, trimmed) in [(3, 61), (4, 61), (5, 57), (6, 57)] {
            let network = Network::sorting(16).pruned(cut, 15 - cut);
            assert_eq!(network.exchanges().len(), trimmed, "{cut}");
        }
    }

    /// Tests all inputs of zeros and ones: a network that sorts them sorts everything.
    #[test]
    fn sorting_sorts_all_zeros_and_ones() {
        for columns in [2, 4, 8, 16] {
            let network = Network::sorting(columns);
            for bits in 0_u64..1 << columns {
                let mut words: Vec<u64> = (0..columns).map(|it| (bits >> it) & 1).collect();
                network.apply(Width::Sixteen, &mut words);
                assert!(words.is_sorted(), "{columns} columns, {bits:b}");
            }
        }
    }
}
