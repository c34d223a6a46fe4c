/** Encoders of a model's card: they turn texts and rows into samples (docs/spec.md). */

import { type Column, type Field, MAX_NUMBER } from "./columns.ts";
import * as columns from "./columns.ts";
import { InputError } from "./error.ts";
import { isqrt } from "./integer.ts";
import { type Picture, type PictureForm, levelsOf } from "./pictures.ts";
import type { Learner } from "./parameters.ts";
import { encodingOf } from "./parameters.ts";
import {
  type Bounds,
  encodeDense16,
  encodeDense32,
  encodeSparse,
  squaredLength,
} from "./sample.ts";
import { type TextRules, hash, tokens } from "./tokens.ts";
import { splitWhiteSpace } from "./unicode.ts";
import { type Table, vectorOf } from "./wordvectors.ts";

/** Extractor of features from an example. */
export type Extractor =
  | {
      readonly sort: "words";
      readonly words: readonly string[];
      /** Feature of each word. */
      readonly features: ReadonlyMap<string, number>;
      readonly rules: TextRules;
    }
  | {
      readonly sort: "hashed";
      /** Number of features, 2 to 65,536. */
      readonly count: number;
      readonly rules: TextRules;
    }
  | {
      readonly sort: "vectors";
      readonly sha256: string;
      readonly dimensions: number;
    }
  | {
      readonly sort: "columns";
      readonly columns: readonly Column[];
      /** Name of each feature. */
      readonly names: readonly string[];
      /** Form of pictures, if the columns are their pixels. */
      readonly picture: PictureForm | undefined;
    }
  | {
      readonly sort: "indices";
      /** Indices from 0, in the order of their features. */
      readonly indices: readonly number[];
      /** Feature of each index from 0. */
      readonly features: ReadonlyMap<number, number>;
      /** First index, as rows count: 0 or 1. */
      readonly first: number;
    };

/** Mean and standard deviation of each feature, by which dense samples are scaled. */
export interface Scaling {
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
}

/** Encoder of a card. `readEncoder` makes it. */
export interface Encoder {
  readonly learner: Learner;
  readonly extractor: Extractor;
  /** Number of features, the last ones, that had no examples. */
  readonly reserved: number;
  /** Scaling and bounds of dense samples; `undefined` for sparse ones. */
  readonly dense: { scaling: Scaling; bounds: Bounds } | undefined;
  /** Number that ends each sample, through which a dense perceptron learns its intercept. */
  readonly constant: number | undefined;
}

/** Sample of an example. */
export interface Encoded {
  readonly sample: Uint8Array;
  /** Number of words, columns or indices of the example that the model knows. */
  readonly known: number;
  /** Number of values that were moved to the bounds. */
  readonly clipped: number;
  /** Number of texts in categorical columns, or of indices with a value, that the model does not know. */
  readonly unseen: number;
}

/** One standard deviation in samples of 16 bits. */
const SCALE_16 = 4_096;
/** One standard deviation in samples of 32 bits. */
const SCALE_32 = 65_536;
const MAX_INT16 = 32_767;
const MAX_INT32 = 2_147_483_647;

/** Features that an extractor found, with their values. */
interface Extracted {
  readonly values: ReadonlyMap<number, number>;
  readonly known: number;
  readonly unseen: number;
}

/** Returns the name of a feature: a word, `#` and a number, a column, a dimension or an index. */
export function nameOf(
  { extractor }: Encoder,
  feature: number,
): string | undefined {
  switch (extractor.sort) {
    case "words":
      return extractor.words[feature];
    case "hashed":
      return feature < extractor.count ? `#${feature}` : undefined;
    case "vectors":
      return feature < extractor.dimensions ? `${feature + 1}` : undefined;
    case "columns":
      return extractor.names[feature];
    case "indices": {
      const index = extractor.indices[feature];
      return index === undefined ? undefined : `${index + extractor.first}`;
    }
  }
}

/** Returns the number of an example's features, without the constant. */
export function featuresOf({ extractor }: Encoder): number {
  switch (extractor.sort) {
    case "words":
      return extractor.words.length;
    case "hashed":
      return extractor.count;
    case "vectors":
      return extractor.dimensions;
    case "columns":
      return extractor.names.length;
    case "indices":
      return extractor.indices.length;
  }
}

/** Returns the tokens of a text, each with its feature; none of a model of word vectors. */
export function tokenFeatures(
  { extractor }: Encoder,
  text: string,
): { token: string; feature: number | undefined }[] {
  if (extractor.sort !== "words" && extractor.sort !== "hashed") return [];
  return tokens(extractor.rules, text).map((token) => ({
    token,
    feature:
      extractor.sort === "words"
        ? extractor.features.get(token)
        : hash(token) % extractor.count,
  }));
}

