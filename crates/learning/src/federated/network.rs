//! Softmax regression and a small network of two layers, trained in a fixed order of operations.

use super::{Order, exp2};

/// Shape of a network over features that are divided by their maximum.
///
/// Parameters are rows of weights, a row a hidden unit, and a bias a hidden unit.
/// Then come rows of weights, a row a class, and a bias a class.
/// Without hidden units the classes' rows are over the features.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Number of features.
    pub features: usize,
    /// Number of hidden units with a rectifier; 0 for softmax regression.
    pub hidden: usize,
    /// Number of classes.
    pub classes: usize,
    /// Largest feature; a power of two, so that the division is exact.
    pub max_feature: u8,
}

impl Shape {
    /// Returns the number of weights and biases.
    #[must_use]
    pub fn parameters(&self) -> usize {
        let inputs = if self.hidden == 0 {
            self.features
        } else {
            self.hidden
        };
        self.hidden * (self.features + 1) + self.classes * (inputs + 1)
    }
}

/// Terms of a client's training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Training {
    /// Number of passes over the examples.
    pub epochs: u32,
    /// Rate of stochastic gradient descent on the loss in bits.
    pub rate: f64,
    /// Number of examples of a step.
    pub batch: usize,
    /// Seed of the order of the examples.
    pub seed: u32,
}

/// Network with weights in floats.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    shape: Shape,
    weights: Vec<f64>,
}

impl Network {
    /// Creates a network from weights in units of `2^-scale`. Missing weights are 0.
    #[must_use]
    pub fn new(shape: Shape, scale: u32, weights: &[i16]) -> Self {
        let unit = f64::from(1_u32 << scale.min(30));
        let mut weights: Vec<f64> = weights.iter().map(|&it| f64::from(it) / unit).collect();
        weights.resize(shape.parameters(), 0.0);
        Self { shape, weights }
    }

    /// Returns the initial weights of a model, in units of `2^-scale`.
    ///
    /// They are 0 for softmax regression. With hidden units they are uniform within the bound of
    /// He et al. ("Delving Deep into Rectifiers", 2015), and biases are 0.
    #[must_use]
    pub fn initial(shape: Shape, scale: u32, seed: u32) -> Vec<i16> {
        let mut order = Order::new(seed);
        let unit = f64::from(1_u32 << scale.min(30));
        let mut weights = vec![0; shape.parameters()];
        let (hidden, after) = (shape.hidden * shape.features, shape.hidden);
        let outer = hidden + after..hidden + after + shape.classes * shape.hidden;
        for (range, inputs) in [(0..hidden, shape.features), (outer, shape.hidden)] {
            // Numbers of inputs are far below 2^52.
            #[allow(clippy::cast_precision_loss)]
            let bound = (6.0 / inputs.max(1) as f64).sqrt();
            for weight in &mut weights[range] {
                let uniform = f64::from(order.bits()) / 4_294_967_296.0;
                let value = (2.0 * uniform - 1.0) * bound * unit;
                // The bound is below 3 units of at most 2^13 in use; a cast saturates.
                #[allow(clippy::cast_possible_truncation)]
                {
                    *weight = value.round_ties_even() as i16;
                }
            }
        }
        weights
    }

    /// Trains on rows of features with their labels. Returns the change of the weights.
    ///
    /// The gradients of a step are added in the order of its examples, and each sum in the order of
    /// its index.
    #[must_use]
    pub fn train(mut self, features: &[u8], labels: &[u16], terms: &Training) -> Vec<f64> {
        let base = self.weights.clone();
        let count = u32::try_from(labels.len()).unwrap_or(u32::MAX);
        let mut indices: Vec<u32> = (0..count).collect();
        let mut order = Order::new(terms.seed);
        let mut pass = Pass::new(&self.shape);
        for _ in 0..terms.epochs {
            order.shuffle(&mut indices);
            for step in indices.chunks(terms.batch.max(1)) {
                pass.gradient.fill(0.0);
                for &index in step {
                    let row = &features[index as usize * self.shape.features..];
                    pass.read(&self.shape, row);
                    pass.forward(&self.shape, &self.weights);
                    pass.backward(&self.shape, &self.weights, labels[index as usize].into());
                }
                // Steps have at most 2^32 examples.
                #[allow(clippy::cast_precision_loss)]
                let rate = terms.rate / step.len() as f64;
                for (weight, slope) in self.weights.iter_mut().zip(&pass.gradient) {
                    *weight -= rate * slope;
                }
            }
        }
        for (weight, base) in self.weights.iter_mut().zip(&base) {
            *weight -= base;
        }
        self.weights
    }

