/** Softmax regression and a small network of two layers, trained in the order of Rust's operations. */

import { roundHalfEven } from "./encoding.ts";
import { exp2 } from "./exponential.ts";
import { Order } from "./order.ts";

/**
 * Shape of a network over features that are divided by their maximum.
 *
 * Parameters are rows of weights, a row a hidden unit, and a bias a hidden unit. Then come rows of
 * weights, a row a class, and a bias a class. Without hidden units these rows are over the features.
 */
export interface Shape {
  readonly features: number;
  /** Number of hidden units with a rectifier; 0 for softmax regression. */
  readonly hidden: number;
  readonly classes: number;
  /** Largest feature; a power of two, so that the division is exact. */
  readonly maxFeature: number;
}

/** Terms of a client's training. */
export interface Training {
  /** Number of passes over the examples. */
  readonly epochs: number;
  /** Rate of stochastic gradient descent on the loss in bits. */
  readonly rate: number;
  /** Number of examples of a step. */
  readonly batch: number;
  /** Seed of the order of the examples. */
  readonly seed: number;
}

/** Returns the number of weights and biases. */
export function parametersOf({ features, hidden, classes }: Shape): number {
  const inputs = hidden === 0 ? features : hidden;
  return hidden * (features + 1) + classes * (inputs + 1);
}

/**
 * Returns the initial weights of a model, in units of `2^-scale`.
 *
 * They are 0 for softmax regression. With hidden units they are uniform within the bound of He et al.
 * ("Delving Deep into Rectifiers", 2015), and biases are 0.
 */
export function initialWeights(
  shape: Shape,
  scale: number,
  seed: number,
): Int16Array {
  const { features, hidden, classes } = shape;
  const order = new Order(seed);
  const weights = new Int16Array(parametersOf(shape));
  const outer = hidden * (features + 1);
  for (const [from, to, inputs] of [
    [0, hidden * features, features],
    [outer, outer + classes * hidden, hidden],
  ] as const) {
    const bound = Math.sqrt(6 / Math.max(1, inputs));
    for (let at = from; at < to; at += 1) {
      const uniform = order.bits() / 2 ** 32;
      const value = (2 * uniform - 1) * bound * 2 ** scale;
      weights[at] = Math.max(-32_768, Math.min(32_767, roundHalfEven(value)));
    }
  }
  return weights;
}

/** Returns weights in units of `2^-scale` as floats. */
export function floats(scale: number, weights: Int16Array): Float64Array {
  return Float64Array.from(weights, (weight) => weight / 2 ** scale);
}

/**
 * Trains on rows of features with their labels. Returns the change of the weights.
 *
 * The gradients of a step are added in the order of its examples, and each sum in the order of its
 * index.
 */
export function train(
  shape: Shape,
  base: Float64Array,
  features: Uint8Array,
  labels: Uint16Array,
  { epochs, rate, batch, seed }: Training,
): Float64Array {
  const weights = Float64Array.from(base);
  const indices = Uint32Array.from(labels, (_, at) => at);
  const order = new Order(seed);
  const pass = new Pass(shape);
  const size = Math.max(1, batch);
  for (let epoch = 0; epoch < epochs; epoch += 1) {
    order.shuffle(indices);
    for (let from = 0; from < indices.length; from += size) {
      const step = indices.subarray(from, from + size);
      pass.gradient.fill(0);
      for (const index of step) {
        pass.read(features, index);
        pass.forward(weights);
        pass.backward(weights, labels[index] ?? 0);
      }
      const factor = rate / step.length;
      for (let at = 0; at < weights.length; at += 1)
        weights[at] = (weights[at] ?? 0) - factor * (pass.gradient[at] ?? 0);
    }
  }
  for (let at = 0; at < weights.length; at += 1)
    weights[at] = (weights[at] ?? 0) - (base[at] ?? 0);
  return weights;
}

/** Returns the class of each row with the largest logit; of equal ones the first. */
export function predictAll(
  shape: Shape,
  weights: Float64Array,
  features: Uint8Array,
): Uint16Array {
  const pass = new Pass(shape);
  const rows = Math.floor(features.length / Math.max(1, shape.features));
  return Uint16Array.from({ length: rows }, (_, row) => {
    pass.read(features, row);
    pass.forward(weights);
    return pass.logits.reduce(
      (best, logit, label) => (logit > (pass.logits[best] ?? 0) ? label : best),
      0,
    );
  });
}

