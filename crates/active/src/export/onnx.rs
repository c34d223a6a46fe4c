//! Learners as ONNX graphs.
//!
//! A graph takes `rows` (`n x features`, 64-bit floats), and gives `label` and `probabilities`.
//! All numbers have 64 bits, since thresholds of 32 bits would send some rows another way.
//! Sums over trees alone have 32 bits, as ONNX has no others.
//! A product spreads the probabilities of the classes with a label to all classes.
//! A temperature divides their logarithms at the end, as `Temperature::apply` does.

use super::protobuf::Message;
use crate::calibration::{LEAST, Temperature};
use crate::learner::boosted::Boosted;
use crate::learner::forest::Forest;
use crate::learner::logistic::Logistic;
use crate::learner::seen::Seen;
use crate::learner::tree::{Step, Tree};
use crate::numbers::float;

/// Version of the format, of 2021.
const IR_VERSION: u64 = 8;

/// Version of the general operators, of 2021.
const OPERATORS: u64 = 15;

/// Version of the operators of trees, the first one with thresholds of 64 bits.
const TREE_OPERATORS: u64 = 3;

/// Domain of the operators of trees.
const TREES: &str = "ai.onnx.ml";

/// Type of 64-bit floats.
const DOUBLE: u64 = 11;

/// Type of 64-bit integers.
const INT64: u64 = 7;

/// Graph that gives `shares` of the classes with a label.
pub(super) struct Graph<'a> {
    seen: &'a Seen,
    /// Factor of the shares, which then sum to 1.
    factor: f64,
    nodes: Vec<Message>,
    /// Constant arrays.
    initial: Vec<Message>,
    features: usize,
}

/// Returns logistic regression as a graph: a product, then the exponentials' shares.
pub(super) fn logistic<'a>(model: &Logistic, seen: &'a Seen) -> Graph<'a> {
    let classes = seen.classes();
    let weights: Vec<f64> = classes
        .iter()
        .flat_map(|&class| model.row(class))
        .copied()
        .collect();
    let intercepts: Vec<f64> = classes
        .iter()
        .map(|&class| model.intercepts()[class])
        .collect();
    let features = weights.len() / classes.len();
    let nodes = vec![
        node(
            "Gemm",
            &["rows", "weights", "intercepts"],
            "scores",
            [integer("transB", 1)],
        ),
        softmax("scores", "shares"),
    ];
    let initial = vec![
        tensor("weights", &[classes.len(), features], &weights),
        tensor("intercepts", &[classes.len()], &intercepts),
    ];
    Graph {
        seen,
        factor: 1.0,
        nodes,
        initial,
        features,
    }
}

/// Returns a forest as a graph: the sum of the leaves' shares, then their mean.
pub(super) fn forest<'a>(model: &Forest, seen: &'a Seen, features: usize) -> Graph<'a> {
    let nodes = vec![
        trees(model.trees(), seen.classes().len()),
        node("Cast", &["sums"], "shares", [integer("to", DOUBLE)]),
    ];
    Graph {
        seen,
        factor: 1.0 / float(model.trees().len()),
        nodes,
        initial: Vec::new(),
        features,
    }
}

/// Returns boosted trees as a graph: the sum of the leaves' numbers, then the exponentials' shares.
pub(super) fn boosted<'a>(model: &Boosted, seen: &'a Seen, features: usize) -> Graph<'a> {
    let base = tensor("base", &[seen.classes().len()], model.base());
    let mut nodes = Vec::new();
    let mut initial = vec![base];
    if model.trees().is_empty() {
        // One class has no trees, and the same score for all rows.
        let zeros = vec![0.0; features * seen.classes().len()];
        initial.push(tensor("weights", &[seen.classes().len(), features], &zeros));
        nodes.push(node(
            "Gemm",
            &["rows", "weights", "base"],
            "scores",
            [integer("transB", 1)],
        ));
    } else {
        nodes.push(trees(model.trees(), seen.classes().len()));
        nodes.push(node("Cast", &["sums"], "added", [integer("to", DOUBLE)]));
        nodes.push(node("Add", &["added", "base"], "scores", []));
    }
    nodes.push(softmax("scores", "shares"));
    Graph {
        seen,
        factor: 1.0,
        nodes,
        initial,
        features,
    }
}

