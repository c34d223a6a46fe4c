/** What was typed before it became a sample: kept in this browser alone, since the chain has samples. */

import type { Given } from "../model/form.ts";
import { teachWords } from "./words.ts";

/** Input of a contribution as its author gave it. */
export interface Original {
  /** Trainer of the model, in lower case. */
  trainer: string;
  /** Hash of the transaction, or id of the signed batch, that the contribution came by. */
  by: string;
  /** Index among the contributions that came by it. */
  index: number;
  /** Id by which this page follows the transaction, whose hash can change. */
  sending?: string;
  given: Given;
  label: number;
  /** Bytes that the chain has if the input became what it should, in hexadecimal digits. */
  sample: string;
}

/** Contribution, as far as it tells its original. */
interface Stored {
  transaction: string;
  submission?: string | null;
  position: number;
  firstPosition: number;
  sample: string;
  label: number;
}

const words = teachWords.originals;

const KEY = "cotrain-originals";
/** Version of the exported JSON. */
const FORM = "cotrain-originals/1";
/** Maximum number of originals that a browser keeps. None is given up for another one. */
const MAX = 5_000;
/** Maximum length of an imported file, in UTF-16 units. */
const MAX_FILE = 20_000_000;

/** Returns all originals of this browser, the oldest first. */
export function allOriginals(): Original[] {
  try {
    return read(localStorage.getItem(KEY) ?? "[]");
  } catch {
    return [];
  }
}

/** Keeps originals. Returns `false` if the browser has no room or keeps nothing. */
export function keep(added: readonly Original[]): boolean {
  const names = new Set(added.map(nameOf));
  const others = allOriginals().filter((one) => !names.has(nameOf(one)));
  const all = [...others, ...added];
  return all.length <= MAX && write(all);
}

/** Notes the hash of a followed transaction: a wallet can send one anew for a higher fee. */
export function moveTo(sending: string, by: string): boolean {
  const all = allOriginals();
  if (!all.some((one) => one.sending === sending && one.by !== by)) return true;
  return write(
    all.map((one) => (one.sending === sending ? { ...one, by } : one)),
  );
}

/** Returns the originals of a transaction or a signed batch, in order. */
export function originalsBy(trainer: string, by: string): Original[] {
  const own = trainer.toLowerCase();
  return allOriginals()
    .filter((one) => one.trainer === own && one.by === by)
    .sort((a, b) => a.index - b.index);
}

/** Returns the original of a contribution; undefined if this browser has none. */
export function originalOf(
  trainer: string,
  contribution: Stored,
): Original | undefined {
  const { submission, transaction, sample, label } = contribution;
  const found = originalsBy(trainer, submission ?? transaction);
  const exact = found.find(
    (one) => one.sample === sample && one.label === label,
  );
  if (exact) return exact;
  // Among several signed batches in a transaction, the index is known only of a single example.
  if (submission) return found.length === 1 ? found[0] : undefined;
  const index = contribution.position - contribution.firstPosition;
  return found.find((one) => one.index === index);
}

/** Returns the originals of a model, or all, as JSON to keep elsewhere. */
export function exported(trainer?: string): string {
  const own = trainer?.toLowerCase();
  const originals = allOriginals().filter(
    (one) => own === undefined || one.trainer === own,
  );
  return `${JSON.stringify({ form: FORM, originals }, undefined, 1)}\n`;
}

/**
 * Adds the originals of an exported file. Returns their number.
 *
 * @throws Error with words for people if the file is none.
 */
export function imported(text: string): number {
  if (text.length > MAX_FILE) throw new Error(words.large);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error(words.noJson);
  }
  const file = value as { form?: unknown; originals?: unknown } | null;
  if (file?.form !== FORM) throw new Error(words.noForm(FORM));
  const originals = read(JSON.stringify(file.originals));
  if (!keep(originals)) throw new Error(words.noRoom);
  return originals.length;
}

/** Forgets the originals of a model. */
export function forget(trainer: string): void {
  const own = trainer.toLowerCase();
  write(allOriginals().filter((one) => one.trainer !== own));
}

function nameOf({ trainer, by, index }: Original): string {
  return `${trainer} ${by} ${index}`;
}

function write(originals: readonly Original[]): boolean {
  try {
    localStorage.setItem(KEY, JSON.stringify(originals));
    return true;
  } catch {
    return false;
  }
}

/** Reads originals, and leaves out what has another form. */
function read(text: string): Original[] {
  const value: unknown = JSON.parse(text);
  return Array.isArray(value) ? value.filter(isOriginal) : [];
}

function isOriginal(value: unknown): value is Original {
  if (typeof value !== "object" || value === null) return false;
  const one = value as Partial<Record<keyof Original, unknown>>;
  return (
    typeof one.trainer === "string" &&
    /^0x[0-9a-f]{40}$/.test(one.trainer) &&
    typeof one.by === "string" &&
    /^0x[0-9a-f]{64}$/.test(one.by) &&
    Number.isSafeInteger(one.index) &&
    (one.sending === undefined || typeof one.sending === "string") &&
    Number.isSafeInteger(one.label) &&
    typeof one.sample === "string" &&
    /^0x([0-9a-f]{2})*$/.test(one.sample) &&
    isGiven(one.given)
  );
}

/** Returns `true` if a stored value is an input. */
export function isGiven(value: unknown): value is Given {
  if (typeof value !== "object" || value === null) return false;
  if ("text" in value) return typeof value.text === "string";
  if ("row" in value)
    return Array.isArray(value.row) && value.row.every(isField);
  return (
    "features" in value &&
    Array.isArray(value.features) &&
    value.features.every(Number.isSafeInteger)
  );
}

function isField(value: unknown): boolean {
  return (
    value === null ||
    typeof value === "string" ||
    typeof value === "boolean" ||
    (typeof value === "number" && Number.isFinite(value))
  );
}