/**
 * Encodes a text. A model of word vectors needs its table.
 *
 * @throws InputError if the model did not learn from texts, or its table is missing.
 */
export function encodeText(
  encoder: Encoder,
  text: string,
  table?: Table,
): Encoded {
  const { extractor } = encoder;
  switch (extractor.sort) {
    case "words":
    case "hashed": {
      const values = new Map<number, number>();
      for (const { feature } of tokenFeatures(encoder, text)) {
        if (feature !== undefined) values.set(feature, 1);
      }
      return encode(encoder, { values, known: values.size, unseen: 0 });
    }
    case "vectors": {
      if (table?.sha256 !== extractor.sha256) {
        throw new InputError(
          `cannot read texts: the model's table of word vectors is missing, the one with SHA-256 ${extractor.sha256}`,
        );
      }
      const { numbers, known } = vectorOf(table, text);
      return encodeVector(encoder, numbers, known);
    }
    default:
      throw new InputError(
        "the model did not learn from texts; give it a row of values",
      );
  }
}

/** Encodes the numbers that a table of word vectors gives a text with so many known words. */
export function encodeVector(
  encoder: Encoder,
  numbers: readonly number[],
  known: number,
): Encoded {
  return encode(encoder, { values: inOrder(numbers), known, unseen: 0 });
}

/**
 * Encodes a row of a table: a value for each column, in order. The reserved columns may be left out
 * together; they are 0 then.
 *
 * @throws InputError
 */
export function encodeRow(encoder: Encoder, row: readonly Field[]): Encoded {
  const { extractor, reserved } = encoder;
  if (extractor.sort !== "columns") throw notOf(extractor, "a row of a table");
  const wanted = extractor.columns.length;
  if (row.length !== wanted && row.length + reserved !== wanted) {
    const alternative =
      reserved > 0 ? `, or ${wanted - reserved} without the reserved ones` : "";
    throw new InputError(
      `the row has ${row.length} values, expected ${wanted}${alternative}`,
    );
  }
  let unseen = 0;
  const numbers = extractor.columns.flatMap((column, at) => {
    const field = at < row.length ? (row[at] ?? null) : 0;
    const numbers = columns.numbersOf(column, field);
    if (columns.isUnseen(column, numbers)) unseen += 1;
    return numbers;
  });
  if (extractor.picture !== undefined) checkLevels(extractor.picture, numbers);
  return encode(encoder, {
    values: inOrder(numbers),
    known: numbers.length,
    unseen,
  });
}

function checkLevels(
  { levels }: PictureForm,
  numbers: readonly number[],
): void {
  const wrong = numbers.find((level) => !(level >= 0 && level <= levels - 1));
  if (wrong !== undefined) {
    throw new InputError(
      `a pixel is ${wrong}, expected a level of grey from 0 to ${levels - 1}`,
    );
  }
}

/**
 * Encodes a picture.
 *
 * @throws InputError if the model did not learn from pictures.
 */
export function encodePicture(encoder: Encoder, picture: Picture): Encoded {
  const { extractor } = encoder;
  if (extractor.sort !== "columns" || extractor.picture === undefined) {
    throw notOf(extractor, "a picture");
  }
  return encodeRow(encoder, levelsOf(extractor.picture, picture));
}

/**
 * Encodes a row whose values have the names of their columns, in any order. The reserved columns may
 * be left out.
 *
 * @throws InputError
 */
export function encodeNamed(
  encoder: Encoder,
  row: ReadonlyMap<string, Field>,
): Encoded {
  const { extractor, reserved } = encoder;
  if (extractor.sort !== "columns") throw notOf(extractor, "a row of a table");
  const all = extractor.columns;
  for (const name of row.keys()) {
    if (!all.some((column) => column.name === name)) {
      throw new InputError(
        `the row has ${name}, which is none of the model's columns`,
      );
    }
  }
  const needed = all.length - reserved;
  const fields = all.map(({ name }, at) => {
    const field = row.get(name);
    if (field === undefined && at < needed) {
      throw new InputError(`the row has no ${name}; give it a value`);
    }
    return field === undefined ? 0 : field;
  });
  return encodeRow(encoder, fields);
}

/**
 * Encodes numbers by their indices, which count as in the data that the model learned from.
 *
 * @throws InputError
 */
