import { drawn } from "./draw.ts";
import type { Payment } from "./payment.ts";
import type { Learner, Strategy } from "./service.ts";

/** Number of newest labels that the model does not learn yet, so that they can be undone. */
export const HELD = 2;
/** Number of rows in the queue at which further ones are asked for. */
export const LOW = 3;
/** Maximum number of random rows. */
const MAX_RANDOM = 400;
/** Number of labels for each class that a start asks for before there is a model. */
const START = 3;
/** Maximum number of rows that are asked for at once. */
const MAX_AT_ONCE = 30;

/** Rule that advises to stop. */
export type Rule = "kappa" | "uncertainty" | "none";

/** Choices of a labeling. */
export interface Options {
  learner: Learner;
  strategy: Strategy;
  rule: Rule;
  /** Maximum number of units that all sessions of it spend. */
  units: number;
  /** Number of rows that are asked for at once. */
  batch: number;
  /** Maximum number of rows that a question looks at. */
  look: number;
  /** Each row of so many is drawn at random. */
  every: number;
  seed: number;
}

/** Guess of the model. */
export interface Guess {
  label: number;
  /** Probability that the model gives it, from 0 to 1. */
  share: number;
}

/** Row that waits for its label. */
export interface Asked {
  row: number;
  isRandom: boolean;
  guess?: Guess;
}

/** Answer of the user. */
export interface Answer {
  row: number;
  /** Class; undefined if the row was skipped. */
  label?: number;
  isRandom: boolean;
  /** Class that the model guessed before. */
  guess?: number;
}

export type Labeled = readonly [row: number, label: number];

/** Work of the coordinator. */
export type Work =
  | { kind: "teach"; labels: readonly Labeled[] }
  | { kind: "ask"; rows: readonly number[]; count: number }
  | { kind: "guess"; rows: readonly number[] };

/** Labeling as it is kept in this browser. */
export interface Labeling {
  id: string;
  name: string;
  /** Time of its beginning on this computer, in milliseconds. */
  begun: number;
  /** Number of rows of the pool. */
  rows: number;
  classes: readonly string[];
  options: Options;
  /** Labels that the file had. */
  given: readonly Labeled[];
  /** Rows that are asked at random only, so that they stand for all rows. */
  random: readonly number[];
  answers: readonly Answer[];
  queue: readonly Asked[];
  /** Number of labels that the model has learned, of those of the file and then of the answers. */
  taught: number;
  /** Number of chosen rows since the last random one. */
  sinceRandom: number;
  /** `true` if no row is left to ask for. */
  isDry: boolean;
  /** `true` once the user has ended the questions: the model learns all labels. */
  isEnded: boolean;
  /** Open session of the coordinator. */
  session?: { id: string; token: string };
  /** Units of the session. */
  units: { spent: number; left: number };
  /** Units that earlier sessions spent. */
  before: number;
  /** Reason of the rule to stop. */
  advice?: string;
  /** Token that proves units that were paid for: they outlast their session. */
  account?: string;
  /** Purchase that has not ended. */
  payment?: Payment;
  /** Work that was begun, with the key that makes its repetition safe. */
  pending?: Work & { key: string };
}

/** Returns a labeling that has asked nothing. */
export function fresh(
  id: string,
  name: string,
  rows: number,
  classes: readonly string[],
  options: Options,
  given: readonly Labeled[],
  now = Date.now(),
): Labeling {
  const known = new Set(given.map(([row]) => row));
  const open = Array.from({ length: rows }, (_, at) => at).filter(
    (at) => !known.has(at),
  );
  const count = Math.min(MAX_RANDOM, Math.ceil(open.length / options.every));
  return {
    id,
    name,
    begun: now,
    rows,
    classes,
    options,
    given,
    random: drawn(open, count, options.seed),
    answers: [],
    queue: [],
    taught: 0,
    sinceRandom: 0,
    isDry: false,
    isEnded: false,
    units: { spent: 0, left: 0 },
    before: 0,
  };
}