impl Graph<'_> {
    /// Returns the whole model, whose probabilities have a temperature.
    pub(super) fn finish(mut self, temperature: Temperature) -> Vec<u8> {
        let all = self.seen.all();
        if temperature == Temperature::ONE {
            self.spread("probabilities");
        } else {
            self.spread("uncalibrated");
            self.initial.push(tensor("least", &[1], &[LEAST]));
            let divisor = tensor("temperature", &[1], &[temperature.get()]);
            self.initial.push(divisor);
            self.nodes
                .push(node("Max", &["uncalibrated", "least"], "bounded", []));
            self.nodes.push(node("Log", &["bounded"], "logarithms", []));
            let divided = ["logarithms", "temperature"];
            self.nodes.push(node("Div", &divided, "divided", []));
            self.nodes.push(softmax("divided", "probabilities"));
        }
        let label = [integer("axis", 1), integer("keepdims", 0)];
        let label = node("ArgMax", &["probabilities"], "label", label);
        self.nodes.push(label);
        let graph = Message::default()
            .messages(1, self.nodes)
            .text(2, "learner")
            .messages(5, self.initial)
            .message(11, &value("rows", DOUBLE, Some(self.features)))
            .message(12, &value("label", INT64, None))
            .message(12, &value("probabilities", DOUBLE, Some(all)));
        let operators =
            |domain: &str, version| Message::default().text(1, domain).integer(2, version);
        Message::default()
            .integer(1, IR_VERSION)
            .text(2, "cotrain")
            .message(7, &graph)
            .message(8, &operators("", OPERATORS))
            .message(8, &operators(TREES, TREE_OPERATORS))
            .finish()
    }

    /// Adds a product that gives each class its probability.
    fn spread(&mut self, output: &str) {
        let (classes, all) = (self.seen.classes(), self.seen.all());
        let mut spread = vec![0.0; classes.len() * all];
        let mut rest = vec![
            if classes.len() < all {
                self.seen.unseen()
            } else {
                0.0
            };
            all
        ];
        for (at, &class) in classes.iter().enumerate() {
            spread[at * all + class] = self.factor * self.seen.share();
            rest[class] = 0.0;
        }
        let sizes = [classes.len(), all];
        self.initial.push(tensor("spread", &sizes, &spread));
        self.initial.push(tensor("rest", &[all], &rest));
        let inputs = ["shares", "spread", "rest"];
        self.nodes.push(node("Gemm", &inputs, output, []));
    }
}

/// Returns the operator that turns scores into the shares of their exponentials.
fn softmax(scores: &str, shares: &str) -> Message {
    node("Softmax", &[scores], shares, [integer("axis", 1)])
}

/// Returns the operator that sums the leaves of trees to `sums`, one of each class.
fn trees(trees: &[Tree], classes: usize) -> Message {
    let mut nodes = Nodes::default();
    for (tree, steps) in trees.iter().enumerate() {
        for at in 0..steps.len() {
            nodes.add(tree, at, steps.step(at));
        }
    }
    let leaves = nodes.leaves;
    node(
        "TreeEnsembleRegressor",
        &["rows"],
        "sums",
        [
            text("aggregate_function", "SUM"),
            integer("n_targets", classes as u64),
            integers("nodes_treeids", &nodes.trees),
            integers("nodes_nodeids", &nodes.indices),
            integers("nodes_featureids", &nodes.features),
            integers("nodes_truenodeids", &nodes.left),
            integers("nodes_falsenodeids", &nodes.right),
            texts("nodes_modes", &nodes.modes),
            numbers("nodes_values_as_tensor", &nodes.thresholds),
            integers("target_treeids", &leaves.trees),
            integers("target_nodeids", &leaves.indices),
            integers("target_ids", &leaves.classes),
            numbers("target_weights_as_tensor", &leaves.numbers),
        ],
    )
    .text(7, TREES)
}