/** Numbers of one pass, kept between samples. */
class Pass {
  readonly gradient: Float64Array;
  readonly logits: Float64Array;
  readonly #shape: Shape;
  readonly #inputs: Float64Array;
  readonly #hidden: Float64Array;
  readonly #errors: Float64Array;
  readonly #hiddenErrors: Float64Array;
  /** Index of the first parameter of the last layer. */
  readonly #split: number;

  constructor(shape: Shape) {
    const { features, hidden, classes } = shape;
    this.#shape = shape;
    this.#inputs = new Float64Array(features);
    this.#hidden = new Float64Array(hidden);
    this.logits = new Float64Array(classes);
    this.#errors = new Float64Array(classes);
    this.#hiddenErrors = new Float64Array(hidden);
    this.gradient = new Float64Array(parametersOf(shape));
    this.#split = hidden * (features + 1);
  }

  read(features: Uint8Array, row: number): void {
    const max = Math.max(1, this.#shape.maxFeature);
    const from = row * this.#shape.features;
    for (let at = 0; at < this.#inputs.length; at += 1)
      this.#inputs[at] = (features[from + at] ?? 0) / max;
  }

  forward(weights: Float64Array): void {
    const hidden = this.#hidden;
    layer(weights, 0, this.#inputs, hidden);
    for (let unit = 0; unit < hidden.length; unit += 1)
      if (!((hidden[unit] ?? 0) > 0)) hidden[unit] = 0;
    layer(weights, this.#split, this.#last(), this.logits);
  }

  /** Adds the gradient of the last forward pass. */
  backward(weights: Float64Array, label: number): void {
    const [logits, errors] = [this.logits, this.#errors];
    let largest = logits[0] ?? 0;
    for (const logit of logits) if (logit > largest) largest = logit;
    let sum = 0;
    for (let at = 0; at < errors.length; at += 1) {
      const error = exp2((logits[at] ?? 0) - largest);
      errors[at] = error;
      sum += error;
    }
    for (let at = 0; at < errors.length; at += 1)
      errors[at] = (errors[at] ?? 0) / sum - (at === label ? 1 : 0);
    addSlopes(this.gradient, this.#split, this.#last(), errors);
    if (this.#shape.hidden > 0) this.#backwardHidden(weights);
  }

  #backwardHidden(weights: Float64Array): void {
    const [hidden, errors] = [this.#hidden, this.#errors];
    for (let unit = 0; unit < hidden.length; unit += 1) {
      let slope = 0;
      if ((hidden[unit] ?? 0) > 0) {
        for (let at = 0; at < errors.length; at += 1)
          slope +=
            (errors[at] ?? 0) *
            (weights[this.#split + at * hidden.length + unit] ?? 0);
      }
      this.#hiddenErrors[unit] = slope;
    }
    addSlopes(this.gradient, 0, this.#inputs, this.#hiddenErrors);
  }

  /** Returns the inputs of the last layer. */
  #last(): Float64Array {
    return this.#shape.hidden === 0 ? this.#inputs : this.#hidden;
  }
}

/** Computes the outputs of a layer: each is the sum of its products in order, then its bias. */
function layer(
  weights: Float64Array,
  from: number,
  inputs: Float64Array,
  outputs: Float64Array,
): void {
  const biases = from + inputs.length * outputs.length;
  for (let row = 0; row < outputs.length; row += 1) {
    const offset = from + row * inputs.length;
    let sum = 0;
    for (let at = 0; at < inputs.length; at += 1)
      sum += (weights[offset + at] ?? 0) * (inputs[at] ?? 0);
    outputs[row] = sum + (weights[biases + row] ?? 0);
  }
}

/** Adds the slopes of a layer's weights and biases. */
function addSlopes(
  gradient: Float64Array,
  from: number,
  inputs: Float64Array,
  errors: Float64Array,
): void {
  const biases = from + inputs.length * errors.length;
  for (let row = 0; row < errors.length; row += 1) {
    const [offset, error] = [from + row * inputs.length, errors[row] ?? 0];
    for (let at = 0; at < inputs.length; at += 1)
      gradient[offset + at] =
        (gradient[offset + at] ?? 0) + error * (inputs[at] ?? 0);
    gradient[biases + row] = (gradient[biases + row] ?? 0) + error;
  }
}
