/** Reasons of a prediction by the words of a text. */

import {
  type Encoder,
  encodeText,
  encodeVector,
  tokenFeatures,
} from "./encoder.ts";
import { type Evidence, runnerUp, toNumber } from "./evidence.ts";
import { type Model, decide } from "./model.ts";
import { reasonsOf } from "./reasons.ts";
import {
  type Table,
  numbersWithout,
  vectorOf,
  wordsOf,
} from "./wordvectors.ts";

/** Word of a text, or pair of words, as the model reads it. */
export interface WordReason {
  readonly word: string;
  /**
   * Above 0 if the word speaks for the predicted class, below 0 if against it, in the unit of
   * `reasonsOf`; `undefined` if the model does not know it.
   *
   * With word vectors, it is the margin of the prediction less that of the text without the word.
   */
  readonly weight: number | undefined;
}

/**
 * Returns the words of a text in order, each as often as it is there, with their weights.
 *
 * @throws InputError and RefusedError as encoding and predicting do.
 */
export function wordReasons(
  model: Model,
  encoder: Encoder,
  text: string,
  table?: Table,
): WordReason[] {
  const { sample } = encodeText(encoder, text, table);
  if (encoder.extractor.sort === "vectors" && table !== undefined) {
    return ofVectors(model, encoder, text, sample, table);
  }
  const { features } = reasonsOf(model, sample);
  const weights = new Map(features.map((it) => [it.feature, it.weight]));
  return tokenFeatures(encoder, text).map(({ token, feature }) => ({
    word: token,
    weight: feature === undefined ? undefined : weights.get(feature),
  }));
}

function ofVectors(
  model: Model,
  encoder: Encoder,
  text: string,
  sample: Uint8Array,
  table: Table,
): WordReason[] {
  const { label, evidence } = decide(model, sample);
  const against = runnerUp(evidence, label);
  const margin = marginOf(evidence, label, against);
  const vector = vectorOf(table, text);
  const weights = new Map<string, number>();
  for (const { word } of vector.words) {
    if (weights.has(word)) continue;
    const numbers = numbersWithout(table, vector, word);
    const without = encodeVector(encoder, numbers, vector.known).sample;
    const left = marginOf(decide(model, without).evidence, label, against);
    weights.set(word, margin - left);
  }
  return wordsOf(text).map((word) => ({ word, weight: weights.get(word) }));
}

/** Returns how far a class is ahead of another one, in the unit of `reasonsOf`. */
function marginOf(
  evidence: Evidence,
  label: number,
  against: number | undefined,
): number {
  if (evidence.kind === "votes") {
    const margin = Number(evidence.one - evidence.zero);
    return label === 1 ? margin : -margin;
  }
  const own = evidence.classes[label];
  const other = evidence.classes[against ?? -1];
  if (own === undefined || other === undefined) return 0;
  // Models of word vectors have numbers, so they are no naive Bayes.
  return toNumber(other) - toNumber(own);
}
