//! Split of examples among clients.

use std::{fmt, str::FromStr};

use super::chance::Chance;

/// Minimum number of examples of a client. A split with fewer is drawn anew.
const LEAST: usize = 10;

/// Maximum number of draws. After them, the last draw counts.
const DRAWS: usize = 1_000;

/// Way to split examples among clients.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Split {
    /// Equal parts of all examples in random order.
    Iid,
    /// Shares of each class by a symmetric Dirichlet distribution with this parameter.
    Dirichlet(f64),
}

impl fmt::Display for Split {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Iid => formatter.write_str("iid"),
            Self::Dirichlet(alpha) => write!(formatter, "dirichlet:{alpha}"),
        }
    }
}

impl FromStr for Split {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let alpha = text
            .strip_prefix("dirichlet:")
            .and_then(|alpha| alpha.parse::<f64>().ok())
            .filter(|alpha| (0.01..=1_000.0).contains(alpha));
        match (text, alpha) {
            ("iid", _) => Ok(Self::Iid),
            (_, Some(alpha)) => Ok(Self::Dirichlet(alpha)),
            _ => Err(format!(
                "unknown split `{text}`, expected `iid` or `dirichlet:` with a number from 0.01 to 1000"
            )),
        }
    }
}

impl Split {
    /// Returns the indices of each client's examples.
    pub(super) fn draw(
        self,
        labels: &[u16],
        clients: usize,
        chance: &mut Chance,
    ) -> Vec<Vec<usize>> {
        let mut parts = vec![Vec::new(); clients];
        let least = LEAST.min(labels.len() / clients.max(1));
        for _ in 0..DRAWS {
            parts = self.draw_once(labels, clients, chance);
            if parts.iter().all(|part| part.len() >= least) {
                break;
            }
        }
        parts
    }

    fn draw_once(self, labels: &[u16], clients: usize, chance: &mut Chance) -> Vec<Vec<usize>> {
        let mut parts = vec![Vec::new(); clients];
        let mut order: Vec<usize> = (0..labels.len()).collect();
        chance.shuffle(&mut order);
        let Self::Dirichlet(alpha) = self else {
            for (at, index) in order.into_iter().enumerate() {
                parts[at % clients].push(index);
            }
            return parts;
        };
        let classes = labels.iter().max().map_or(0, |most| most + 1);
        for class in 0..classes {
            let shares = chance.dirichlet(alpha, clients);
            let of_class: Vec<usize> = order
                .iter()
                .copied()
                .filter(|&index| labels[index] == class)
                .collect();
            // Counts are far below 2^52, and an end is at most the count.
            #[allow(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss
            )]
            let end_of = |share: f64| (share * of_class.len() as f64).round() as usize;
            let (mut start, mut sum) = (0, 0.0);
            for (client, share) in shares.iter().enumerate() {
                sum += share;
                let end = if client + 1 == clients {
                    of_class.len()
                } else {
                    end_of(sum)
                };
                let end = end.clamp(start, of_class.len());
                parts[client].extend(&of_class[start..end]);
                start = end;
            }
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draw_gives_each_example_to_one_client() {
        let labels: Vec<u16> = (0..1_000).map(|index| index % 10).collect();
        for split in [Split::Iid, Split::Dirichlet(0.5)] {
            let parts = split.draw(&labels, 16, &mut Chance::new(1, 0));
            let mut all: Vec<usize> = parts.concat();
            all.sort_unstable();
            assert!(all.into_iter().eq(0..1_000));
            assert!(parts.iter().all(|part| part.len() >= LEAST));
            let most = parts.iter().map(Vec::len).max().expect("some");
            assert_eq!(most < 64, split == Split::Iid, "{split}: {most}");
            assert_eq!(split.to_string().parse(), Ok(split));
        }
        for text in ["", "dirichlet", "dirichlet:0", "dirichlet:NaN", "Iid"] {
            assert!(text.parse::<Split>().is_err(), "{text}");
        }
    }
}
