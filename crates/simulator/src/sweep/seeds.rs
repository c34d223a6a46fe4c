//! Seeds of a sweep.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Ranges of seeds, in the order given. Each seed occurs once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Seeds(Vec<(u64, u64)>);

/// Reason why a text is no list of seeds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SeedsError {
    /// The text is neither a number nor a range.
    #[error("`{0}` is no seed; write 7, 1..200 (both included), or several with commas: 1..50,77")]
    Form(String),
    /// The end of a range lies before its beginning.
    #[error("`{0}` ends before it begins")]
    Backwards(String),
    /// A seed occurs twice.
    #[error("`{0}` has seeds that were named before; name each once")]
    Twice(String),
}

impl Seeds {
    /// Returns the number of seeds, at most `u64::MAX`.
    #[must_use]
    pub fn count(&self) -> u64 {
        let lengths = self
            .0
            .iter()
            .map(|(first, last)| (last - first).saturating_add(1));
        lengths.fold(0, u64::saturating_add)
    }

    /// Returns `true` if `self` contains all seeds of `others`.
    #[must_use]
    pub fn include(&self, others: &Self) -> bool {
        let mut mine = self.0.clone();
        mine.sort_unstable();
        // Adjacent ranges become one.
        let mut joined: Vec<(u64, u64)> = Vec::new();
        for (first, last) in mine {
            match joined.last_mut() {
                Some((_, end)) if end.checked_add(1) == Some(first) => *end = last,
                _ => joined.push((first, last)),
            }
        }
        others.0.iter().all(|(first, last)| {
            joined
                .iter()
                .any(|(low, high)| low <= first && last <= high)
        })
    }

    /// Returns the seed at an index. Indices beyond the last start over.
    #[must_use]
    pub fn get(&self, index: u64) -> u64 {
        let mut left = index % self.count();
        for (first, last) in &self.0 {
            if left <= last - first {
                return first + left;
            }
            left -= last - first + 1;
        }
        unreachable!("an index below the sum of all lengths lies in a range")
    }
}

impl FromStr for Seeds {
    type Err = SeedsError;

    /// Parses `7`, `1..200` (both included), or several of them with commas between.
    fn from_str(text: &str) -> Result<Self, SeedsError> {
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        for part in text.split(',').map(str::trim) {
            let form = |_| SeedsError::Form(part.to_owned());
            let (first, last) = part.split_once("..").unwrap_or((part, part));
            let first = first.trim().parse().map_err(form)?;
            let last = last.trim().parse().map_err(form)?;
            if last < first {
                return Err(SeedsError::Backwards(part.to_owned()));
            }
            if ranges
                .iter()
                .any(|(low, high)| first <= *high && *low <= last)
            {
                return Err(SeedsError::Twice(part.to_owned()));
            }
            ranges.push((first, last));
        }
        Ok(Self(ranges))
    }
}

impl fmt::Display for Seeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (first, last)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            if first == last {
                write!(f, "{comma}{first}")?;
            } else {
                write!(f, "{comma}{first}..{last}")?;
            }
        }
        Ok(())
    }
}

impl TryFrom<String> for Seeds {
    type Error = SeedsError;

    fn try_from(text: String) -> Result<Self, SeedsError> {
        text.parse()
    }
}

impl From<Seeds> for String {
    fn from(seeds: Seeds) -> Self {
        seeds.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn include_knows_seeds_in_any_order_and_form() {
        let include = |all: &str, some: &str| {
            let seeds = |text: &str| text.parse::<Seeds>().expect("seeds");
            seeds(all).include(&seeds(some))
        };
        for (all, some) in [
            ("1..4", "1..3"),
            ("5,1..4", "2..5"),
            ("3,1,2", "1..3"),
            ("7", "7"),
        ] {
            assert!(include(all, some), "{some} of {all}");
        }
        for (all, some) in [
            ("1..3", "1..4"),
            ("1..2,4", "1..4"),
            ("2..9", "1"),
            ("7", "1,7"),
        ] {
            assert!(!include(all, some), "{some} of {all}");
        }
        assert!(include("0..18446744073709551615", "18446744073709551615"));
    }

    #[test]
    fn seeds_of_ranges_and_lists_come_once_each_and_in_order() {
        let seeds: Seeds = " 3..5, 9,1..2".parse().expect("seeds");
        assert_eq!(seeds.count(), 6);
        let all: Vec<_> = (0..6).map(|index| seeds.get(index)).collect();
        assert_eq!(all, [3, 4, 5, 9, 1, 2]);
        assert_eq!(seeds.to_string(), "3..5,9,1..2");
        assert_eq!(seeds.to_string().parse(), Ok(seeds));
        let all: Seeds = format!("0..{}", u64::MAX).parse().expect("seeds");
        assert_eq!((all.count(), all.get(7)), (u64::MAX, 7));
    }

    #[test]
    fn seeds_refuse_a_text_that_names_none_and_say_what_does() {
        for (text, wanted) in [
            ("", "`` is no seed"),
            ("1-3", "`1-3` is no seed"),
            ("1..", "`1..` is no seed"),
            ("-1", "`-1` is no seed"),
            ("5..4", "`5..4` ends before it begins"),
            ("1..5,5..6", "`5..6` has seeds that were named before"),
        ] {
            let said = text.parse::<Seeds>().expect_err(text).to_string();
            assert!(said.starts_with(wanted), "{said}");
        }
    }
}
