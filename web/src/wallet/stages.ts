import { DEVELOPMENT } from "../chain/development.ts";
import type { Address, Hex } from "../chain/rpc.ts";

/** What a transaction is for. */
export interface Purpose {
  kind:
    | "contribute"
    | "claim"
    | "report"
    | "deposit"
    | "withdraw"
    | "deploy"
    | "market"
    | "round"
    | "host";
  /** What it does, in words. */
  label: string;
  /** Trainer of the model that it concerns. */
  model?: Address;
  /** What the page wants to find again with it. */
  note?: Readonly<Record<string, string>>;
}

/** Entry of a contract's log. */
export interface Log {
  address: Address;
  topics: [Hex, ...Hex[]] | [];
  data: Hex;
}

/** Result of a transaction in a block. */
export interface Receipt {
  hash: Hex;
  block: bigint;
  isSuccess: boolean;
  gasUsed: bigint;
  /** Price of a unit of gas, in wei. */
  gasPrice: bigint;
  /** Contract that it created. */
  contractAddress: Address | undefined;
  logs: Log[];
}

/** How far a transaction has come. */
export type Stage =
  | "sent"
  | "seen"
  | "replaced"
  | "canceled"
  | "dropped"
  | "rolled-back"
  | "not-seen"
  | {
      state: "included";
      block: bigint;
      confirmations: number;
      /** Undefined after the page was loaded anew, until it was read again. */
      receipt: Receipt | undefined;
    }
  | { state: "reverted"; block: bigint; text: string };

/** Transaction that this page has sent, and follows. */
export interface Tracked {
  id: string;
  account: Address;
  chainId: number;
  nonce: number;
  hash: Hex;
  purpose: Purpose;
  /** Time of sending on this computer, in milliseconds. */
  sentAt: number;
  stage: Stage;
  /** Nonce that the chain expects, if it is lower: the wallet knows another chain. */
  expected?: number | undefined;
  /** `true` if it is known which transaction has its nonce. */
  isSettled?: boolean;
}

/** Transaction with what following it takes. */
export interface Entry extends Tracked {
  /** Hash of the chain's first block; undefined if the wallet did not tell it. */
  genesis: string | undefined;
  /** Newest block when it was sent. */
  sentBlock: number;
  to: Address | null;
  value: bigint;
  /** Hash of its data, by which a replacement is recognized. */
  dataHash: Hex;
  /** `true` once a node has shown it, so that its nonce is known. */
  wasSeen: boolean;
  /** Number of questions in a row that found nothing of it, up to the number that makes it sure. */
  misses: number;
}

/** What a node says of a transaction. */
export interface Facts {
  receipt: Receipt | null;
  transaction: { nonce: number; isInBlock: boolean } | null;
  /** Number of the account's transactions in blocks, and with those that wait. */
  count: number;
  pending: number;
  head: bigint;
}

/** Number of blocks, from its own on, after which a transaction is not followed any more. */
export const CONFIRMATIONS = 12;
/** Time after which a transaction that no node shows is told, in milliseconds. */
export const PATIENCE = 180_000;
/** Number of questions in a row that must find nothing: nodes behind one address may differ. */
const MISSES = 2;
const HOUR = 3_600_000;

/** Returns the name of a stage. */
export function nameOf(stage: Stage) {
  return typeof stage === "string" ? stage : stage.state;
}

/** Returns `true` if nothing more is expected of a transaction. */
export function hasEnded({ stage }: Tracked): boolean {
  const name = nameOf(stage);
  return !["sent", "seen", "rolled-back"].includes(name);
}

/**
 * Returns `true` if a transaction has failed for good. One that is not seen, dropped, or replaced by
 * an unknown one may still be in a block, so what it did must not be sent anew without asking.
 */
export function hasFailed({ stage, isSettled }: Tracked): boolean {
  const name = nameOf(stage);
  const isReplaced = name === "replaced" && isSettled === true;
  return isReplaced || name === "canceled" || name === "reverted";
}

/** Returns `true` if a transaction may still come into a block, though nobody has seen it for long. */
export function mayHappen(tracked: Tracked): boolean {
  return !hasEnded(tracked) || tracked.stage === "not-seen";
}