/** Returns all labels: those of the file, then those of the user in their order. */
export function labelsOf({ given, answers }: Labeling): Labeled[] {
  const own = answers.flatMap(({ row, label }): Labeled[] =>
    label === undefined ? [] : [[row, label]],
  );
  return [...given, ...own];
}

/** Returns the number of labels that the model has learned or learns just now. */
function begunOf({ taught, pending }: Labeling): number {
  return taught + (pending?.kind === "teach" ? pending.labels.length : 0);
}

/** Returns the labeling after the first row of the queue got its label, or was skipped. */
export function answered(
  labeling: Labeling,
  label: number | undefined,
): Labeling {
  const [first, ...queue] = labeling.queue;
  if (!first) return labeling;
  const answer: Answer = {
    row: first.row,
    isRandom: first.isRandom,
    ...(label === undefined ? {} : { label }),
    ...(first.guess === undefined ? {} : { guess: first.guess.label }),
  };
  return { ...labeling, queue, answers: [...labeling.answers, answer] };
}

/**
 * Returns how the last answer can be undone: freely, by teaching all anew, or not at all.
 *
 * To close a session that was paid for gives its units back, so there it is not taught anew.
 */
export function undoing(labeling: Labeling): "free" | "anew" | "paid" | "none" {
  const last = labeling.answers.at(-1);
  if (!last) return "none";
  const isTaught =
    last.label !== undefined && begunOf(labeling) >= labelsOf(labeling).length;
  if (!isTaught) return "free";
  return labeling.account === undefined ? "anew" : "paid";
}

/** Returns the labeling without its last answer, whose row is asked again. */
export function undone(labeling: Labeling): Labeling {
  const last = labeling.answers.at(-1);
  if (!last) return labeling;
  const asked: Asked = { row: last.row, isRandom: last.isRandom };
  const cleared: Labeling = {
    ...labeling,
    answers: labeling.answers.slice(0, -1),
    queue: [asked, ...labeling.queue],
    isEnded: false,
  };
  return undoing(labeling) === "anew" ? withoutSession(cleared) : cleared;
}

/**
 * Returns the labeling without its session. Its labels stay, and the next session learns them all. So do
 * units that were paid for, and a payment that is signed.
 */
export function withoutSession(labeling: Labeling): Labeling {
  const { session: _, pending: __, advice: ___, payment, ...rest } = labeling;
  const isPaid = labeling.account !== undefined;
  return {
    ...rest,
    ...(payment?.header === undefined ? {} : { payment }),
    taught: 0,
    // An account counts all that was ever spent of it.
    ...(isPaid
      ? {}
      : {
          units: { spent: 0, left: 0 },
          before: labeling.before + labeling.units.spent,
        }),
  };
}

/** Bounds of one call and of a session. */
export interface Bounds {
  /** Maximum number of rows in a call. */
  call: number;
  /** Maximum number of labels. */
  labels: number;
}

/** Returns the next work of the coordinator; undefined if there is none. */
export function nextWork(labeling: Labeling, bounds: Bounds): Work | undefined {
  const { queue, options, taught, isEnded } = labeling;
  const isLow = queue.length <= LOW && !isEnded;
  const labels = labelsOf(labeling);
  const held = isEnded ? 0 : HELD;
  const ready = Math.max(labeling.given.length, labels.length - held);
  const teachable = labels.slice(taught, Math.min(ready, taught + bounds.call));
  const isDue = isEnded || isLow || teachable.length >= options.batch;
  if (teachable.length > 0 && isDue)
    return { kind: "teach", labels: teachable };
  const isFull = labels.length + queue.length >= bounds.labels;
  if (isLow && !labeling.isDry && !isFull) {
    const rows = candidates(labeling, Math.min(options.look, bounds.call));
    if (rows.length > 0)
      return { kind: "ask", rows, count: countOf(labeling, rows.length) };
  }
  if (taught === 0 || isEnded) return undefined;
  const open = queue.filter((asked) => asked.guess === undefined);
  const rows = open.map(({ row }) => row).slice(0, bounds.call);
  return rows.length > 0 ? { kind: "guess", rows } : undefined;
}

