/** Reading of the `encoder` of a model's card, which its owner wrote: nothing of it is trusted. */

import {
  type Column,
  type Missing,
  checkColumn,
  checkNames,
  featureNames,
} from "./columns.ts";
import type { Encoder, Extractor, Scaling } from "./encoder.ts";
import { featuresOf } from "./encoder.ts";
import { UnusableError } from "./error.ts";
import { type Learner, encodingOf } from "./parameters.ts";
import { type PictureForm, pixelNames } from "./pictures.ts";
import type { Bounds } from "./sample.ts";
import type { TextRules } from "./tokens.ts";

const LEARNERS: readonly Learner[] = [
  "sparse-perceptron",
  "dense-perceptron",
  "naive-bayes",
  "sparse-nearest-centroid",
  "dense-nearest-centroid",
];
const KEYS = [
  "classifier",
  "features",
  "tokenizer",
  "word-pairs",
  "reserved",
  "zero-based",
  "scaling",
  "bounds",
  "constant",
];
/** Largest index of a card, as it counts from 1. */
const MAX_INDEX = 16_777_216;
const MAX_DIMENSIONS = 1_024;

function fault(cause: string): UnusableError {
  return new UnusableError(`cannot read the model's encoder: ${cause}`);
}

type Fields = Readonly<Record<string, unknown>>;

function fieldsOf(
  value: unknown,
  what: string,
  keys: readonly string[],
): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw fault(`${what} is no object`);
  }
  const unknown = Object.keys(value).find((key) => !keys.includes(key));
  if (unknown !== undefined) {
    throw fault(
      `${what} has the key ${unknown}, which this release does not know`,
    );
  }
  return value as Fields;
}

function listOf<T>(
  value: unknown,
  what: string,
  read: (value: unknown, what: string) => T,
): T[] {
  if (!Array.isArray(value)) throw fault(`${what} is no list`);
  return value.map((one: unknown) => read(one, what));
}

function text(value: unknown, what: string): string {
  if (typeof value !== "string") throw fault(`${what} is no text`);
  return value;
}

function truth(value: unknown, what: string): boolean {
  if (typeof value !== "boolean") throw fault(`${what} is not true or false`);
  return value;
}

function number(value: unknown, what: string): number {
  if (typeof value !== "number" || !Number.isFinite(value)) {
    throw fault(`${what} is no number`);
  }
  return value;
}

function wholeNumber(min: number, max: number) {
  return (value: unknown, what: string): number => {
    const whole = number(value, what);
    if (!Number.isInteger(whole) || whole < min || whole > max) {
      throw fault(`${what} is ${whole}, expected ${min} to ${max}`);
    }
    return whole;
  };
}

function oneOf<T extends string>(
  value: unknown,
  what: string,
  known: readonly T[],
): T {
  const found = known.find((it) => it === value);
  if (found === undefined) {
    throw fault(`${what} is unknown, expected one of ${known.join(", ")}`);
  }
  return found;
}

function checkOnce(names: readonly (string | number)[], what: string): void {
  if (new Set(names).size !== names.length) {
    throw fault(`${what} has something twice`);
  }
}

/**
 * Reads the `encoder` of a card.
 *
 * Words that no text can have are not looked for: they change no sample.
 *
 * @throws UnusableError
 */
