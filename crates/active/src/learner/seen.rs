//! Classes of the labeled rows, and the probability of the others.

use serde::{Deserialize, Serialize};

use super::checks::MAX_NUMBERS;
use crate::numbers::float;

/// Classes that labeled rows have, and the probability that is left for the others.
///
/// A model knows nothing of a class without a label.
/// Such a class gets the probability that Laplace's rule of succession gives it, `1 / (n + k)` after
/// `n` labels of `k` classes.
/// The model's own probabilities share the rest.
/// So after one label of ten, its class has 2/11 and each other one 1/11.
/// Once all classes have a label, the probabilities are the model's own.
/// The most probable class is always one with a label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Seen {
    /// Classes with a label, rising.
    classes: Vec<usize>,
    /// Number of all classes.
    all: usize,
    /// Number of labels.
    labels: usize,
}

impl Seen {
    /// Returns the state before the first label.
    pub(crate) fn none(all: usize) -> Self {
        Self {
            classes: Vec::new(),
            all,
            labels: 0,
        }
    }

    /// Returns the classes of labels, each of which is below `all`.
    pub(crate) fn of(labels: &[usize], all: usize) -> Self {
        let mut is_seen = vec![false; all];
        for &label in labels {
            is_seen[label] = true;
        }
        let classes = (0..all).filter(|&class| is_seen[class]).collect();
        Self {
            classes,
            all,
            labels: labels.len(),
        }
    }

    /// Checks that the classes rise and that no more have a label than there are labels.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        let rises = self.classes.is_sorted_by(|left, right| left < right);
        let fits = self.classes.last().is_none_or(|&last| last < self.all);
        let counts =
            self.classes.len() <= self.labels && (self.labels == 0) == self.classes.is_empty();
        let is_read = rises && fits && counts && self.labels <= MAX_NUMBERS;
        is_read
            .then_some(())
            .ok_or("the classes with a label do not fit the number of labels")
    }

    /// Returns the classes with a label, rising.
    pub(crate) fn classes(&self) -> &[usize] {
        &self.classes
    }

    /// Returns the number of all classes.
    pub(crate) fn all(&self) -> usize {
        self.all
    }

    /// Returns labels as indices of the classes that have one.
    pub(crate) fn indices(&self, labels: &[usize]) -> Vec<usize> {
        let mut index = vec![0; self.all];
        for (at, &class) in self.classes.iter().enumerate() {
            index[class] = at;
        }
        labels.iter().map(|&label| index[label]).collect()
    }

    /// Returns the probability of each class without a label.
    pub(crate) fn unseen(&self) -> f64 {
        1.0 / float(self.labels + self.all)
    }

    /// Returns the share that the probabilities of the seen classes have together.
    pub(crate) fn share(&self) -> f64 {
        if self.classes.len() == self.all {
            return 1.0;
        }
        float(self.labels + self.classes.len()) / float(self.labels + self.all)
    }

    /// Writes the probabilities of all classes, given those of the seen ones.
    pub(crate) fn spread(&self, seen: &[f64], all: &mut [f64]) {
        if self.classes.len() == self.all {
            all.copy_from_slice(seen);
            return;
        }
        all.fill(self.unseen());
        let share = self.share();
        for (&class, probability) in self.classes.iter().zip(seen) {
            all[class] = share * probability;
        }
    }
}

// Exact numbers are meant.
#[cfg(test)]
#[allow(clippy::float_cmp)]
mod tests {
    use super::*;

    #[test]
    fn spread_leaves_unseen_classes_their_share() {
        let mut all = [0.0; 3];
        Seen::none(3).spread(&[], &mut all);
        assert_eq!(all, [1.0 / 3.0; 3]);
        Seen::of(&[1], 3).spread(&[1.0], &mut all);
        assert_eq!(all, [0.25, 0.5, 0.25]);
        Seen::of(&[1, 0, 1], 3).spread(&[0.25, 0.75], &mut all);
        let share = 5.0 / 6.0;
        assert_eq!(all, [share * 0.25, share * 0.75, 1.0 / 6.0]);
        Seen::of(&[1, 0, 2], 3).spread(&[0.5, 0.25, 0.25], &mut all);
        assert_eq!(all, [0.5, 0.25, 0.25]);
    }

    #[test]
    fn indices_count_seen_classes() {
        let seen = Seen::of(&[7, 2, 7, 9], 10);
        assert_eq!(seen.classes(), [2, 7, 9]);
        assert_eq!(seen.indices(&[7, 2, 9]), [1, 0, 2]);
    }
}
