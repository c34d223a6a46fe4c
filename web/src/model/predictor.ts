import type { Model } from "../api/client.ts";
import {
  encodingOf,
  nameOf,
  predict,
  readModel,
  reasonsOf,
  widthOf,
  wordReasons,
  type Column,
  type Encoder,
  type Model as Twin,
  type Parameters,
  type Table,
} from "../twin/index.ts";
import { encoded, type Sampled } from "./encoded.ts";
import type { Given } from "./form.ts";

/** Reason of an answer, with names. */
export interface NamedReason {
  /** Feature, or column of a row; undefined of a word. */
  feature: number | undefined;
  /** Word or column. */
  name: string;
  /** Above 0 if it speaks for the answer, below 0 if against it. */
  weight: number;
}

/** Answer of the model, as computed in the page. */
export interface Answer extends Sampled {
  label: number;
  /** Certainty from 0 to 1; null if nothing speaks for either class. */
  score: number | null;
  /** Class that came second; undefined if there is none. */
  against: number | undefined;
  reasons: readonly NamedReason[];
}

/** A model in the page: the twin with the weights of a block, and the encoder of its card. */
export interface Predictor {
  twin: Twin;
  /** Block of the weights. */
  block: number;
  encoder: Encoder | undefined;
  table: Table | undefined;
  /** Reason why the encoder of the card cannot be used; undefined if it can, or there is none. */
  unreadable: string | undefined;
}

/** Returns the parameters of a model as the twin takes them. */
export function parametersOf(model: Model): Parameters {
  const { features, classes, parameters } = model;
  const bounds = (): { maxNumber: number; maxSquaredLength: bigint } => {
    if (!model.bounds)
      throw new Error(
        "the model has no bounds; expected some of a model of numbers",
      );
    const { maxNumber, maxSquaredLength } = model.bounds;
    return { maxNumber, maxSquaredLength: BigInt(maxSquaredLength) };
  };
  const learningRate = parameters.learningRate ?? 0;
  const intercept = BigInt(parameters.intercept ?? "0");
  switch (model.learner) {
    case "sparse-perceptron":
      return { learner: model.learner, features, learningRate, intercept };
    case "dense-perceptron":
      return {
        learner: model.learner,
        features,
        learningRate,
        intercept,
        bounds: bounds(),
      };
    case "naive-bayes":
      return {
        learner: model.learner,
        classes,
        features,
        smoothing: parameters.smoothing ?? 0,
      };
    case "sparse-nearest-centroid":
      return { learner: model.learner, classes, features };
    case "dense-nearest-centroid":
      return { learner: model.learner, classes, features, bounds: bounds() };
    default:
      throw new Error(
        `this page does not know the learner ${model.learner}; is the coordinator newer than it?`,
      );
  }
}

/** Makes the twin of a model from the bytes of its weights. */
export function twinOf(model: Model, weights: Uint8Array): Twin {
  return readModel(parametersOf(model), weights);
}

/**
 * Answers an input with reasons.
 *
 * @throws Error with words for people if the input does not fit the model.
 */
export function answer(predictor: Predictor, given: Given): Answer {
  const encoding = encodingOf(predictor.twin.parameters.learner);
  const input = encoded(predictor, encoding, given);
  const { label, score } = predict(predictor.twin, input.sample);
  const { against, features } = reasonsOf(predictor.twin, input.sample);
  const extractor = predictor.encoder?.extractor;
  const reasons =
    "text" in given
      ? wordsIn(predictor, given.text)
      : "row" in given && extractor?.sort === "columns"
        ? byColumn(extractor.columns, features)
        : features.map(({ feature, weight }) => ({
            feature,
            name: nameIn(predictor.encoder, feature),
            weight,
          }));
  return {
    ...input,
    label,
    score,
    against,
    reasons: reasons.filter(({ weight }) => weight !== 0),
  };
}

/**
 * Returns the reasons of a row, each column once, from the strongest to the weakest. The features of
 * a column count together: that of another color than the given one speaks, too.
 */
function byColumn(
  columns: readonly Column[],
  reasons: readonly { feature: number; weight: number }[],
): NamedReason[] {
  const weights = new Map(reasons.map((one) => [one.feature, one.weight]));
  let feature = 0;
  return columns
    .map((column, at) => {
      let weight = 0;
      for (let width = widthOf(column); width > 0; width -= 1) {
        weight += weights.get(feature) ?? 0;
        feature += 1;
      }
      return { feature: at, name: column.name, weight };
    })
    .sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight));
}

function nameIn(encoder: Encoder | undefined, feature: number): string {
  return (encoder && nameOf(encoder, feature)) ?? `${feature}`;
}

/** Returns the known words of a text, each once, from the strongest reason to the weakest. */
function wordsIn(
  { twin, encoder, table }: Predictor,
  text: string,
): NamedReason[] {
  if (!encoder) return [];
  const weights = new Map<string, number>();
  for (const { word, weight } of wordReasons(twin, encoder, text, table)) {
    if (weight !== undefined) weights.set(word, weight);
  }
  return [...weights]
    .map(([name, weight]) => ({ feature: undefined, name, weight }))
    .sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight));
}