/// Nodes of all trees, property by property, as ONNX lists them.
#[derive(Default)]
struct Nodes {
    trees: Vec<u64>,
    indices: Vec<u64>,
    features: Vec<u64>,
    left: Vec<u64>,
    right: Vec<u64>,
    modes: Vec<&'static str>,
    thresholds: Vec<f64>,
    leaves: Leaves,
}

/// Numbers of all leaves, property by property.
#[derive(Default)]
struct Leaves {
    trees: Vec<u64>,
    indices: Vec<u64>,
    classes: Vec<u64>,
    numbers: Vec<f64>,
}

impl Nodes {
    fn add(&mut self, tree: usize, at: usize, step: Step<'_>) {
        self.trees.push(tree as u64);
        self.indices.push(at as u64);
        let (mode, feature, threshold, left, right) = match step {
            Step::Split {
                feature,
                threshold,
                left,
                right,
            } => ("BRANCH_LEQ", feature, threshold, left, right),
            Step::Leaf(numbers) => {
                for &(class, number) in numbers {
                    self.leaves.trees.push(tree as u64);
                    self.leaves.indices.push(at as u64);
                    self.leaves.classes.push(class.into());
                    self.leaves.numbers.push(number);
                }
                ("LEAF", 0, 0.0, 0, 0)
            }
        };
        self.modes.push(mode);
        self.features.push(feature as u64);
        self.thresholds.push(threshold);
        self.left.push(left as u64);
        self.right.push(right as u64);
    }
}

/// Returns an operator.
fn node(
    operator: &str,
    inputs: &[&str],
    output: &str,
    attributes: impl IntoIterator<Item = Message>,
) -> Message {
    let add = |message: Message, input: &&str| message.text(1, input);
    inputs
        .iter()
        .fold(Message::default(), add)
        .text(2, output)
        .text(4, operator)
        .messages(5, attributes)
}

/// Returns an attribute of a type, before its value.
fn attribute(name: &str, kind: u64) -> Message {
    Message::default().text(1, name).integer(20, kind)
}

fn integer(name: &str, value: u64) -> Message {
    attribute(name, 2).integer(3, value)
}

fn text(name: &str, value: &str) -> Message {
    attribute(name, 3).text(4, value)
}

fn integers(name: &str, values: &[u64]) -> Message {
    // The format of 2016 does not pack attributes, and readers take both.
    attribute(name, 7).integers(8, values.iter().copied())
}

fn texts(name: &str, values: &[&str]) -> Message {
    let add = |message: Message, value: &&str| message.text(9, value);
    values.iter().fold(attribute(name, 8), add)
}

fn numbers(name: &str, values: &[f64]) -> Message {
    attribute(name, 4).message(5, &tensor(name, &[values.len()], values))
}

/// Returns a constant array.
fn tensor(name: &str, sizes: &[usize], values: &[f64]) -> Message {
    let bytes: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    Message::default()
        .integers(1, sizes.iter().map(|&size| size as u64))
        .integer(2, DOUBLE)
        .text(8, name)
        .bytes(9, &bytes)
}

/// Returns the description of an input or output: any number of rows, and columns if it has some.
fn value(name: &str, kind: u64, columns: Option<usize>) -> Message {
    let rows = Message::default().text(2, "n");
    let columns = columns.map(|count| Message::default().integer(1, count as u64));
    let shape = Message::default().message(1, &rows).messages(1, columns);
    let tensor = Message::default().integer(1, kind).message(2, &shape);
    let kind = Message::default().message(1, &tensor);
    Message::default().text(1, name).message(2, &kind)
}
