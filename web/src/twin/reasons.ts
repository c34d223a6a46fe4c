/**
 * Reasons of a prediction: how much each feature of a sample moved the answer.
 *
 * The exact quantities are those of `evidence.ts`. Reasons split them by feature, in floats, for
 * people: their sum tells the predicted class from the one that came second.
 */

import {
  type Counts,
  type NaiveBayes,
  type Sums,
  bayesDivisor,
  countOf,
} from "./classes.ts";
import { runnerUp } from "./evidence.ts";
import { type Model, decide } from "./model.ts";
import { type Perceptron, products } from "./perceptron.ts";
import { denseNumbers, sparseFeatures } from "./sample.ts";
import type { Header } from "./storage.ts";

/** Part of an answer that one feature explains. */
export interface Reason {
  readonly feature: number;
  /** Above 0 if it speaks for the predicted class, below 0 if for the other one. */
  readonly weight: number;
}

/** Reasons of a prediction. */
export interface Reasons {
  /** Predicted class. */
  readonly label: number;
  /** Class that came second; `undefined` if no other class has learned from a sample. */
  readonly against: number | undefined;
  /** Features of the sample, from the strongest reason to the weakest. */
  readonly features: readonly Reason[];
  /** Rest, which no feature of the sample explains: intercept, prior, or absent features. */
  readonly rest: number;
  /**
   * Unit of the weights: of perceptrons the votes, of naive Bayes natural logarithms of the ratio of
   * probabilities, of centroids squared distances in the units of a sample's numbers.
   */
  readonly unit: "votes" | "logarithms" | "squared-distance";
}

/**
 * Returns the reasons of the prediction for a sample.
 *
 * @throws RefusedError for a sample that the contract refuses.
 */
export function reasonsOf(model: Model, sample: Uint8Array): Reasons {
  const { label, evidence } = decide(model, sample);
  const against = runnerUp(evidence, label);
  const { unit, features, rest } = split(model, sample, label, against);
  const strength = (one: Reason): number => Math.abs(one.weight);
  return {
    label,
    against,
    unit,
    rest,
    features: features.sort((a, b) => strength(b) - strength(a)),
  };
}

/** Reasons before they are sorted. */
type Split = Pick<Reasons, "unit" | "rest"> & { readonly features: Reason[] };

function split(
  { state }: Model,
  sample: Uint8Array,
  label: number,
  against: number | undefined,
): Split {
  if (state.sort === "weights") return ofVotes(state.of, sample, label);
  const own = state.of.headers[label];
  const other = state.of.headers[against ?? -1];
  if (own === undefined || other === undefined || against === undefined) {
    return ofOneClass(state, sample);
  }
  const classes = { label, own, against, other };
  switch (state.sort) {
    case "bayes":
      return ofBayes(state.of, sample, classes);
    case "counts":
      return ofPresence(state.of, sample, classes);
    case "sums":
      return ofNumbers(state.of, sample, classes);
  }
}

/** Predicted class and the one that came second, with their headers. */
interface Pair {
  readonly label: number;
  readonly own: Header;
  readonly against: number;
  readonly other: Header;
}

function ofVotes(model: Perceptron, sample: Uint8Array, label: number): Split {
  const sign = label === 1 ? 1 : -1;
  return {
    unit: "votes",
    features: products(model, sample).map(([feature, part]) => ({
      feature,
      weight: sign * part,
    })),
    rest: sign * Number(model.intercept),
  };
}

/** Returns reasons of no weight: there is no other class that could have been predicted. */
function ofOneClass(state: Model["state"], sample: Uint8Array): Split {
  const features =
    state.sort === "sums"
      ? denseNumbers("dense32", sample).map((_, feature) => feature)
      : sparseFeatures(sample);
  return {
    unit: state.sort === "bayes" ? "logarithms" : "squared-distance",
    features: features.map((feature) => ({ feature, weight: 0 })),
    rest: 0,
  };
}

/** Splits the logarithm of the ratio of both scores of naive Bayes. */
function ofBayes(model: NaiveBayes, sample: Uint8Array, of: Pair): Split {
  const divisors =
    Number(bayesDivisor(model, of.other)) / Number(bayesDivisor(model, of.own));
  const count = (label: number, feature: number): number =>
    256 * countOf(model, label, feature) + model.smoothing;
  return {
    unit: "logarithms",
    features: sparseFeatures(sample).map((feature) => {
      const counts = count(of.label, feature) / count(of.against, feature);
      return { feature, weight: Math.log(counts * divisors) };
    }),
    rest: Math.log(of.own.samples / of.other.samples),
  };
}

/**
 * Splits the difference of both squared distances of presence.
 *
 * With the mean `m` of a feature, a distance has `(1 - m)^2` if it is present, and `m^2` if not.
 */
function ofPresence(model: Counts, sample: Uint8Array, of: Pair): Split {
  const squares = ({ total, samples }: Header): number =>
    Number(total) / samples ** 2;
  let rest = squares(of.other) - squares(of.own);
  const features = sparseFeatures(sample).map((feature) => {
    const own = countOf(model, of.label, feature) / of.own.samples;
    const other = countOf(model, of.against, feature) / of.other.samples;
    rest -= other ** 2 - own ** 2;
    return { feature, weight: (1 - other) ** 2 - (1 - own) ** 2 };
  });
  return { unit: "squared-distance", features, rest };
}

/** Splits the difference of both squared distances of numbers. */
function ofNumbers(model: Sums, sample: Uint8Array, of: Pair): Split {
  const mean = (label: number, { samples }: Header, feature: number): number =>
    Number(model.lanes[label * model.stride + feature] ?? 0n) / samples;
  return {
    unit: "squared-distance",
    features: denseNumbers("dense32", sample).map((number, feature) => {
      const own = number - mean(of.label, of.own, feature);
      const other = number - mean(of.against, of.other, feature);
      return { feature, weight: other ** 2 - own ** 2 };
    }),
    rest: 0,
  };
}