export function readEncoder(value: unknown): Encoder {
  const card = fieldsOf(value, "it", KEYS);
  const learner = oneOf(card["classifier"], "its learner", LEARNERS);
  const encoding = encodingOf(learner);
  const rules: TextRules = {
    tokenizer: oneOf(card["tokenizer"] ?? "simple", "its tokenizer", [
      "simple",
      "unicode",
    ]),
    wordPairs: truth(card["word-pairs"] ?? false, "its choice of pairs"),
  };
  const zeroBased = truth(card["zero-based"] ?? false, "its first index");
  const reserved = wholeNumber(0, 65_536)(
    card["reserved"] ?? 0,
    "its number of reserved features",
  );
  const extractor = readExtractor(card["features"], rules, zeroBased, reserved);
  const constant =
    card["constant"] === undefined
      ? undefined
      : wholeNumber(1, 32_767)(card["constant"], "its constant");
  const encoder = { learner, extractor, reserved, constant, dense: undefined };
  const picture = extractor.sort === "columns" ? extractor.picture : undefined;
  const features = featuresOf(encoder);
  const constants = constant === undefined ? 0 : 1;
  const max = (encoding === "sparse" ? 65_536 : 4_096) - constants;
  if (features < 1 || features > max) {
    throw fault(`it has ${features} features, expected 1 to ${max}`);
  }
  if (constant !== undefined && learner !== "dense-perceptron") {
    throw fault(`a ${learner} has no constant`);
  }
  if (reserved > 0 && (encoding !== "sparse" || reserved >= features)) {
    throw fault(`it reserves ${reserved} of ${features} features`);
  }
  if (encoding === "sparse") {
    if (card["scaling"] !== undefined || card["bounds"] !== undefined) {
      throw fault(`a ${learner} has no numbers to scale or bound`);
    }
    if (extractor.sort === "vectors") {
      throw fault(`a ${learner} takes no word vectors`);
    }
    const levels = picture?.levels ?? 2;
    if (levels > 2) {
      throw fault(`a ${learner} takes pictures of 2 levels, not of ${levels}`);
    }
    return encoder;
  }
  const scaling = readScaling(card["scaling"], features);
  const bounds = readBounds(card["bounds"], encoding, features + constants);
  if (
    constant !== undefined &&
    (constant > bounds.maxNumber ||
      BigInt(constant) ** 2n >= bounds.maxSquaredLength)
  ) {
    throw fault(`its constant ${constant} leaves nothing to other numbers`);
  }
  return { ...encoder, dense: { scaling, bounds } };
}

function readExtractor(
  value: unknown,
  rules: TextRules,
  zeroBased: boolean,
  reserved: number,
): Extractor {
  const known = [
    "words",
    "hashed",
    "vectors",
    "columns",
    "table",
    "pictures",
    "indices",
    "indices-up-to",
  ] as const;
  const fields = fieldsOf(value, "the list of features", known);
  const [only, second] = known.filter((key) => fields[key] !== undefined);
  if (only === undefined || second !== undefined) {
    throw fault("it has not exactly one sort of features");
  }
  const ofTexts = only === "words" || only === "hashed";
  if (!ofTexts && (rules.tokenizer !== "simple" || rules.wordPairs)) {
    throw fault("it has rules for texts, but its features are no words");
  }
  if (zeroBased && only !== "indices" && only !== "indices-up-to") {
    throw fault("it counts indices, but its features are none");
  }
  const given = fields[only];
  const first = zeroBased ? 0 : 1;
  switch (only) {
    case "words": {
      const words = listOf(given, "the list of words", text);
      checkOnce(words, "the list of words");
      const features = new Map(words.map((word, at) => [word, at]));
      return { sort: "words", words, features, rules };
    }
    case "hashed": {
      const count = wholeNumber(2, 65_536)(given, "the number of hashed words");
      if (reserved > 0) throw fault("hashed words cannot be reserved");
      return { sort: "hashed", count, rules };
    }
    case "vectors": {
      const table = fieldsOf(given, "the table of word vectors", [
        "sha256",
        "dimensions",
      ]);
      const sha256 = text(table["sha256"], "the SHA-256 of the table");
      if (!/^[0-9a-f]{64}$/.test(sha256)) {
        throw fault("the SHA-256 of the table has not 64 lower-case digits");
      }
      const dimensions = wholeNumber(1, MAX_DIMENSIONS)(
        table["dimensions"],
        "the number of dimensions",
      );
      return { sort: "vectors", sha256, dimensions };
    }
    case "columns": {
      const names = listOf(given, "the list of columns", text);
      return ofColumns(names.map(numeric));
    }
    case "table": {
      const columns = listOf(given, "the list of columns", readColumn);
      const last = columns.slice(Math.max(columns.length - reserved, 0));
      if (
        !last.every((it) => it.type === "numeric" && it.missing === undefined)
      ) {
        throw fault("a reserved column is not one of numbers");
      }
      return ofColumns(columns);
    }
    case "pictures": {
      const picture = readPicture(given);
      const columns = pixelNames(picture).map(numeric);
      return { ...ofColumns(columns), picture };
    }
    case "indices": {
      const index = wholeNumber(1, MAX_INDEX);
      const fromOne = listOf(given, "an index", index);
      checkOnce(fromOne, "the list of indices");
      return ofIndices(
        fromOne.map((index) => index - 1),
        first,
      );
    }
    case "indices-up-to": {
      const last = wholeNumber(1, 65_536)(given, "the last index");
      return ofIndices(
        Array.from({ length: last }, (_, index) => index),
        first,
      );
    }
  }
}

