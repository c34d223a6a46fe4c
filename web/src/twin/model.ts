/** A model as the contract has it: its parameters and its learned words. */

import * as classes from "./classes.ts";
import { RefusedError } from "./error.ts";
import { type Decided, score } from "./evidence.ts";
import {
  type Parameters,
  boundsOf,
  classesOf,
  encodingOf,
  maxPresent,
} from "./parameters.ts";
import * as perceptron from "./perceptron.ts";
import { type Item, checkBounds, checkSample, parseBatch } from "./sample.ts";
import * as storage from "./storage.ts";

/** State of a model, by the sort of its numbers. */
type State =
  | { readonly sort: "weights"; readonly of: perceptron.Perceptron }
  | { readonly sort: "bayes"; readonly of: classes.NaiveBayes }
  | { readonly sort: "counts"; readonly of: classes.Counts }
  | { readonly sort: "sums"; readonly of: classes.Sums };

/** A model, which {@link learn} changes. */
export interface Model {
  readonly parameters: Parameters;
  readonly state: State;
}

/** Prediction of a model. */
export interface Prediction {
  /** Predicted class, which is the contract's answer. */
  readonly label: number;
  /** How sure the model is, from 0 to 1; `null` if there is nothing to compare. */
  readonly score: number | null;
}

/**
 * Creates a model from the bytes of its storage words, 32 each, as `GET …/weights` has them.
 *
 * @throws UnusableError if there are too many or too few.
 */
export function readModel(parameters: Parameters, bytes: Uint8Array): Model {
  return { parameters, state: readState(parameters, bytes) };
}

function readState(parameters: Parameters, bytes: Uint8Array): State {
  const { learner, features } = parameters;
  switch (learner) {
    case "sparse-perceptron":
    case "dense-perceptron": {
      storage.checkSize(bytes, storage.wordsOf(features, 16));
      const { learningRate, intercept } = parameters;
      const encoding = learner === "sparse-perceptron" ? "sparse" : "dense16";
      const weights = storage.readInt16(bytes);
      return {
        sort: "weights",
        of: { encoding, weights, learningRate, intercept },
      };
    }
    case "naive-bayes": {
      const { smoothing } = parameters;
      const counts = readCounts(parameters.classes, features, bytes);
      return { sort: "bayes", of: { ...counts, features, smoothing } };
    }
    case "sparse-nearest-centroid":
      return {
        sort: "counts",
        of: readCounts(parameters.classes, features, bytes),
      };
    case "dense-nearest-centroid": {
      const words = storage.wordsOf(features, 64);
      storage.checkSize(bytes, parameters.classes * (1 + words));
      return {
        sort: "sums",
        of: {
          headers: storage.readHeaders(bytes, parameters.classes),
          lanes: storage.readInt64(
            bytes.subarray(parameters.classes * storage.WORD),
          ),
          stride: words * 4,
        },
      };
    }
  }
}

function readCounts(
  classes: number,
  features: number,
  bytes: Uint8Array,
): classes.Counts {
  const words = storage.wordsOf(features, 16);
  storage.checkSize(bytes, classes * (1 + words));
  return {
    headers: storage.readHeaders(bytes, classes),
    lanes: storage.readUint16(bytes.subarray(classes * storage.WORD)),
    stride: words * 16,
  };
}

/** Returns the bytes of a model's storage words. */
export function writeModel({ state }: Model): Uint8Array {
  const parts =
    state.sort === "weights"
      ? [storage.write16(state.of.weights)]
      : [
          storage.writeHeaders(state.of.headers),
          state.sort === "sums"
            ? storage.writeInt64(state.of.lanes)
            : storage.write16(state.of.lanes),
        ];
  const bytes = new Uint8Array(parts.reduce((sum, it) => sum + it.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/**
 * Checks a sample to predict: its bytes, not the bounds of learning.
 *
 * @throws RefusedError that names `item`.
 */
export function checkToPredict(
  parameters: Parameters,
  sample: Uint8Array,
  item = 0,
): void {
  const encoding = encodingOf(parameters.learner);
  checkSample(encoding, item, sample, parameters.features);
  const max = maxPresent(parameters);
  const present = sample.length >> 1;
  if (max !== undefined && present > max) {
    throw new RefusedError({ kind: "TooManyFeatures", item, present, max });
  }
}

/**
 * Checks a labeled sample to learn from.
 *
 * @throws RefusedError that names `item`.
 */
export function checkToLearn(
  parameters: Parameters,
  { label, sample }: Item,
  item = 0,
): void {
  const count = classesOf(parameters);
  if (label >= count) {
    throw new RefusedError({
      kind: "LabelOutOfRange",
      item,
      label,
      classes: count,
    });
  }
  checkToPredict(parameters, sample, item);
  const bounds = boundsOf(parameters);
  if (bounds !== undefined) {
    checkBounds(bounds, encodingOf(parameters.learner), item, sample);
  }
}

/**
 * Predicts the class of a sample, with the score of `POST …/predict`.
 *
 * @throws RefusedError for a sample that the contract refuses.
 */
export function predict(model: Model, sample: Uint8Array): Prediction {
  const { label, evidence } = decide(model, sample);
  return { label, score: score(evidence, label) };
}

/**
 * Predicts the class of a sample, with the exact quantities behind the prediction.
 *
 * @throws RefusedError for a sample that the contract refuses.
 */
export function decide(
  { parameters, state }: Model,
  sample: Uint8Array,
): Decided {
  checkToPredict(parameters, sample);
  switch (state.sort) {
    case "weights":
      return perceptron.predict(state.of, sample);
    case "bayes":
      return classes.predictBayes(state.of, sample);
    case "counts":
      return classes.predictSparse(state.of, sample);
    case "sums":
      return classes.predictDense(state.of, sample);
  }
}

/**
 * Learns from the items of a batch in their order. Returns the number of those that changed the
 * model. If one is refused, the model learns from none.
 *
 * @throws RefusedError
 */
export function learnBatch(model: Model, batch: Uint8Array): number {
  const items = parseBatch(batch, (index, item) =>
    checkToLearn(model.parameters, item, index),
  );
  return items.filter((item) => learnChecked(model.state, item)).length;
}

/**
 * Learns from a labeled sample. Returns `true` if that changed the model.
 *
 * @throws RefusedError
 */
export function learn(model: Model, item: Item): boolean {
  checkToLearn(model.parameters, item);
  return learnChecked(model.state, item);
}

function learnChecked(state: State, { label, sample }: Item): boolean {
  switch (state.sort) {
    case "weights":
      return perceptron.learn(state.of, label, sample);
    case "bayes":
      return classes.learnBayes(state.of, label, sample);
    case "counts":
      return classes.learnSparse(state.of, label, sample);
    case "sums":
      return classes.learnDense(state.of, label, sample);
  }
}

/** Returns a copy that learns apart from the model. */
export function copyModel(model: Model): Model {
  return readModel(model.parameters, writeModel(model));
}
