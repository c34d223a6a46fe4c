//! Parts of a sweep, for several processes or machines.

use std::str::FromStr;

/// Every `of`-th run, beginning with the `number`-th.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shard {
    /// Number of the part, from 1 to `of`.
    pub(super) number: u64,
    pub(super) of: u64,
}

impl Shard {
    /// The whole sweep.
    pub(super) const WHOLE: Self = Self { number: 1, of: 1 };

    /// Returns `true` if the run belongs to this part.
    pub(super) fn has(self, run: u64) -> bool {
        run % self.of == self.number - 1
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/');
        let numbers = parts.and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        match numbers {
            Some((number, of)) if (1..=of).contains(&number) => Ok(Self { number, of }),
            _ => Err(
                "expected a part and the number of parts, counted from 1, such as 2/8".to_owned(),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shard_counts_parts_from_one_and_shares_the_runs() {
        let shard: Shard = "2/3".parse().expect("a part");
        assert_eq!(
            (0..9).filter(|run| shard.has(*run)).collect::<Vec<_>>(),
            [1, 4, 7]
        );
        assert!((0..9).all(|run| Shard::WHOLE.has(run)));
        for text in ["0/3", "4/3", "3", "a/b", "1/0", "-1/3"] {
            text.parse::<Shard>().expect_err(text);
        }
    }
}
