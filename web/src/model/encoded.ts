import type { Model } from "../api/client.ts";
import {
  denseNumbers,
  encodeDense16,
  encodeDense32,
  encodeRow,
  encodeSparse,
  encodeText,
  sparseFeatures,
  type Encoder,
  type Encoding,
  type Table,
} from "../twin/index.ts";
import type { Given } from "./form.ts";

/** Sample of an input. */
export interface Sampled {
  sample: Uint8Array;
  /** Number of known words, columns or indices; null if that has no meaning. */
  known: number | null;
  clipped: number;
  unseen: number;
}

/**
 * Encodes an input.
 *
 * @throws Error with words for people if the input does not fit the encoder.
 */
export function encoded(
  by: { encoder: Encoder | undefined; table: Table | undefined },
  encoding: Encoding,
  given: Given,
): Sampled {
  if ("features" in given) {
    if (encoding === "sparse") {
      const sample = encodeSparse(
        [...new Set(given.features)].sort((a, b) => a - b),
      );
      return { sample, known: sample.length / 2, clipped: 0, unseen: 0 };
    }
    const encode = encoding === "dense16" ? encodeDense16 : encodeDense32;
    return {
      sample: encode(given.features),
      known: null,
      clipped: 0,
      unseen: 0,
    };
  }
  if (!by.encoder) throw new Error("the model has no encoder");
  return "text" in given
    ? encodeText(by.encoder, given.text, by.table)
    : encodeRow(by.encoder, given.row);
}

/** Returns the features of a stored sample: those present, or all numbers. */
export function storedFeatures(
  model: Pick<Model, "encoding">,
  sample: Uint8Array,
): { present: number[] } | { numbers: number[] } {
  return model.encoding === "sparse"
    ? { present: sparseFeatures(sample) }
    : { numbers: denseNumbers(model.encoding, sample) };
}
