import type { Model } from "../api/client.ts";
import { fromHex, nameOf, type Encoder } from "../twin/index.ts";
import { words } from "../words.ts";
import { storedFeatures } from "./encoded.ts";

/** Content of a stored sample for people. */
export interface Stored {
  /** Words, indices or columns that are present; undefined of numbers. */
  words: readonly string[] | undefined;
  /** Size of the sample in words. */
  summary: string;
}

/** Returns what a sample holds, by the encoder of the model's card. */
export function storedIn(
  model: Pick<Model, "encoding">,
  encoder: Encoder | undefined,
  sample: string,
): Stored {
  let bytes: Uint8Array;
  try {
    bytes = fromHex(sample);
    const features = storedFeatures(model, bytes);
    if ("numbers" in features) {
      return {
        words: undefined,
        summary: words.contributions.numbers(features.numbers.length),
      };
    }
    const names = features.present.map(
      (feature) => (encoder && nameOf(encoder, feature)) ?? `${feature}`,
    );
    // The most frequent words come first among the features, and say least.
    const isText = encoder?.extractor.sort === "words";
    return { words: isText ? names.reverse() : names, summary: "" };
  } catch {
    // A contract of unknown code may take samples that nobody can read.
    const length = Math.max(0, (sample.length - 2) >> 1);
    return { words: undefined, summary: words.contributions.bytes(length) };
  }
}
