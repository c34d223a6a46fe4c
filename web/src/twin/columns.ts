/** Columns of tables: their types, and the numbers that stand for a row (docs/spec.md). */

import { InputError, UnusableError } from "./error.ts";
import { compareTexts, trim } from "./unicode.ts";

/** Largest absolute value of a number that an encoder takes. */
export const MAX_NUMBER = 1e100;

/** Column of a table. */
export interface Column {
  readonly name: string;
  readonly type: "numeric" | "boolean" | "categorical";
  /** Texts of a categorical column that have a feature, in the order of their code points. */
  readonly values: readonly string[];
  /** `true` if all other texts have a feature together. */
  readonly other: boolean;
  /** Rule for missing values; `undefined` if they are refused. */
  readonly missing: Missing | undefined;
  /** Texts of a categorical column that stand for missing values, such as `n/a`. */
  readonly markers: readonly string[];
}

/** Rule for missing values, with the number that replaces one. */
export interface Missing {
  readonly rule: "mean" | "median" | "own";
  readonly fill: number;
}

/** Value of a column in a row, as `POST …/predict` takes it; `null` if it is missing. */
export type Field = number | string | boolean | null;

const MISSING = new Set([
  "",
  "NA",
  "N/A",
  "NaN",
  "nan",
  "null",
  "NULL",
  "None",
  "?",
  "-",
  ".",
]);
/** Texts for missing values that a categorical column takes for texts, unless its card has them. */
const OTHER_MARKERS = new Set([
  "#N/A",
  "#N/A N/A",
  "#NA",
  "-1.#IND",
  "-1.#QNAN",
  "-NaN",
  "-nan",
  "1.#IND",
  "1.#QNAN",
  "<NA>",
  "n/a",
]);
const TRUE = new Set(["true", "yes", "t", "y", "1"]);
const FALSE = new Set(["false", "no", "f", "n", "0"]);

/** Returns the number of features of a column. */
export function widthOf(column: Column): number {
  const own = column.missing?.rule === "own" ? 1 : 0;
  if (column.type !== "categorical") return 1 + own;
  return column.values.length + (column.other ? 1 : 0) + own;
}

/** Returns the name of each feature of a column: `age`, or `color=red`. */
export function featureNames(column: Column): string[] {
  const { name } = column;
  const own = column.missing?.rule === "own";
  if (column.type !== "categorical") {
    return own ? [name, `${name} (missing)`] : [name];
  }
  return [
    ...column.values.map((value) => `${name}=${value}`),
    ...(column.other ? [`${name}=(other)`] : []),
    ...(own ? [`${name}=(missing)`] : []),
  ];
}

/** Length of the names of all features, as in `learning`. */
const MAX_NAMES = 16 * 2 ** 20;

/**
 * Checks that the names of all features together are not too long.
 *
 * @throws UnusableError
 */
export function checkNames(columns: readonly Column[]): void {
  const utf8 = new TextEncoder();
  const bytes = (text: string): number => utf8.encode(text).length;
  const length = (column: Column): number => {
    const own = column.values.reduce((sum, value) => sum + bytes(value), 0);
    return widthOf(column) * bytes(column.name) + own;
  };
  const found = columns.reduce((sum, column) => sum + length(column), 0);
  if (found > MAX_NAMES)
    throw new UnusableError(
      `the names of all features together are ${found} bytes long, expected at most ${MAX_NAMES}`,
    );
}

/**
 * Checks a column of a card.
 *
 * @throws UnusableError
 */
export function checkColumn(column: Column): void {
  const fault = (cause: string): UnusableError =>
    new UnusableError(`cannot read the column ${column.name}: ${cause}`);
  const { type, values, other, missing, markers } = column;
  const hasOwn = values.length > 0 || other || markers.length > 0;
  if (type !== "categorical" && hasOwn) {
    throw fault("it has categories, but is not categorical");
  }
  if (type === "categorical") {
    if (!areSorted(values))
      throw fault("its categories are not in order, each once");
    if (values.length === 0 && !other) throw fault("it has no category");
    const marks = (it: string): boolean =>
      OTHER_MARKERS.has(it) && !values.includes(it);
    if (!areSorted(markers) || !markers.every(marks)) {
      throw fault("its markers of missing values are not what they may be");
    }
  }
  if (missing === undefined) return;
  const { rule, fill } = missing;
  const possible =
    type === "categorical"
      ? rule === "own" && Object.is(fill, 0)
      : type === "boolean"
        ? fill >= 0 && fill <= 1
        : Math.abs(fill) <= MAX_NUMBER;
  if (!possible) throw fault(`${fill} cannot stand for a missing value`);
}

