//! Binary trees of splits, whose leaves give numbers to classes.

use serde::{Deserialize, Serialize};
use zeroize::Zeroize as _;

use super::checks::LARGEST;
use crate::numbers::index;

/// Index that marks a leaf instead of a feature.
const LEAF: u32 = u32::MAX;

/// Node of a tree.
///
/// The left child of a split is the next node, so every child comes after its parent.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Node {
    /// Index of the feature of a split; `LEAF` for a leaf.
    feature: u32,
    /// Index of the right child of a split; index of a leaf among the leaves.
    next: u32,
    /// Largest value that goes left.
    threshold: f64,
}

/// Tree: nodes from the root on, and the numbers of its leaves.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub(crate) struct Tree {
    nodes: Vec<Node>,
    /// End of each leaf's numbers.
    ends: Vec<u32>,
    /// Classes and their numbers, leaf after leaf.
    numbers: Vec<(u32, f64)>,
}

/// Node as others see it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Step<'a> {
    /// Goes left if a feature's value is at most the threshold.
    Split {
        feature: usize,
        threshold: f64,
        left: usize,
        right: usize,
    },
    /// Gives numbers to classes, and 0 to all others.
    Leaf(&'a [(u32, f64)]),
}

impl Tree {
    /// Returns a tree without nodes, with room for them and for the numbers of leaves.
    ///
    /// A vector that outgrows its room leaves thresholds behind.
    pub(super) fn with_room(nodes: usize, numbers: usize) -> Self {
        Self {
            nodes: Vec::with_capacity(nodes),
            ends: Vec::new(),
            numbers: Vec::with_capacity(numbers),
        }
    }

    /// Adds a split whose left child is added next. Returns its index.
    pub(super) fn split(&mut self, feature: usize, threshold: f64) -> usize {
        self.nodes.push(Node {
            feature: index(feature),
            next: LEAF,
            threshold,
        });
        self.nodes.len() - 1
    }

    /// Makes the node that is added next the right child of a split.
    pub(super) fn turn_right(&mut self, split: usize) {
        self.nodes[split].next = index(self.nodes.len());
    }

    /// Adds a leaf.
    pub(super) fn leaf(&mut self, numbers: impl IntoIterator<Item = (usize, f64)>) {
        self.nodes.push(Node {
            feature: LEAF,
            next: index(self.ends.len()),
            threshold: 0.0,
        });
        let numbers = numbers.into_iter();
        self.numbers
            .extend(numbers.map(|(class, number)| (index(class), number)));
        self.ends.push(index(self.numbers.len()));
    }

    /// Returns the number of nodes.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Returns a node.
    pub(crate) fn step(&self, at: usize) -> Step<'_> {
        let node = self.nodes[at];
        if node.feature == LEAF {
            return Step::Leaf(self.numbers_of(node.next as usize));
        }
        Step::Split {
            feature: node.feature as usize,
            threshold: node.threshold,
            left: at + 1,
            right: node.next as usize,
        }
    }

    /// Returns the numbers of the leaf that a row reaches.
    pub(crate) fn answer(&self, row: &[f64]) -> &[(u32, f64)] {
        let mut at = 0;
        loop {
            let node = self.nodes[at];
            if node.feature == LEAF {
                return self.numbers_of(node.next as usize);
            }
            at = if row[node.feature as usize] <= node.threshold {
                at + 1
            } else {
                node.next as usize
            };
        }
    }

    fn numbers_of(&self, leaf: usize) -> &[(u32, f64)] {
        let start = leaf.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.numbers[start as usize..self.ends[leaf] as usize]
    }

    /// Returns `true` if all features and classes are below these numbers.
    pub(super) fn fits(&self, features: usize, classes: usize) -> bool {
        let splits = self.nodes.iter().filter(|node| node.feature != LEAF);
        let mut numbers = self.numbers.iter();
        splits
            .map(|node| node.feature as usize)
            .all(|it| it < features)
            && numbers.all(|&(class, _)| (class as usize) < classes)
    }
}

impl Drop for Tree {
    /// Overwrites thresholds, which lie between values of rows, and the numbers of leaves.
    fn drop(&mut self) {
        for node in &mut self.nodes {
            node.threshold.zeroize();
        }
        for (_, number) in &mut self.numbers {
            number.zeroize();
        }
    }
}

