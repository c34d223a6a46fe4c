/** Training of an update on the user's own digits. It runs in a worker of the page. */

import {
  added,
  classOf,
  encodeUpdate,
  floats,
  lossOfRaw,
  quantize,
  rawLogits,
  squaredNorm,
  train,
  type Softmax,
  type Training,
  type Width,
} from "../twin/federated/index.ts";

/** Examples: features row after row, and their labels. */
export interface Examples {
  features: Uint8Array;
  labels: Uint16Array;
}

/** Work of a worker. */
export interface Job {
  model: Softmax;
  width: Width;
  maxSquaredNorm: bigint;
  /** Weights of the model on the chain. */
  base: Int16Array;
  learned: Examples;
  /** Examples that are not learned from. */
  held: Examples;
  training: Training;
}

/** What an update changes on the held-out examples. Losses are sums, in 1/256 bit. */
export interface Gain {
  held: number;
  lossBefore: number;
  lossAfter: number;
  rightBefore: number;
  rightAfter: number;
}

/** Update as it is submitted, with what it changes. */
export interface Trained {
  bytes: Uint8Array;
  gain: Gain;
}

/** Update with the version of the model that it is based on. */
export interface Update extends Trained {
  version: number;
}

/** Number of passes, rate and step of the laboratory's clients (docs/federated.md). */
export const usualTraining = { epochs: 5, rate: 0.5, batch: 16 } as const;

/** Factor by which an update that is too long becomes shorter than it has to be. */
const SHORTER = 0.99;

/** Trains an update, and measures the model without and with it. */
export function work(job: Job): Trained {
  const { model, width, base, learned, held, training } = job;
  const shape = { ...model, hidden: 0 };
  const start = floats(model.scale, base);
  const { features, labels } = learned;
  const change = train(shape, start, features, labels, training);
  const update = fitting(job, change);
  const [lossBefore, rightBefore] = measured(model, base, held);
  const [lossAfter, rightAfter] = measured(model, added(base, update), held);
  return {
    bytes: encodeUpdate(width, update),
    gain: {
      held: held.labels.length,
      lossBefore,
      lossAfter,
      rightBefore,
      rightAfter,
    },
  };
}

/** Rounds a change, and scales it down as long as it is longer than the contract takes. */
function fitting(
  { width, model, maxSquaredNorm }: Job,
  change: Float64Array,
): Int16Array {
  for (let share = 1; ;) {
    const scaled = change.map((value) => value * share);
    const update = quantize(width, model.scale, scaled);
    const norm = squaredNorm(update);
    if (norm <= maxSquaredNorm) return update;
    share *= Math.sqrt(Number(maxSquaredNorm) / Number(norm)) * SHORTER;
  }
}

/** Returns the sum of the losses, and the number of examples whose class is right. */
function measured(
  model: Softmax,
  weights: Int16Array,
  { features, labels }: Examples,
): [loss: number, right: number] {
  let [loss, right] = [0, 0];
  labels.forEach((label, at) => {
    const from = at * model.features;
    const sample = features.subarray(from, from + model.features);
    const raw = rawLogits(model, weights, sample);
    loss += lossOfRaw(model, raw, label);
    if (classOf(raw) === label) right += 1;
  });
  return [loss, right];
}
