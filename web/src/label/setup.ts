import { givenIn, type Pool } from "./pool.ts";
import type { Quotes } from "./service.ts";
import type { Options } from "./state.ts";
import { labelWords } from "./words.ts";

const words = labelWords.faults;
/** Key of the choices, which outlast a reload. */
const STORED = "cotrain:label-choices";

/** Choices before a session is opened. */
export interface Choices extends Omit<Options, "units"> {
  /** Units that the user has typed; `null` if none. */
  units: number | null;
}

/** Returns the choices that a new labeling begins with. */
export function freshChoices(): Choices {
  return {
    learner: "logistic",
    strategy: "typiclust-margin",
    rule: "kappa",
    units: null,
    batch: 5,
    look: 500,
    every: 5,
    seed: 0,
  };
}

/** Bounds of the numbers in the form. */
export const numbers = {
  batch: [1, 50],
  look: [10, 5_000],
  every: [2, 100],
  seed: [0, 1_000_000_000],
} as const;

/** Number of labels for which the suggested units are enough. */
const SUGGESTED = 200;

/** Returns the names of the classes, one a line. */
export function classesIn(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
}

/** Returns the reason why no session can be opened, in words. */
export function faultIn(
  pool: Pool,
  features: number,
  classes: readonly string[],
  { bounds }: Quotes,
): string | undefined {
  if (features === 0) return words.noNumbers;
  if (features > bounds.features)
    return words.manyNumbers(features, bounds.features);
  if (pool.uses.filter((use) => use === "label").length > 1)
    return words.twoLabels;
  if (classes.length < 2) return words.fewClasses;
  if (classes.length > bounds.classes)
    return words.manyClasses(classes.length, bounds.classes);
  const twice = classes.find((name, at) => classes.indexOf(name) !== at);
  if (twice !== undefined) return words.twiceClass(twice.slice(0, 60));
  if (givenIn(pool, classes).length >= pool.rows.length) return words.allGiven;
  return undefined;
}

/** Units of the parts of a labeling. */
export interface Cost {
  opening: number;
  /** Learning the labels of the file. */
  given: number;
  /** Asking for as many rows as are asked for at once, guessing and learning them. */
  batch: number;
}

/** Returns the number of labels for which units are enough. */
export function lasting(cost: Cost, units: number, batch: number): number {
  const rest = units - cost.opening - cost.given;
  return Math.max(0, Math.floor((rest * batch) / Math.max(1, cost.batch)));
}

/** Returns the number of units that the form suggests. */
export function suggested(cost: Cost, batch: number, max: number): number {
  const needed =
    cost.opening + cost.given + (cost.batch * SUGGESTED) / Math.max(1, batch);
  return Math.min(max, Math.ceil(needed / 100) * 100);
}

/** Place that rows come from. */
export type Source = "digits" | "file";

/** Choices and names of classes, as they outlast a reload. */
export interface Stored {
  choices: Choices;
  names: string;
  source: Source;
}

/** Returns the choices of an earlier load of the page in this tab. */
export function storedChoices(): Stored {
  const stored: Stored = {
    choices: freshChoices(),
    names: "",
    source: "digits",
  };
  try {
    const found = JSON.parse(sessionStorage.getItem(STORED) ?? "{}") as Record<
      string,
      unknown
    >;
    if (typeof found["names"] === "string") stored.names = found["names"];
    if (found["source"] === "file") stored.source = "file";
    const choices = (found["choices"] ?? {}) as Record<string, unknown>;
    const { learners, strategies, rules } = labelWords;
    for (const [key, known] of [
      ["learner", learners],
      ["strategy", strategies],
      ["rule", rules],
    ] as const) {
      const chosen = choices[key];
      if (typeof chosen === "string" && Object.hasOwn(known, chosen))
        Object.assign(stored.choices, { [key]: chosen });
    }
    for (const key of ["units", "batch", "look", "every", "seed"] as const)
      if (Number.isSafeInteger(choices[key]))
        stored.choices[key] = choices[key] as number;
  } catch {
    // Then nothing was chosen.
  }
  return stored;
}

/** Stores the choices for a reload. */
export function storeChoices(stored: Stored): void {
  try {
    sessionStorage.setItem(STORED, JSON.stringify(stored));
  } catch {
    // Then they are chosen again.
  }
}
