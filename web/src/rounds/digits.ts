/** The user's own digits. They stay in this browser. */

import { Order, PIXELS } from "../twin/federated/index.ts";
import { store, stored } from "../wallet/storage.ts";
import type { Examples } from "./training.ts";

/** Digit with its label. */
export interface Digit {
  /** Levels of grey, row by row: 0 is paper, and 16 is ink. */
  levels: Uint8Array;
  label: number;
}

/** Number of digits from which on the page trains, and maximum number that it keeps. */
export const [ENOUGH, MOST] = [10, 2_000] as const;
/** One of so many digits is not learned from, on average. */
const HELD = 5;
/** Seed by which digits are held out. With it, three of the first ten are. */
const SEED = 125_025_270;
/** Base of the levels' digits, as in the pictures that come with the page. */
const BASE = 17;
const KEY = "cotrain-digits-1";

/** Returns the digits that this browser keeps. */
export function keptDigits(): Digit[] {
  const lines = (stored(KEY) ?? "").split("\n");
  return lines.flatMap((line) => {
    if (!/^\d{1,3} [0-9a-g]{64}$/.test(line)) return [];
    const [label = "", levels = ""] = line.split(" ");
    return [{ label: Number(label), levels: levelsIn(levels) }];
  });
}

/** Keeps digits in this browser. Returns `false` if it cannot. */
export function keepDigits(digits: readonly Digit[]): boolean {
  const lines = digits.map(({ label, levels }) => {
    const text = Array.from(levels, (level) => level.toString(BASE));
    return `${label} ${text.join("")}`;
  });
  return store(KEY, lines.length === 0 ? undefined : lines.join("\n"));
}

/** Reads the levels of a picture, a digit to the base of 17 each. */
export function levelsIn(text: string): Uint8Array {
  return Uint8Array.from(text, (digit) => Number.parseInt(digit, BASE));
}

/** Returns the pictures that come with the page, without labels. */
export async function givenPictures(): Promise<Uint8Array[]> {
  const { default: pictures } = await import("../label/digits.json");
  return pictures.map(levelsIn);
}

/**
 * Divides digits into those to learn from and those to measure with. A digit stays where it is as
 * others come after it, whatever the order of their labels.
 */
export function divided(digits: readonly Digit[]): {
  learned: Examples;
  held: Examples;
} {
  const order = new Order(SEED);
  const marked = digits.map((digit) => ({
    digit,
    isHeld: order.below(HELD) === 0,
  }));
  const some = (isHeld: boolean): Examples => {
    const chosen = marked.filter((it) => it.isHeld === isHeld);
    const features = new Uint8Array(chosen.length * PIXELS);
    for (const [at, { digit }] of chosen.entries())
      features.set(digit.levels, at * PIXELS);
    const labels = Uint16Array.from(chosen, ({ digit }) => digit.label);
    return { features, labels };
  };
  return { learned: some(false), held: some(true) };
}
