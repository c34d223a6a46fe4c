/** Parameters that a model is created with (docs/spec.md, "Classifiers"). */

import { UnusableError } from "./error.ts";
import type { Bounds, Encoding } from "./sample.ts";

/** Parameters of a model, by its learner. The contract has checked them. */
export type Parameters =
  | {
      readonly learner: "sparse-perceptron";
      readonly features: number;
      /** Step of a present feature's weight, 1 to 32,767. */
      readonly learningRate: number;
      readonly intercept: bigint;
    }
  | {
      readonly learner: "dense-perceptron";
      readonly features: number;
      /** Step of a weight whose number is 1, in 1/65,536. */
      readonly learningRate: number;
      readonly intercept: bigint;
      readonly bounds: Bounds;
    }
  | {
      readonly learner: "naive-bayes";
      readonly classes: number;
      readonly features: number;
      /** Amount that is added to each count, in 1/256. */
      readonly smoothing: number;
    }
  | {
      readonly learner: "sparse-nearest-centroid";
      readonly classes: number;
      readonly features: number;
    }
  | {
      readonly learner: "dense-nearest-centroid";
      readonly classes: number;
      readonly features: number;
      readonly bounds: Bounds;
    };

/** Name of a learner. */
export type Learner = Parameters["learner"];

/** What the API tells of a model, as far as the rules need it. Numbers beyond 53 bits are digits. */
export interface ModelFacts {
  readonly learner: string;
  readonly classes: number;
  readonly features: number;
  readonly bounds?: {
    readonly maxNumber: number;
    readonly maxSquaredLength: string;
  } | null;
  readonly parameters: {
    readonly learningRate?: number | null;
    readonly intercept?: string | null;
    readonly smoothing?: number | null;
  };
}

/**
 * Reads the parameters of a model that the API tells of.
 *
 * @throws UnusableError if the learner is unknown, or one of its parameters is missing.
 */
export function readParameters(facts: ModelFacts): Parameters {
  const { learner, classes, features } = facts;
  const { learningRate, intercept, smoothing } = facts.parameters;
  switch (learner) {
    case "sparse-perceptron":
    case "dense-perceptron": {
      const steps = {
        features,
        learningRate: given(learningRate, "learning rate"),
        intercept: BigInt(given(intercept, "intercept")),
      };
      return learner === "sparse-perceptron"
        ? { learner, ...steps }
        : { learner, ...steps, bounds: readBounds(facts) };
    }
    case "naive-bayes":
      return {
        learner,
        classes,
        features,
        smoothing: given(smoothing, "smoothing"),
      };
    case "sparse-nearest-centroid":
      return { learner, classes, features };
    case "dense-nearest-centroid":
      return { learner, classes, features, bounds: readBounds(facts) };
    default:
      throw new UnusableError(
        `cannot use the model: its learner ${learner} is unknown to this release`,
      );
  }
}

function readBounds({ bounds }: ModelFacts): Bounds {
  const { maxNumber, maxSquaredLength } = given(bounds, "bounds");
  return { maxNumber, maxSquaredLength: BigInt(maxSquaredLength) };
}

function given<T>(value: T | null | undefined, name: string): T {
  if (value === null || value === undefined) {
    throw new UnusableError(`cannot use the model: its ${name} is missing`);
  }
  return value;
}

/** Maximum number of counts that a prediction of a sparse model of classes may read. */
const MAX_SPARSE_READS = 5_120;

/** Returns the encoding of a learner's samples. */
export function encodingOf(learner: Learner): Encoding {
  switch (learner) {
    case "sparse-perceptron":
    case "naive-bayes":
    case "sparse-nearest-centroid":
      return "sparse";
    case "dense-perceptron":
      return "dense16";
    case "dense-nearest-centroid":
      return "dense32";
  }
}

/** Returns the number of classes: labels are below it. */
export function classesOf(parameters: Parameters): number {
  return "classes" in parameters ? parameters.classes : 2;
}

/** Returns the bounds of the samples that a dense model learns from; `undefined` for sparse ones. */
export function boundsOf(parameters: Parameters): Bounds | undefined {
  return "bounds" in parameters ? parameters.bounds : undefined;
}

/**
 * Returns the maximum number of present features of a sample, so that a prediction fits in a
 * transaction; `undefined` if the learner has no such limit.
 */
export function maxPresent(parameters: Parameters): number | undefined {
  switch (parameters.learner) {
    case "naive-bayes":
    case "sparse-nearest-centroid":
      return Math.floor(MAX_SPARSE_READS / parameters.classes);
    default:
      return undefined;
  }
}
