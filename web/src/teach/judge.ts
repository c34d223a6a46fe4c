import type { Contribution } from "../api/client.ts";
import { encoded } from "../model/encoded.ts";
import type { Predictor } from "../model/predictor.ts";
import { MAX, tamed } from "../text/strangers.ts";
import {
  checkToLearn,
  encodingOf,
  predict,
  toHex,
  type Item,
} from "../twin/index.ts";
import type { Draft } from "./drafts.svelte.ts";

/** Something that the author of a draft should know. */
export type Note =
  /** The model knows nothing of it. */
  | { kind: "unknown" }
  /** An earlier draft says the same, or gives another class; `other` is its index. */
  | { kind: "same"; other: number }
  | { kind: "contradicts"; other: number }
  /** It was contributed before. */
  | { kind: "before"; position: number; isOwn: boolean }
  /** It is in a signed batch that the coordinator may have. */
  | { kind: "unsure" }
  /** So many values were moved to the model's bounds. */
  | { kind: "clipped"; values: number };

/** Draft with what the model makes of it now. */
export interface Judged {
  draft: Draft;
  /** Sample in hexadecimal digits; undefined if the input is none. */
  sample: `0x${string}` | undefined;
  bytes: Uint8Array | undefined;
  /** Class that the model says now. */
  says: number | undefined;
  /** Reason why the contract would refuse it; undefined if it would not. */
  refusal: string | undefined;
  notes: readonly Note[];
  /** `true` if it is only sent if its author says so. */
  isDoubtful: boolean;
  /** `true` if it is among those that are sent. */
  isSent: boolean;
}

/** Returns the item of a draft for a batch; none if its input is no sample. */
export function itemOf({ draft, bytes }: Judged): Item[] {
  return bytes ? [{ label: draft.label, sample: bytes }] : [];
}

/**
 * Returns what the model makes of drafts. `account` is in lower case. `unsure` are ids of drafts that
 * may have been sent, so they are held back in any case.
 */
export function judge(
  predictor: Predictor,
  drafts: readonly Draft[],
  contributions: readonly Contribution[],
  account: string | undefined,
  unsure: ReadonlySet<string> = new Set(),
): Judged[] {
  const before = new Map<string, Contribution>();
  for (const one of contributions) {
    const key = `${one.label} ${one.sample}`;
    const isOwn = one.author.toLowerCase() === account;
    if (isOwn || !before.has(key)) before.set(key, one);
  }
  const first = new Map<string, { index: number; label: number }>();
  return drafts.map((draft, index) => {
    const seen = look(predictor, draft);
    const { sample } = seen;
    if (sample === undefined)
      return { ...seen, draft, notes: [], isDoubtful: false, isSent: false };
    const notes: Note[] = [];
    if (seen.known === 0) notes.push({ kind: "unknown" });
    const other = first.get(sample);
    if (other) {
      const kind = other.label === draft.label ? "same" : "contradicts";
      notes.push({ kind, other: other.index });
    } else first.set(sample, { index, label: draft.label });
    const earlier = before.get(`${draft.label} ${sample}`);
    if (earlier) {
      const isOwn = earlier.author.toLowerCase() === account;
      notes.push({ kind: "before", position: earlier.position, isOwn });
    }
    if (seen.clipped > 0) notes.push({ kind: "clipped", values: seen.clipped });
    const isDoubtful = notes.some(
      (note) =>
        note.kind === "unknown" ||
        note.kind === "same" ||
        note.kind === "contradicts" ||
        (note.kind === "before" && note.isOwn),
    );
    const isUnsure = unsure.has(draft.id);
    if (isUnsure) notes.push({ kind: "unsure" });
    const isSent =
      seen.refusal === undefined &&
      !isUnsure &&
      (!isDoubtful || draft.isWanted);
    return { ...seen, draft, notes, isDoubtful, isSent };
  });
}

function look(
  predictor: Predictor,
  { given, label }: Draft,
): Pick<Judged, "sample" | "bytes" | "says" | "refusal"> & {
  known: number | null;
  clipped: number;
} {
  const nothing = {
    sample: undefined,
    bytes: undefined,
    says: undefined,
    known: null,
    clipped: 0,
  };
  try {
    const { twin } = predictor;
    const encoding = encodingOf(twin.parameters.learner);
    const found = encoded(predictor, encoding, given);
    const { sample: bytes, known, clipped } = found;
    const sample = toHex(bytes);
    try {
      checkToLearn(twin.parameters, { label, sample: bytes });
      const says = predict(twin, bytes).label;
      return { sample, bytes, says, refusal: undefined, known, clipped };
    } catch (error) {
      return { ...nothing, sample, bytes, refusal: messageOf(error) };
    }
  } catch (error) {
    return { ...nothing, refusal: messageOf(error) };
  }
}

function messageOf(error: unknown): string {
  return tamed(
    error instanceof Error ? error.message : String(error),
    MAX.refusal,
  );
}
