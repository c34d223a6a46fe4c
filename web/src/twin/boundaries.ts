/** Word boundaries of Unicode's Standard Annex #29, without tailorings and dictionaries. */

import { type WordBreak, is, wordBreak } from "./unicode.ts";

const ZERO_WIDTH_JOINER = "ZWJ";

function isLetter(type: WordBreak | undefined): boolean {
  return type === "ALetter" || type === "Hebrew_Letter";
}

function isNewline(type: WordBreak | undefined): boolean {
  return type === "CR" || type === "LF" || type === "Newline";
}

/** Returns `true` for characters that belong to the one before them (rule WB4). */
function isAttached(type: WordBreak | undefined): boolean {
  return type === "Extend" || type === "Format" || type === ZERO_WIDTH_JOINER;
}

function joinsLetters(type: WordBreak | undefined): boolean {
  return (
    type === "MidLetter" || type === "MidNumLet" || type === "Single_Quote"
  );
}

function joinsNumbers(type: WordBreak | undefined): boolean {
  return type === "MidNum" || type === "MidNumLet" || type === "Single_Quote";
}

/** Returns the segments of a text between its word boundaries; together they are the text. */
export function segments(points: readonly number[]): number[][] {
  const types = points.map(wordBreak);
  const found: number[][] = [];
  let start = 0;
  for (let at = 1; at <= points.length; at += 1) {
    if (at === points.length || isBoundary(points, types, at)) {
      found.push(points.slice(start, at));
      start = at;
    }
  }
  return found;
}

/** Returns the index of the character before `at` that is attached to none; -1 if there is none. */
function before(types: readonly WordBreak[], at: number): number {
  let index = at - 1;
  while (index >= 0 && isAttached(types[index])) {
    // Nothing is attached to the start of the text or to a line break.
    if (index === 0 || isNewline(types[index - 1])) return index;
    index -= 1;
  }
  return index;
}

/** Returns the index of the character after `at` that is attached to none. */
function after(types: readonly WordBreak[], at: number): number {
  let index = at + 1;
  while (isAttached(types[index])) index += 1;
  return index;
}

/** Returns `true` if there is a boundary before a character that is not the first. */
function isBoundary(
  points: readonly number[],
  types: readonly WordBreak[],
  at: number,
): boolean {
  const [last, next] = [types[at - 1], types[at]];
  if (last === "CR" && next === "LF") return false;
  if (isNewline(last) || isNewline(next)) return true;
  if (last === ZERO_WIDTH_JOINER && is("pictographic", points[at] ?? 0)) {
    return false;
  }
  if (last === "WSegSpace" && next === "WSegSpace") return false;
  if (isAttached(next)) return false;
  const leftAt = before(types, at);
  const left = types[leftAt];
  const lefter = leftAt > 0 ? types[before(types, leftAt)] : undefined;
  const righter = types[after(types, at)];
  if (isLetter(left)) {
    if (isLetter(next) || next === "Numeric") return false;
    if (joinsLetters(next) && isLetter(righter)) return false;
  }
  if (joinsLetters(left) && isLetter(lefter) && isLetter(next)) return false;
  if (left === "Hebrew_Letter") {
    if (next === "Single_Quote") return false;
    if (next === "Double_Quote" && righter === "Hebrew_Letter") return false;
  }
  if (
    lefter === "Hebrew_Letter" &&
    left === "Double_Quote" &&
    next === "Hebrew_Letter"
  ) {
    return false;
  }
  if (left === "Numeric") {
    if (next === "Numeric" || isLetter(next)) return false;
    if (joinsNumbers(next) && righter === "Numeric") return false;
  }
  if (joinsNumbers(left) && lefter === "Numeric" && next === "Numeric") {
    return false;
  }
  if (left === "Katakana" && next === "Katakana") return false;
  const extends_ =
    isLetter(left) ||
    left === "Numeric" ||
    left === "Katakana" ||
    left === "ExtendNumLet";
  if (extends_ && next === "ExtendNumLet") return false;
  if (
    left === "ExtendNumLet" &&
    (isLetter(next) || next === "Numeric" || next === "Katakana")
  ) {
    return false;
  }
  if (left === "Regional_Indicator" && next === "Regional_Indicator") {
    return regionalIndicators(types, leftAt) % 2 === 0;
  }
  return true;
}

/** Returns the number of regional indicators in a row up to an index. */
function regionalIndicators(types: readonly WordBreak[], last: number): number {
  let count = 0;
  let at = last;
  while (at >= 0 && types[at] === "Regional_Indicator") {
    count += 1;
    at = before(types, at);
  }
  return count;
}
