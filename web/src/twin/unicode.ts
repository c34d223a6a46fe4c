/**
 * Properties of characters by the Unicode version of the Rust crate, whatever the browser's is.
 *
 * `unicode-data.json` is written by a test of that crate (`crates/learning/tests/unicode.rs`).
 * Normalization alone is the browser's: it differs for characters that are newer than the browser.
 */

import data from "./unicode-data.json" with { type: "json" };

/** Number of characters whose properties are looked up without a search: all of Latin and Greek. */
const COMMON = 0x400;

/** Set of characters. */
interface CharacterSet {
  /** Sorted starts of ranges in the set and, in between, of ranges that are not. */
  readonly starts: Uint32Array;
  /** 1 for each of the first characters that is in the set. */
  readonly common: Uint8Array;
}

function readSet(lengths: string): CharacterSet {
  const starts = readStarts(lengths);
  const common = Uint8Array.from(
    { length: COMMON },
    (_, character) => rank(starts, character) % 2,
  );
  return { starts, common };
}

/** Reads the starts of ranges from the lengths of those before them, in base 36. */
function readStarts(lengths: string): Uint32Array {
  let at = 0;
  return Uint32Array.from(lengths.split(" "), (length) => {
    at += Number.parseInt(length, 36);
    return at;
  });
}

/** Returns the number of range starts that are not above the character. */
function rank(starts: Uint32Array, character: number): number {
  let low = 0;
  let high = starts.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((starts[middle] ?? Infinity) <= character) low = middle + 1;
    else high = middle;
  }
  return low;
}

function has({ starts, common }: CharacterSet, character: number): boolean {
  return (common[character] ?? rank(starts, character) % 2) === 1;
}

const sets = {
  alphanumeric: readSet(data.alphanumeric),
  cased: readSet(data.cased),
  caseIgnorable: readSet(data.caseIgnorable),
  defaultIgnorable: readSet(data.defaultIgnorable),
  ideographic: readSet(data.ideographic),
  mark: readSet(data.mark),
  nonspacingMark: readSet(data.nonspacingMark),
  pictographic: readSet(data.pictographic),
  regionalIndicator: readSet(data.regionalIndicator),
  unspaced: readSet(data.unspaced),
  whiteSpace: readSet(data.whiteSpace),
};

/** Property of characters that is true or false. */
export type Property = keyof typeof sets;

/** Returns `true` if a character, given by its code point, has a property. */
export function is(property: Property, character: number): boolean {
  return has(sets[property], character);
}

/** Class of characters that no rule for word boundaries names. */
const OTHER = "Other";

/** Class of a character in Unicode's rules for word boundaries. */
export type WordBreak = (typeof data.wordBreak.classes)[number];

const wordBreakStarts = readStarts(data.wordBreak.lengths);
const wordBreakClasses = data.wordBreak.ranges
  .split(" ")
  .map((index) => data.wordBreak.classes[Number.parseInt(index, 36)] ?? OTHER);
const commonWordBreaks = Array.from({ length: COMMON }, (_, character) =>
  findWordBreak(character),
);

/** Returns the class of a character in Unicode's rules for word boundaries. */
export function wordBreak(character: number): WordBreak {
  return commonWordBreaks[character] ?? findWordBreak(character);
}

function findWordBreak(character: number): WordBreak {
  return wordBreakClasses[rank(wordBreakStarts, character) - 1] ?? OTHER;
}

/** Lower case of each character that has another one, of one character. */
const lowerCases = new Map<number, number>();
for (const run of data.lowerCase.split(" ")) {
  const [first, count, step, difference] = run
    .split(",")
    .map((number) => Number.parseInt(number, 36));
  for (let at = 0; at < (count ?? 0); at += 1) {
    const upper = (first ?? 0) + at * (step ?? 1);
    lowerCases.set(upper, upper + (difference ?? 0));
  }
}

const CAPITAL_SIGMA = 0x3a3;
const FINAL_SIGMA = 0x3c2;
const SIGMA = 0x3c3;
const CAPITAL_DOTTED_I = 0x130;
const SMALL_I = 0x69;
const DOT_ABOVE = 0x307;

/** Returns the code points of a text. Halves of pairs that are alone become U+FFFD. */
export function characters(text: string): number[] {
  return Array.from(text, (character) => {
    const point = character.codePointAt(0) ?? 0;
    return point >= 0xd800 && point <= 0xdfff ? 0xfffd : point;
  });
}

/** Returns the text of code points. */
export function toText(points: readonly number[]): string {
  let text = "";
  // The arguments of one call are limited.
  for (let at = 0; at < points.length; at += 4_096) {
    text += String.fromCodePoint(...points.slice(at, at + 4_096));
  }
  return text;
}

/** Converts to lower case by Unicode's full mapping, with the final sigma, of no language. */
export function lowerCase(points: readonly number[]): number[] {
  const lower: number[] = [];
  points.forEach((point, at) => {
    if (point === CAPITAL_SIGMA) {
      const isFinal =
        isCasedNext(points, at, -1) && !isCasedNext(points, at, 1);
      lower.push(isFinal ? FINAL_SIGMA : SIGMA);
    } else if (point === CAPITAL_DOTTED_I) {
      lower.push(SMALL_I, DOT_ABOVE);
    } else {
      lower.push(lowerCases.get(point) ?? point);
    }
  });
  return lower;
}

/** Returns `true` if the next character that case does not ignore, in a direction, is a letter. */
function isCasedNext(
  points: readonly number[],
  from: number,
  step: 1 | -1,
): boolean {
  for (let at = from + step; ; at += step) {
    const point = points[at];
    if (point === undefined) return false;
    if (!is("caseIgnorable", point)) return is("cased", point);
  }
}

/** Returns a text without the white space at its ends. */
export function trim(text: string): string {
  const points = characters(text);
  const isKept = (point: number): boolean => !is("whiteSpace", point);
  const first = points.findIndex(isKept);
  if (first < 0) return "";
  return toText(points.slice(first, points.findLastIndex(isKept) + 1));
}

/** Returns the longest parts of a text without white space. */
export function splitWhiteSpace(text: string): string[] {
  const parts: string[] = [];
  let part = "";
  for (const character of text) {
    if (!is("whiteSpace", character.codePointAt(0) ?? 0)) {
      part += character;
    } else if (part !== "") {
      parts.push(part);
      part = "";
    }
  }
  return part === "" ? parts : [...parts, part];
}

/** Compares two texts by their code points, as Rust does. */
export function compareTexts(a: string, b: string): number {
  const [left, right] = [characters(a), characters(b)];
  const shorter = Math.min(left.length, right.length);
  for (let at = 0; at < shorter; at += 1) {
    const difference = (left[at] ?? 0) - (right[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}