function ofIndices(indices: number[], first: number): Extractor {
  const features = new Map(indices.map((index, at) => [index, at]));
  return { sort: "indices", indices, features, first };
}

function numeric(name: string): Column {
  return {
    name,
    type: "numeric",
    values: [],
    other: false,
    missing: undefined,
    markers: [],
  };
}

/** Extractor of the columns of a table. */
type OfColumns = Extract<Extractor, { sort: "columns" }>;

function ofColumns(columns: Column[]): OfColumns {
  columns.forEach(checkColumn);
  checkNames(columns);
  const names = columns.flatMap(featureNames);
  checkOnce(
    columns.map((column) => column.name),
    "the list of columns",
  );
  checkOnce(names, "the list of features");
  return { sort: "columns", columns, names, picture: undefined };
}

function readPicture(value: unknown): PictureForm {
  const keys = ["width", "height", "levels", "ink"];
  const form = fieldsOf(value, "the form of pictures", keys);
  const side = wholeNumber(1, 65_536);
  const width = side(form["width"], "the width of pictures");
  const height = side(form["height"], "the height of pictures");
  if (width * height > 65_536) {
    throw fault(
      `its pictures have ${width}x${height} pixels, expected at most 65536`,
    );
  }
  const levels = wholeNumber(2, 256)(form["levels"], "the levels of grey");
  const ink = truth(form["ink"] ?? false, "the choice of ink");
  return { width, height, levels, ink };
}

function readColumn(value: unknown): Column {
  const keys = ["name", "type", "values", "other", "missing", "markers"];
  const column = fieldsOf(value, "a column", keys);
  const types = ["numeric", "boolean", "categorical"] as const;
  return {
    name: text(column["name"], "the name of a column"),
    type: oneOf(column["type"], "the type of a column", types),
    values: listOf(column["values"] ?? [], "the categories", text),
    other: truth(column["other"] ?? false, "the choice of other categories"),
    missing: readMissing(column["missing"]),
    markers: listOf(column["markers"] ?? [], "markers of missing values", text),
  };
}

function readMissing(value: unknown): Missing | undefined {
  if (value === undefined || value === "refuse") return undefined;
  const rules = ["mean", "median", "own"] as const;
  const fields = fieldsOf(value, "a rule for missing values", rules);
  const [rule, second] = rules.filter((key) => fields[key] !== undefined);
  if (rule === undefined || second !== undefined) {
    throw fault("a column has not exactly one rule for missing values");
  }
  return {
    rule,
    fill: number(fields[rule], "what stands for a missing value"),
  };
}

function readScaling(value: unknown, features: number): Scaling {
  const scaling = fieldsOf(value, "its scaling", ["mean", "deviation"]);
  const mean = listOf(scaling["mean"], "a mean", number);
  const deviation = listOf(scaling["deviation"], "a deviation", number);
  if (mean.length !== features || deviation.length !== features) {
    throw fault(`its scaling is not of ${features} features`);
  }
  if (!deviation.every((it) => it > 0)) {
    throw fault("a standard deviation is not above 0");
  }
  return { mean, deviation };
}

function readBounds(
  value: unknown,
  encoding: "dense16" | "dense32",
  features: number,
): Bounds {
  const largest = encoding === "dense16" ? 2 ** 15 : 2 ** 31;
  const longest = (maxNumber: number): bigint =>
    BigInt(features) * BigInt(maxNumber) ** 2n;
  if (value === undefined) {
    return { maxNumber: largest, maxSquaredLength: longest(largest) };
  }
  const keys = ["largest-number", "largest-squared-length"];
  const bounds = fieldsOf(value, "its bounds", keys);
  const maxNumber = wholeNumber(1, largest)(
    bounds["largest-number"],
    "its largest number",
  );
  const digits = text(
    bounds["largest-squared-length"],
    "its largest squared length",
  );
  const squared = /^\+?\d{1,40}$/.test(digits) ? BigInt(digits) : 0n;
  if (squared < 1n || squared > longest(maxNumber)) {
    throw fault(
      `its largest squared length is ${digits}, expected 1 to ${longest(maxNumber)}`,
    );
  }
  return { maxNumber, maxSquaredLength: squared };
}
