/** Signed batches of this browser, from the signature to the block. */

import { getSubmission, Failure, type Submission } from "../api/client.ts";
import type { Hex } from "../chain/rpc.ts";
import { listen } from "../live/events.svelte.ts";
import { renewal } from "../live/renewal.ts";
import { CONFIRMATIONS } from "../wallet/stages.ts";

/** Signed batch that was submitted. */
export interface Relayed {
  /** EIP-712 hash that was signed. */
  id: Hex;
  trainer: string;
  account: string;
  chainId: number;
  count: number;
  /** Ids of the drafts in it. */
  drafts?: readonly string[];
  /** Time of the submission by this computer's clock, in milliseconds. */
  sentAt: number;
  /** `true` if no answer came when it was submitted. */
  isUnsure: boolean;
  /** Last answer of the coordinator; undefined before the first. */
  state?: "waiting" | "sent" | "included" | "refused" | "gone";
  block?: number;
  position?: number;
  reason?: string;
  /** `true` if it was in a block that the chain took back. */
  wasRolledBack: boolean;
}

const KEY = "cotrain-submissions";
/** Maximum number of submissions that are remembered. */
const MAX = 200;
/** Time between two questions, in milliseconds: for a batch that waits, and for one in a block. */
const [SOON, LATER] = [1_500, 30_000] as const;
/** Time for which a submission may be under way, in milliseconds. */
const UNDERWAY = 30_000;
/** Time in which events are gathered before the coordinator is asked, in milliseconds. */
const GATHERED = 500;
const HOUR = 3_600_000;

let all = $state.raw<readonly Relayed[]>(read());
/** `true` if the browser did not store the last change. Then this page's own list is all there is. */
let isForgetful = false;
/** Batches that are just submitted: the coordinator need not know them yet. */
const submitted = new Set<string>();

/** Returns the signed batches for a model, the newest first. */
export function relayedTo(chainId: number, trainer: string): Relayed[] {
  const own = trainer.toLowerCase();
  return all.filter((one) => one.trainer === own && one.chainId === chainId);
}

/**
 * Returns the ids of the drafts in signed batches for a model: of those that the coordinator has
 * taken, and of those that it may have, since it has not answered yet.
 */
export function draftsIn(
  chainId: number,
  trainer: string,
): { taken: Set<string>; unsure: Set<string> } {
  const batches = relayedTo(chainId, trainer);
  const among = (states: readonly Relayed["state"][]): Set<string> =>
    new Set(
      batches.flatMap(({ state, drafts }) =>
        drafts && states.includes(state) ? drafts : [],
      ),
    );
  return {
    taken: among(["waiting", "sent", "included"]),
    unsure: among([undefined]),
  };
}

/** Notes a signed batch, and submits it. */
export async function submit(
  batch: Pick<
    Relayed,
    "id" | "trainer" | "account" | "chainId" | "count" | "drafts"
  >,
  send: () => Promise<Submission>,
): Promise<Submission> {
  const trainer = batch.trainer.toLowerCase();
  const rest = { sentAt: Date.now(), isUnsure: true, wasRolledBack: false };
  change((list) => {
    const others = list.filter(({ id }) => id !== batch.id);
    return [{ ...batch, ...rest, trainer }, ...others].slice(0, MAX);
  });
  submitted.add(batch.id);
  try {
    const view = await send();
    answered(batch.id, view);
    return view;
  } finally {
    submitted.delete(batch.id);
  }
}

/** Notes the coordinator's answer. */
function answered(id: string, view: Submission): void {
  change((list) => list.map((one) => (one.id === id ? after(one, view) : one)));
}

/** Removes a signed batch from the list. */
export function dismiss(id: string): void {
  change((list) => list.filter((one) => one.id !== id));
}