/** Returns `true` if texts are in the order of their code points, each once. */
function areSorted(texts: readonly string[]): boolean {
  return texts.every((text, at) => {
    const before = texts[at - 1];
    return before === undefined || compareTexts(before, text) < 0;
  });
}

/** Returns `true` if a field stands for a missing value of a column. */
function isMissing(column: Column, field: string): boolean {
  if (MISSING.has(field)) return true;
  return column.type === "categorical"
    ? column.markers.includes(field)
    : OTHER_MARKERS.has(field);
}

/**
 * Returns the numbers that stand for a value of a column.
 *
 * @throws InputError
 */
export function numbersOf(column: Column, field: Field): number[] {
  const numbers = new Array<number>(widthOf(column)).fill(0);
  const value = typeof field === "string" ? trim(field) : field;
  if (
    value === null ||
    (typeof value === "string" && isMissing(column, value))
  ) {
    const { missing } = column;
    if (missing === undefined) {
      throw new InputError(
        `column ${column.name} has no value; the model needs one`,
      );
    }
    if (column.type !== "categorical") numbers[0] = missing.fill;
    if (missing.rule === "own") numbers[numbers.length - 1] = 1;
    return numbers;
  }
  switch (column.type) {
    case "numeric":
      numbers[0] =
        typeof value === "number" ? value : readNumber(value, column);
      break;
    case "boolean":
      numbers[0] = readTruth(textOf(value), column) ? 1 : 0;
      break;
    case "categorical": {
      const index = column.values.indexOf(textOf(value));
      if (index >= 0) numbers[index] = 1;
      else if (column.other) numbers[column.values.length] = 1;
    }
  }
  return numbers;
}

/** Returns `true` if a categorical column has no feature for the text behind these numbers. */
export function isUnseen(column: Column, numbers: readonly number[]): boolean {
  return (
    column.type === "categorical" &&
    numbers.every((number) => Object.is(number, 0))
  );
}

/**
 * Reads a decimal number: digits with a point, perhaps with a sign and an exponent.
 *
 * Returns `undefined` for anything else, also for what JavaScript takes beyond that.
 */
export function parseDecimal(text: string): number | undefined {
  const isDecimal = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text);
  return isDecimal ? Number(text) : undefined;
}

function readNumber(value: string | boolean, column: Column): number {
  const number = typeof value === "string" ? parseDecimal(value) : undefined;
  if (number === undefined) {
    throw new InputError(
      `column ${column.name} has ${String(value)}, expected a number such as 1.5`,
    );
  }
  return number;
}

function readTruth(text: string, column: Column): boolean {
  // ASCII alone: `toLowerCase` makes a `k` of the Kelvin sign, but no letter of these words.
  const lower = text.toLowerCase();
  if (TRUE.has(lower)) return true;
  if (FALSE.has(lower)) return false;
  throw new InputError(
    `column ${column.name} has ${text}, expected yes or no, true or false, 1 or 0`,
  );
}

/** Returns the text of a value, as Rust writes numbers: without an exponent. */
function textOf(value: string | number | boolean): string {
  if (typeof value !== "number") return String(value);
  if (Object.is(value, -0)) return "-0";
  const text = String(value);
  const [mantissa = "", exponent] = text.split("e");
  if (exponent === undefined) return text;
  const sign = mantissa.startsWith("-") ? "-" : "";
  const [whole = "", fraction = ""] = mantissa.replace("-", "").split(".");
  const digits = whole + fraction;
  const point = whole.length + Number(exponent);
  return point <= 0
    ? `${sign}0.${"0".repeat(-point)}${digits}`
    : `${sign}${digits.padEnd(point, "0")}`;
}