/// Tree as it is written: `[feature, threshold, right child]` for a split, `[[class, number], …]`
/// for a leaf.
#[derive(Serialize, Deserialize)]
struct Written(Vec<WrittenNode>);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum WrittenNode {
    Split(u32, f64, u32),
    Leaf(Vec<(u32, f64)>),
}

impl From<Tree> for Written {
    fn from(tree: Tree) -> Self {
        let written = (0..tree.len()).map(|at| match (tree.step(at), tree.nodes[at]) {
            (Step::Split { .. }, node) => {
                WrittenNode::Split(node.feature, node.threshold, node.next)
            }
            (Step::Leaf(numbers), _) => WrittenNode::Leaf(numbers.to_vec()),
        });
        Self(written.collect())
    }
}

impl TryFrom<Written> for Tree {
    type Error = &'static str;

    fn try_from(Written(written): Written) -> Result<Self, Self::Error> {
        let count = written.len();
        let numbers = written.iter().map(|node| match node {
            WrittenNode::Split(..) => 0,
            WrittenNode::Leaf(numbers) => numbers.len(),
        });
        let mut tree = Self::with_room(count, numbers.sum());
        for (at, node) in written.into_iter().enumerate() {
            match node {
                WrittenNode::Split(feature, threshold, right) => {
                    let is_after = right as usize > at + 1 && (right as usize) < count;
                    if feature == LEAF || !is_after || !threshold.is_finite() {
                        return Err("a split's right child must come after its left one");
                    }
                    tree.nodes.push(Node {
                        feature,
                        next: right,
                        threshold,
                    });
                }
                WrittenNode::Leaf(numbers) => {
                    // Sums of larger numbers would not be finite.
                    if !numbers.iter().all(|(_, number)| number.abs() <= LARGEST) {
                        return Err("a leaf's numbers must be at most 1e100 in size");
                    }
                    tree.leaf(numbers.iter().map(|&(class, it)| (class as usize, it)));
                }
            }
        }
        match tree.nodes.last() {
            Some(last) if last.feature == LEAF => Ok(tree),
            _ => Err("a tree must end with a leaf"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Tree {
        let mut tree = Tree::default();
        let root = tree.split(1, 0.5);
        tree.leaf([(0, 1.0)]);
        tree.turn_right(root);
        let right = tree.split(0, -1.0);
        tree.leaf([(1, 0.25), (2, 0.75)]);
        tree.turn_right(right);
        tree.leaf([]);
        tree
    }

    #[test]
    fn answer_follows_the_splits() {
        let tree = tree();
        assert_eq!(tree.answer(&[0.0, 0.5]), [(0, 1.0)]);
        assert_eq!(tree.answer(&[-1.0, 0.6]), [(1, 0.25), (2, 0.75)]);
        assert!(tree.answer(&[0.0, 0.6]).is_empty());
        assert!(tree.fits(2, 3) && !tree.fits(1, 3) && !tree.fits(2, 2));
    }

    #[test]
    fn tree_is_the_same_after_json() {
        let text = serde_json::to_string(&tree()).expect("JSON");
        assert_eq!(
            text,
            "[[1,0.5,2],[[0,1.0]],[0,-1.0,4],[[1,0.25],[2,0.75]],[]]"
        );
        assert_eq!(serde_json::from_str::<Tree>(&text).expect("a tree"), tree());
    }

    #[test]
    fn tree_refuses_nodes_that_lead_nowhere() {
        for text in [
            "[]",
            "[[0,0.5,1]]",
            "[[0,0.5,1],[]]",
            "[[0,0.5,0],[],[]]",
            "[[0,0.5,3],[],[]]",
            "[[0,0.5,2],[],[0,0.5,9]]",
            "[[4294967295,0.5,2],[],[]]",
            "[[-1,0.5,2],[],[]]",
            "[[[0,null]]]",
        ] {
            assert!(serde_json::from_str::<Tree>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn tree_is_read_with_bounded_numbers_alone() {
        let written = |number| Written(vec![WrittenNode::Leaf(vec![(0, number)])]);
        assert!(Tree::try_from(written(LARGEST)).is_ok());
        for number in [1e101, -1e101, f64::INFINITY, f64::NAN] {
            assert!(Tree::try_from(written(number)).is_err(), "{number}");
        }
    }
}