function after(one: Relayed, view: Submission): Relayed {
  const { status } = view;
  const { id, trainer, account, chainId, count, drafts, sentAt } = one;
  const known = { id, trainer, account, chainId, count, sentAt };
  const wasRolledBack =
    status !== "included" && (one.wasRolledBack || one.state === "included");
  return {
    ...known,
    ...(drafts ? { drafts } : {}),
    state: status,
    isUnsure: false,
    wasRolledBack,
    ...(typeof view.block === "number" ? { block: view.block } : {}),
    ...(typeof view.position === "number" ? { position: view.position } : {}),
    ...(typeof view.reason === "string" ? { reason: view.reason } : {}),
  };
}

/**
 * Returns `true` if the answer of the coordinator can still change. A batch in a block can be rolled
 * back until further blocks confirm it; one that is unknown could be another coordinator's.
 */
function isDue(
  { state, block, sentAt }: Relayed,
  head: number,
  isFirst: boolean,
): boolean {
  if (state === "refused") return false;
  if (state === "gone") return isFirst || Date.now() - sentAt < HOUR;
  return state !== "included" || head < (block ?? head) + CONFIRMATIONS;
}

/**
 * Asks the coordinator what became of the signed batches for a model. `head` returns the newest block
 * that is known. Returns how to stop.
 */
export function follow(
  chainId: number,
  trainer: string,
  head: () => number,
): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isStopped = false;
  let isFirst = true;
  const due = (): Relayed[] =>
    relayedTo(chainId, trainer).filter((one) => isDue(one, head(), isFirst));
  const { ask, now, stop } = renewal(async () => {
    clearTimeout(timer);
    for (const one of due()) if (!isStopped) await look(one);
    isFirst = false;
    const left = due();
    if (isStopped || left.length === 0) return;
    const isOpen = left.some(
      ({ state }) => state !== "included" && state !== "gone",
    );
    timer = setTimeout(now, isOpen ? SOON : LATER);
  }, GATHERED);
  const own = trainer.toLowerCase();
  const deafen = listen((event) => {
    if (!event || event.trainer.toLowerCase() === own) ask();
  });
  const hear = ({ key }: StorageEvent): void => {
    if (key === KEY || key === null) all = read();
  };
  window.addEventListener("storage", hear);
  now();
  return () => {
    isStopped = true;
    stop();
    deafen();
    window.removeEventListener("storage", hear);
    clearTimeout(timer);
  };
}

async function look(one: Relayed): Promise<void> {
  if (submitted.has(one.id)) return;
  try {
    answered(one.id, await getSubmission(one.id));
  } catch (error) {
    const isGone =
      error instanceof Failure && error.kind === "unknown-submission";
    // Without an answer the last one stays: the page tells elsewhere that nobody answers.
    if (!isGone) return;
    // Another tab may be about to submit it.
    if (one.state === undefined && Date.now() - one.sentAt < UNDERWAY) return;
    change((list) =>
      list.map((it) => (it.id === one.id ? { ...it, state: "gone" } : it)),
    );
  }
}

/** Changes the list that all tabs store, or that of this page if the browser stored nothing of it. */
function change(by: (list: readonly Relayed[]) => readonly Relayed[]): void {
  const known = isForgetful ? all : read();
  const list = by(known);
  const text = JSON.stringify(list);
  if (text !== JSON.stringify(all)) all = list;
  if (text === JSON.stringify(known)) return;
  try {
    localStorage.setItem(KEY, text);
    isForgetful = false;
  } catch {
    // Then the list lasts until the page is closed.
    isForgetful = true;
  }
}

function read(): Relayed[] {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(value) ? value.filter(isRelayed) : [];
  } catch {
    return [];
  }
}

function isRelayed(value: unknown): value is Relayed {
  if (typeof value !== "object" || value === null) return false;
  const one = value as Partial<Record<keyof Relayed, unknown>>;
  const isText = [one.trainer, one.account].every(
    (text) => typeof text === "string",
  );
  const isNumber = [one.chainId, one.count, one.sentAt].every(
    Number.isSafeInteger,
  );
  const isListed =
    one.drafts === undefined ||
    (Array.isArray(one.drafts) &&
      one.drafts.every((id) => typeof id === "string"));
  const isId = typeof one.id === "string" && /^0x[0-9a-f]{64}$/.test(one.id);
  return isText && isNumber && isListed && isId;
}
