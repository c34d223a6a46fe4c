/** Rules by which a text is read as tokens (docs/spec.md, "Texts"). */

import { segments } from "./boundaries.ts";
import { characters, is, lowerCase, toText } from "./unicode.ts";

/** Rule for words. */
export type Tokenizer = "simple" | "unicode";

/** Rules by which an encoder reads texts. */
export interface TextRules {
  readonly tokenizer: Tokenizer;
  /** `true` if two neighboring words, joined by a space, are a token, too. */
  readonly wordPairs: boolean;
}

const UNDERSCORE = 0x5f;
const STRAIGHT_APOSTROPHE = 0x27;
const TYPOGRAPHIC_APOSTROPHE = 0x2019;

/** Returns the tokens of a text, in order. A pair follows its second word. */
export function tokens(rules: TextRules, text: string): string[] {
  const words = rules.tokenizer === "simple" ? simple(text) : unicode(text);
  if (!rules.wordPairs) return words;
  return words.flatMap((word, at) => {
    const before = words[at - 1];
    return before === undefined ? [word] : [word, `${before} ${word}`];
  });
}

/** Returns the hash of a token: FNV-1a of 32 bits over its UTF-8. */
export function hash(token: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(token)) {
    hash = Math.imul(hash ^ byte, 0x0100_0193);
  }
  return hash >>> 0;
}

/** Returns the longest runs of at least two letters, digits or underscores, in lower case. */
function simple(text: string): string[] {
  const isOfWord = (point: number): boolean =>
    point === UNDERSCORE || is("alphanumeric", point);
  return split(lowerCase(characters(text)), isOfWord)
    .filter((word) => word.length > 1)
    .map(toText);
}

/** Returns the longest runs of characters that are kept. */
function split(
  points: readonly number[],
  isKept: (point: number) => boolean,
): number[][] {
  const runs: number[][] = [];
  let run: number[] = [];
  for (const point of points) {
    if (isKept(point)) {
      run.push(point);
    } else if (run.length > 0) {
      runs.push(run);
      run = [];
    }
  }
  if (run.length > 0) runs.push(run);
  return runs;
}

function unicode(text: string): string[] {
  const kept = characters(text)
    .filter((point) => !isIgnored(point))
    .map((point) =>
      point === TYPOGRAPHIC_APOSTROPHE ? STRAIGHT_APOSTROPHE : point,
    );
  const normal = characters(toText(lowerCase(kept)).normalize("NFC"));
  return split(normal, (point) => !is("whiteSpace", point)).flatMap(ofPiece);
}

/** Returns `true` for ignorable characters that neither separate words nor join letters or emoji. */
function isIgnored(point: number): boolean {
  const stays =
    (point >= 0x200b && point <= 0x200d) ||
    (point >= 0xe0020 && point <= 0xe007f);
  return !stays && is("defaultIgnorable", point);
}

/** Returns the words of a piece without white space. */
function ofPiece(piece: readonly number[]): string[] {
  const words: string[] = [];
  let rest = piece;
  for (;;) {
    const start = rest.findIndex((point) => is("unspaced", point));
    if (start < 0) return [...words, ...ofSegments(rest)];
    words.push(...ofSegments(rest.slice(0, start)));
    const run = rest.slice(start);
    const end = run.findIndex(
      (point) => !is("unspaced", point) && !is("mark", point),
    );
    const length = end < 0 ? run.length : end;
    words.push(...pairs(run.slice(0, length)));
    rest = run.slice(length);
  }
}

/** Returns each two neighboring letters of a run with their marks; the letter if it is the only one. */
function pairs(run: readonly number[]): string[] {
  const starts = run.flatMap((point, at) =>
    is("unspaced", point) ? [at] : [],
  );
  if (starts.length < 2) return [toText(run)];
  return starts
    .slice(0, -1)
    .map((start, at) => toText(run.slice(start, starts[at + 2])));
}

/** Returns the words between the boundaries of Unicode's Standard Annex #29. */
function ofSegments(points: readonly number[]): string[] {
  const isOfWord = (point: number): boolean =>
    is("alphanumeric", point) ||
    (point > 0x7f &&
      (is("pictographic", point) || is("regionalIndicator", point)));
  return segments(points)
    .filter((segment) => segment.some(isOfWord))
    .map(toText);
}