/** Returns `true` if a transaction can still change, and is worth asking for. */
export function isOpen(
  { stage, sentAt, isSettled }: Tracked,
  now: number,
): boolean {
  const age = now - sentAt;
  if (typeof stage === "string") {
    if (stage === "canceled") return false;
    // The wallet can tell what took its place once it is connected.
    if (stage === "replaced") return !isSettled && age < HOUR;
    return age < 24 * HOUR;
  }
  if (stage.state === "reverted") return false;
  if (stage.receipt === undefined) return true;
  return stage.confirmations < CONFIRMATIONS && age < HOUR;
}

/** Returns `true` if a transaction did nothing, and need not be expected in a block any more. */
export function cameToNothing(tracked: Tracked, now: number): boolean {
  const isIn = nameOf(tracked.stage) === "included";
  return hasEnded(tracked) && !isIn && !isOpen(tracked, now);
}

/**
 * Returns a transaction after what a node said of it. "replaced" then means that another one has its
 * nonce, whichever it is; a revert has no text yet.
 */
export function next(entry: Entry, facts: Facts, now: number): Entry {
  const { receipt, transaction, count, pending, head } = facts;
  if (receipt) return inBlock(entry, receipt, head);
  const name = nameOf(entry.stage);
  const wasInBlock = ["included", "reverted", "rolled-back"].includes(name);
  const misses = Math.min(entry.misses + 1, MISSES);
  const missed = { ...entry, misses };
  const isSure = missed.misses >= MISSES;

  if (transaction) {
    const { nonce, isInBlock } = transaction;
    const isGap = entry.chainId === DEVELOPMENT && nonce > pending;
    const found = { nonce, wasSeen: true, expected: isGap ? count : undefined };
    // The block of a transaction and its receipt may come from different nodes.
    if (wasInBlock && (isInBlock || !isSure) && name !== "rolled-back")
      return { ...missed, ...found };
    const stage = wasInBlock ? "rolled-back" : "seen";
    return { ...entry, ...found, misses: 0, stage };
  }

  if (count > entry.nonce) {
    return entry.wasSeen && isSure
      ? { ...missed, stage: "replaced" }
      : late(missed, now);
  }
  if (wasInBlock) return isSure ? { ...missed, stage: "rolled-back" } : missed;
  // Another transaction with its nonce waits, and will tell what became of it.
  if (pending > entry.nonce) return entry.wasSeen ? entry : late(entry, now);
  if (entry.wasSeen) return isSure ? { ...missed, stage: "dropped" } : missed;
  return late(missed, now);
}

function late(entry: Entry, now: number): Entry {
  const isLate = !entry.wasSeen && now - entry.sentAt > PATIENCE;
  return isLate ? { ...entry, stage: "not-seen" } : entry;
}

function inBlock(entry: Entry, receipt: Receipt, head: bigint): Entry {
  const { block } = receipt;
  const deep = head >= block ? Number(head - block) + 1 : 1;
  const text = typeof entry.stage === "string" ? "" : textOf(entry.stage);
  const stage: Stage = receipt.isSuccess
    ? { state: "included", block, confirmations: deep, receipt }
    : { state: "reverted", block, text };
  return { ...entry, stage, wasSeen: true, misses: 0, expected: undefined };
}

function textOf(stage: Exclude<Stage, string>): string {
  return stage.state === "reverted" ? stage.text : "";
}

/** Returns what a transaction in the place of another one is. */
export function kinship(
  entry: Entry,
  other: { to: Address | null; value: bigint; dataHash: Hex; isEmpty: boolean },
): "same" | "canceled" | "replaced" {
  const to = other.to?.toLowerCase() ?? null;
  const isSame =
    to === (entry.to?.toLowerCase() ?? null) &&
    other.value === entry.value &&
    other.dataHash === entry.dataHash;
  if (isSame) return "same";
  const isNothing = other.isEmpty && other.value === 0n;
  return isNothing && to === entry.account ? "canceled" : "replaced";
}
