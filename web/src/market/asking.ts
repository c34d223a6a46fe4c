import type { Described } from "../model/source.ts";
import type { Given } from "../model/form.ts";
import { encoded, type Sampled } from "../model/encoded.ts";
import type { Encoder } from "../twin/index.ts";
import { MAX, tamed } from "../text/strangers.ts";
import type { Market } from "./api.ts";

/** Sample of an input, or why there is none; neither if nothing was given. */
export interface Asked {
  sampled?: Sampled;
  refusal?: string;
}

/** Encodes an input of a market. */
export function asked(
  market: Pick<Market, "encoding">,
  described: Described,
  given: Given,
): Asked {
  try {
    return { sampled: encoded(described, market.encoding, given) };
  } catch (error) {
    return { refusal: reasonOf(error) };
  }
}

/** Returns what a person gave, in words; undefined of pictures and numbers. */
export function typedIn(
  given: Given,
  encoder: Encoder | undefined,
): string | undefined {
  if ("text" in given) return given.text;
  const extractor = encoder?.extractor;
  const isRow = "row" in given && extractor?.sort === "columns";
  if (!isRow || extractor.picture) return undefined;
  return extractor.columns
    .map((column, at) => `${column.name} ${given.row[at] ?? "–"}`)
    .join(", ");
}

/** Returns an error's words, which may be a stranger's. */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return tamed(text, MAX.refusal);
}
