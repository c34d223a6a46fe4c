/**
 * Reasons of a prediction: how much each feature of a sample moved the answer.
 *
 * The exact quantities are those of `evidence.ts`. Reasons split them by feature, in floats, for
 * people: their sum tells the predicted class from the one that came second.
 */

import { bayesDivisor, countOf } from "./classes.ts";
import { runnerUp } from "./evidence.ts";
import { type Model, checkToPredict, evidenceOf, predict } from "./model.ts";
import { products } from "./perceptron.ts";
import { denseNumbers, sparseFeatures } from "./sample.ts";

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
  checkToPredict(model.parameters, sample);
  const { label } = predict(model, sample);
  const against = runnerUp(evidenceOf(model, sample), label);
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

function split(
  { state }: Model,
  sample: Uint8Array,
  label: number,
  against: number | undefined,
): { unit: Reasons["unit"]; features: Reason[]; rest: number } {
  switch (state.sort) {
    case "weights": {
      const sign = label === 1 ? 1 : -1;
      return {
        unit: "votes",
        features: products(state.of, sample).map(([feature, part]) => ({
          feature,
          weight: sign * part,
        })),
        rest: sign * Number(state.of.intercept),
      };
    }
    case "bayes": {
      const model = state.of;
      const [own, other] = [model.headers[label], model.headers[against ?? -1]];
      const features = sparseFeatures(sample);
      if (own === undefined || other === undefined || against === undefined) {
        return {
          unit: "logarithms",
          features: unexplained(features),
          rest: 0,
        };
      }
      const divisors =
        Number(bayesDivisor(model, other)) / Number(bayesDivisor(model, own));
      const count = (of: number, feature: number): number =>
        256 * countOf(model, of, feature) + model.smoothing;
      return {
        unit: "logarithms",
        features: features.map((feature) => ({
          feature,
          weight: Math.log(
            (count(label, feature) / count(against, feature)) * divisors,
          ),
        })),
        rest: Math.log(own.samples / other.samples),
      };
    }
    case "counts": {
      const model = state.of;
      const [own, other] = [model.headers[label], model.headers[against ?? -1]];
      const features = sparseFeatures(sample);
      if (own === undefined || other === undefined || against === undefined) {
        return {
          unit: "squared-distance",
          features: unexplained(features),
          rest: 0,
        };
      }
      // Present: (1 - m)^2 in each class. Absent: m^2, which sums up to Q / n^2 less those present.
      const squares = (of: number, samples: number): number[] =>
        features.map((feature) => countOf(model, of, feature) / samples);
      const ours = squares(label, own.samples);
      const theirs = squares(against, other.samples);
      let rest =
        Number(other.total) / other.samples ** 2 -
        Number(own.total) / own.samples ** 2;
      const reasons = features.map((feature, at) => {
        const [a, b] = [ours[at] ?? 0, theirs[at] ?? 0];
        rest -= b ** 2 - a ** 2;
        return { feature, weight: (1 - b) ** 2 - (1 - a) ** 2 };
      });
      return { unit: "squared-distance", features: reasons, rest };
    }
    case "sums": {
      const model = state.of;
      const [own, other] = [model.headers[label], model.headers[against ?? -1]];
      const numbers = denseNumbers("dense32", sample);
      if (own === undefined || other === undefined || against === undefined) {
        const features = numbers.map((_, feature) => feature);
        return {
          unit: "squared-distance",
          features: unexplained(features),
          rest: 0,
        };
      }
      const mean = (of: number, samples: number, feature: number): number =>
        Number(model.lanes[of * model.stride + feature] ?? 0n) / samples;
      return {
        unit: "squared-distance",
        features: numbers.map((number, feature) => ({
          feature,
          weight:
            (number - mean(against, other.samples, feature)) ** 2 -
            (number - mean(label, own.samples, feature)) ** 2,
        })),
        rest: 0,
      };
    }
  }
}

/** Returns reasons of no weight: there is no other class that could have been predicted. */
function unexplained(features: readonly number[]): Reason[] {
  return features.map((feature) => ({ feature, weight: 0 }));
}