    /// Returns the class of each row with the largest logit; of equal ones the first.
    #[must_use]
    pub fn predict(&self, features: &[u8]) -> Vec<u16> {
        let mut pass = Pass::new(&self.shape);
        let rows = features.chunks_exact(self.shape.features.max(1));
        rows.map(|row| {
            pass.read(&self.shape, row);
            pass.forward(&self.shape, &self.weights);
            let mut best = (0, pass.logits[0]);
            for (label, &logit) in (0_u16..).zip(&pass.logits) {
                if logit > best.1 {
                    best = (label, logit);
                }
            }
            best.0
        })
        .collect()
    }
}

/// Numbers of one pass, kept between samples.
struct Pass {
    inputs: Vec<f64>,
    hidden: Vec<f64>,
    logits: Vec<f64>,
    errors: Vec<f64>,
    hidden_errors: Vec<f64>,
    gradient: Vec<f64>,
}

impl Pass {
    fn new(shape: &Shape) -> Self {
        Self {
            inputs: vec![0.0; shape.features],
            hidden: vec![0.0; shape.hidden],
            logits: vec![0.0; shape.classes],
            errors: vec![0.0; shape.classes],
            hidden_errors: vec![0.0; shape.hidden],
            gradient: vec![0.0; shape.parameters()],
        }
    }

    fn read(&mut self, shape: &Shape, row: &[u8]) {
        let max = f64::from(shape.max_feature.max(1));
        for (input, &feature) in self.inputs.iter_mut().zip(row) {
            *input = f64::from(feature) / max;
        }
    }

    fn forward(&mut self, shape: &Shape, weights: &[f64]) {
        let (first, last) = weights.split_at(shape.hidden * (shape.features + 1));
        layer(first, &self.inputs, &mut self.hidden);
        for unit in &mut self.hidden {
            *unit = if *unit > 0.0 { *unit } else { 0.0 };
        }
        let inputs = if shape.hidden == 0 {
            &self.inputs
        } else {
            &self.hidden
        };
        layer(last, inputs, &mut self.logits);
    }

    /// Adds the gradient of the last forward pass.
    fn backward(&mut self, shape: &Shape, weights: &[f64], label: usize) {
        let mut largest = self.logits[0];
        for &logit in &self.logits {
            if logit > largest {
                largest = logit;
            }
        }
        let mut sum = 0.0;
        for (error, &logit) in self.errors.iter_mut().zip(&self.logits) {
            *error = exp2(logit - largest);
            sum += *error;
        }
        for (class, error) in self.errors.iter_mut().enumerate() {
            *error /= sum;
            if class == label {
                *error -= 1.0;
            }
        }
        let split = shape.hidden * (shape.features + 1);
        let (first, last) = self.gradient.split_at_mut(split);
        if shape.hidden == 0 {
            add_slopes(last, &self.inputs, &self.errors);
            return;
        }
        add_slopes(last, &self.hidden, &self.errors);
        let rows = &weights[split..];
        for (unit, slope) in self.hidden_errors.iter_mut().enumerate() {
            *slope = 0.0;
            if self.hidden[unit] > 0.0 {
                for (class, error) in self.errors.iter().enumerate() {
                    *slope += error * rows[class * shape.hidden + unit];
                }
            }
        }
        add_slopes(first, &self.inputs, &self.hidden_errors);
    }
}

/// Computes the outputs of a layer: each is the sum of its products in order, then its bias.
fn layer(weights: &[f64], inputs: &[f64], outputs: &mut [f64]) {
    let (rows, biases) = weights.split_at(inputs.len() * outputs.len());
    let rows = rows.chunks_exact(inputs.len().max(1));
    for ((output, row), bias) in outputs.iter_mut().zip(rows).zip(biases) {
        let mut sum = 0.0;
        for (weight, input) in row.iter().zip(inputs) {
            sum += weight * input;
        }
        *output = sum + bias;
    }
}

/// Adds the slopes of a layer's weights and biases.
fn add_slopes(gradient: &mut [f64], inputs: &[f64], errors: &[f64]) {
    let (rows, biases) = gradient.split_at_mut(inputs.len() * errors.len());
    let rows = rows.chunks_exact_mut(inputs.len().max(1));
    for ((row, bias), error) in rows.zip(biases).zip(errors) {
        for (slope, input) in row.iter_mut().zip(inputs) {
            *slope += error * input;
        }
        *bias += error;
    }
}