export function encodeIndices(
  encoder: Encoder,
  row: Iterable<readonly [index: number, value: number]>,
): Encoded {
  const { extractor } = encoder;
  if (extractor.sort !== "indices") throw notOf(extractor, "indices");
  const values = new Map<number, number>();
  const seen = new Set<number>();
  let unseen = 0;
  for (const [index, value] of row) {
    if (!Number.isInteger(index) || index < extractor.first) {
      throw new InputError(
        `the index is ${index}, expected a whole number from ${extractor.first}`,
      );
    }
    if (seen.has(index)) {
      throw new InputError(`the index ${index} is there twice; give it once`);
    }
    seen.add(index);
    if (value === 0) continue;
    const feature = extractor.features.get(index - extractor.first);
    if (feature === undefined) unseen += 1;
    else values.set(feature, value);
  }
  return encode(encoder, { values, known: values.size, unseen });
}

/**
 * Encodes a line as in libsvm files, without its label: `index:value …`.
 *
 * @throws InputError
 */
export function encodeLine(encoder: Encoder, line: string): Encoded {
  return encodeIndices(
    encoder,
    splitWhiteSpace(line).map((entry) => {
      const [index = "", ...rest] = entry.split(":");
      const value = columns.parseDecimal(rest.join(":"));
      if (!/^\d+$/.test(index) || value === undefined) {
        throw new InputError(`${entry} is no entry such as 3:0.5`);
      }
      return [Number(index), value] as const;
    }),
  );
}

function notOf(extractor: Extractor, given: string): InputError {
  const wanted = {
    words: "a text",
    hashed: "a text",
    vectors: "a text",
    columns: "a row of a table",
    indices: "numbers by their indices",
  }[extractor.sort];
  return new InputError(`the example is ${given}, expected ${wanted}`);
}

function inOrder(numbers: readonly number[]): Map<number, number> {
  return new Map(numbers.map((number, feature) => [feature, number]));
}

function encode(encoder: Encoder, extracted: Extracted): Encoded {
  const { values, unseen } = extracted;
  for (const [feature, value] of values) {
    if (!(Math.abs(value) <= MAX_NUMBER)) {
      throw new InputError(
        `${nameOf(encoder, feature)} is ${value}, expected a number between -1e100 and 1e100`,
      );
    }
  }
  const { dense } = encoder;
  if (dense === undefined) {
    const sample = sparse(encoder, values);
    return { sample, known: sample.length / 2, clipped: 0, unseen };
  }
  const isNarrow = encodingOf(encoder.learner) === "dense16";
  const scale = isNarrow ? SCALE_16 : SCALE_32;
  const scaled = dense.scaling.mean.map((mean, feature) => {
    const deviation = dense.scaling.deviation[feature] ?? 1;
    return (((values.get(feature) ?? 0) - mean) / deviation) * scale;
  });
  const constant = encoder.constant;
  // The constant keeps its value, whatever the other numbers are.
  const own = BigInt(constant ?? 0) ** 2n;
  const { maxNumber, maxSquaredLength } = dense.bounds;
  const rest = maxSquaredLength > own ? maxSquaredLength - own : 0n;
  const { numbers, clipped } = moved(
    scaled,
    Math.min(maxNumber, isNarrow ? MAX_INT16 : MAX_INT32),
    maxNumber,
    rest,
  );
  if (constant !== undefined) numbers.push(constant);
  const sample = isNarrow ? encodeDense16(numbers) : encodeDense32(numbers);
  return { sample, known: extracted.known, clipped, unseen };
}

function sparse(
  encoder: Encoder,
  values: ReadonlyMap<number, number>,
): Uint8Array {
  const present: number[] = [];
  for (const [feature, value] of values) {
    if (value === 0) continue;
    if (value !== 1) {
      throw new InputError(
        `${nameOf(encoder, feature)} is ${value}, but the model takes only 0 and 1`,
      );
    }
    present.push(feature);
  }
  return encodeSparse(present.sort((a, b) => a - b));
}

/**
 * Rounds numbers, half away from 0, and moves them within the bounds. A sample that is too long
 * keeps its direction, except for rounding toward 0.
 */
function moved(
  values: readonly number[],
  highest: number,
  maxNumber: number,
  maxSquaredLength: bigint,
): { numbers: number[]; clipped: number } {
  const whole = values.map(round);
  let numbers = whole.map((number) =>
    Math.min(Math.max(number, -maxNumber), highest),
  );
  const isMoved = numbers.map((number, at) => number !== whole[at]);
  const square = squaredLength(numbers);
  if (square > maxSquaredLength) {
    const longest = isqrt(maxSquaredLength);
    const length = isqrt(square - 1n) + 1n;
    numbers = numbers.map((number, at) => {
      const shorter = Number((BigInt(number) * longest) / length);
      if (shorter !== number) isMoved[at] = true;
      return shorter;
    });
  }
  return { numbers, clipped: isMoved.filter((it) => it).length };
}

function round(value: number): number {
  const whole = Math.trunc(value);
  return Math.abs(value - whole) >= 0.5 ? whole + Math.sign(value) : whole;
}