/** Returns rows that a question can look at, drawn if there are more than it may. */
function candidates(labeling: Labeling, look: number): number[] {
  const { answers, queue, random, given, options } = labeling;
  const known = new Set([
    ...answers.map(({ row }) => row),
    ...queue.map(({ row }) => row),
    ...given.map(([row]) => row),
    ...random,
  ]);
  const open: number[] = [];
  for (let row = 0; row < labeling.rows; row += 1)
    if (!known.has(row)) open.push(row);
  return open.length <= look
    ? open
    : drawn(open, look, options.seed + answers.length + 1);
}

function countOf(labeling: Labeling, rows: number): number {
  const { options, classes } = labeling;
  const isStart =
    options.strategy.startsWith("typiclust") ||
    options.strategy.startsWith("k-center");
  const missing = isStart
    ? START * classes.length - labelsOf(labeling).length
    : 0;
  const count = Math.max(options.batch, Math.min(missing, MAX_AT_ONCE));
  return Math.min(count, rows);
}

/** Returns the labeling once a piece of work was answered. */
export function learned(
  labeling: Labeling,
  labels: number,
  advice: string | undefined,
): Labeling {
  const { advice: _, pending: __, ...rest } = labeling;
  return {
    ...rest,
    taught: labeling.taught + labels,
    ...(advice === undefined ? {} : { advice }),
  };
}

/** Returns the labeling with chosen rows at the end of the queue, and random ones among them. */
export function chosen(labeling: Labeling, rows: readonly number[]): Labeling {
  const { pending: _, ...rest } = labeling;
  const queue = [...labeling.queue];
  let { sinceRandom } = labeling;
  const random = openRandom(labeling);
  for (const row of rows) {
    // A random row says nothing before there is a model to guess.
    if (labeling.taught > 0 && sinceRandom >= labeling.options.every - 1) {
      const drawn = random.shift();
      if (drawn !== undefined) queue.push({ row: drawn, isRandom: true });
      sinceRandom = 0;
    }
    queue.push({ row, isRandom: false });
    sinceRandom += 1;
  }
  return { ...rest, queue, sinceRandom, isDry: rows.length === 0 };
}

/** Returns the random rows that are not asked yet, in their order. */
export function openRandom({ random, answers, queue }: Labeling): number[] {
  const known = new Set([
    ...answers.map(({ row }) => row),
    ...queue.map(({ row }) => row),
  ]);
  return random.filter((row) => !known.has(row));
}

/** Returns the labeling with random rows at the end of the queue if no others are left. */
export function refilled(labeling: Labeling, bounds: Bounds): Labeling {
  if (labeling.isEnded || labeling.queue.length > LOW) return labeling;
  const isLeft = !labeling.isDry && candidates(labeling, 1).length > 0;
  const room =
    bounds.labels - labelsOf(labeling).length - labeling.queue.length;
  if (isLeft || room <= 0) return labeling;
  const rows = openRandom(labeling).slice(
    0,
    Math.min(room, labeling.options.batch),
  );
  const more = rows.map((row): Asked => ({ row, isRandom: true }));
  return more.length === 0
    ? labeling
    : { ...labeling, queue: [...labeling.queue, ...more] };
}

/** Returns the labeling with guesses of rows in the queue. */
export function guessed(
  labeling: Labeling,
  guesses: ReadonlyMap<number, Guess>,
): Labeling {
  const { pending: _, ...rest } = labeling;
  const queue = labeling.queue.map((asked) => {
    const guess = guesses.get(asked.row);
    return guess === undefined ? asked : { ...asked, guess };
  });
  return { ...rest, queue };
}

/** Returns `true` if a value has the form of a labeling of a pool with so many rows. */
export function isLabeling(value: unknown): value is Labeling {
  const of = (value ?? {}) as Partial<Record<keyof Labeling, unknown>>;
  return (
    typeof of.id === "string" &&
    typeof of.rows === "number" &&
    Array.isArray(of.classes) &&
    Array.isArray(of.answers) &&
    Array.isArray(of.queue) &&
    Array.isArray(of.given) &&
    Array.isArray(of.random)
  );
}
