import { quantity, type Address, type Hex } from "../chain/rpc.ts";
import { chainId } from "../live/health.svelte.ts";
import { MAX, tamed } from "../text/strangers.ts";
import { connection, genesis, renewed } from "./account.svelte.ts";
import { check } from "./check.ts";
import { readJournal, writeJournal } from "./journal.ts";
import { notePending, waitingFor } from "./pending.svelte.ts";
import {
  factsOf,
  hashOf,
  reasonOf,
  successor,
  whyReverted,
  type RawTransaction,
} from "./node.ts";
import { done, refusalOf, refused, revertIn, type Outcome } from "./outcome.ts";
import {
  hasEnded,
  isOpen,
  kinship,
  nameOf,
  next,
  type Entry,
  type Facts,
  type Purpose,
  type Receipt,
  type Tracked,
} from "./stages.ts";
import { describe } from "./describe.ts";
import { JOURNAL } from "./storage.ts";
import { walletWords as words } from "./words.ts";

export type { Log, Purpose, Receipt, Stage, Tracked } from "./stages.ts";

/** Time between two questions for young and for old transactions, in milliseconds. */
const [SOON, LATER] = [1_000, 15_000] as const;
/** Age from which on a transaction is old, in milliseconds. */
const OLD = 600_000;

let entries = $state.raw<readonly Entry[]>([]);
/** Called after each change. */
const watchers = new Set<() => void>();
let timer: ReturnType<typeof setTimeout> | undefined;
let isAsking = false;
let isStarted = false;

/** Returns the transactions of this browser on this chain, the newest first. */
export function tracked(
  filter: { kind?: Purpose["kind"]; model?: Address } = {},
): Tracked[] {
  const model = filter.model?.toLowerCase();
  return entries.filter(
    (entry) =>
      isHere(entry) &&
      (filter.kind === undefined || entry.purpose.kind === filter.kind) &&
      (model === undefined || entry.purpose.model?.toLowerCase() === model),
  );
}

/** Returns `true` of a transaction of this chain: one that began anew has another first block. */
function isHere(entry: Entry): boolean {
  const [chain, first] = [chainId(), genesis()];
  return (
    (chain === undefined || entry.chainId === chain) &&
    (first === undefined ||
      entry.genesis === undefined ||
      entry.genesis === first)
  );
}

/** Goes on with the transactions that were sent before the page was loaded. */
export function start(): void {
  if (isStarted) return;
  isStarted = true;
  entries = readJournal();
  changed();
  window.addEventListener("storage", (event) => {
    if (event.key !== JOURNAL && event.key !== null) return;
    // Receipts are not stored, and need not be read again.
    const known = new Map(entries.map((it) => [it.id, it]));
    entries = readJournal().map((it) => withReceipt(it, known.get(it.id)));
    changed();
  });
  schedule(0);
}

function withReceipt(entry: Entry, known: Entry | undefined): Entry {
  const { stage } = entry;
  const old = known?.stage;
  const isSame =
    typeof stage !== "string" &&
    typeof old === "object" &&
    stage.state === "included" &&
    old.state === "included" &&
    known?.hash === entry.hash &&
    old.block === stage.block;
  return isSame
    ? { ...entry, stage: { ...stage, receipt: old.receipt } }
    : entry;
}

/** Removes a transaction from the list. */
export function dismiss(id: string): void {
  save([], new Set([id]));
}

/** Sends a transaction by the wallet, after simulating it, and follows it from then on. */
export async function send(request: {
  to: Address | null;
  data: Hex;
  value?: bigint;
  purpose: Purpose;
}): Promise<Outcome<Tracked>> {
  start();
  const { to, data, value = 0n, purpose } = request;
  const before = connection();
  const draft = { to, data, value };
  try {
    const now = await renewed();
    if (now.state === "none") return refused("disconnected");
    if (now.state !== "ready") return refused(now.state);
    if (before.state === "ready" && before.account !== now.account)
      return refused("failed", words.switched);
    const { account, wallet } = now;
    const checked = await check(account, draft, wallet.provider).catch(
      (error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        return refused("failed", words.chainSilent(tamed(reason, MAX.refusal)));
      },
    );
    if (!checked.ok) return checked;
    const after = connection();
    if (after.state !== "ready" || after.account !== account)
      return refused("failed", words.switched);
    const { gas, nonce, block } = checked.value;
    const chain = chainId() ?? 0;
    const params = [
      {
        from: account,
        ...(to ? { to } : {}),
        data,
        value: quantity(value),
        gas: quantity(gas),
        chainId: quantity(chain),
      },
    ];
    const hash = await waitingFor(
      wallet.provider.request({ method: "eth_sendTransaction", params }),
    );
    if (typeof hash !== "string" || !/^0x[0-9a-fA-F]{64}$/.test(hash))
      return refused("unsupported");
    const entry: Entry = {
      id: `${chain}-${account}-${nonce}-${Date.now()}`,
      account,
      chainId: chain,
      genesis: genesis(),
      nonce,
      hash: hash as Hex,
      purpose,
      sentAt: Date.now(),
      sentBlock: block,
      stage: "sent",
      to,
      value,
      dataHash: hashOf(data),
      wasSeen: false,
      misses: 0,
    };
    save([entry]);
    schedule(0);
    return done(entry);
  } catch (error) {
    const data = revertIn(error);
    if (data === undefined) return { ok: false, refusal: refusalOf(error) };
    return refused("reverted", words.wouldRevert(await reasonOf(data)));
  }
}

/** Waits until a transaction is in a block, or has ended otherwise. */
export function included(id: string): Promise<Outcome<Receipt>> {
  return new Promise((resolve) => {
    const look = (): void => {
      const entry = entries.find((entry) => entry.id === id);
      const outcome = entry ? outcomeOf(entry) : refused("failed");
      if (!outcome) return;
      watchers.delete(look);
      resolve(outcome);
    };
    watchers.add(look);
    look();
  });
}

function outcomeOf(entry: Entry): Outcome<Receipt> | undefined {
  const { stage } = entry;
  if (typeof stage === "object" && stage.state === "included")
    return stage.receipt ? done(stage.receipt) : undefined;
  if (!hasEnded(entry)) return undefined;
  const kind = nameOf(stage) === "reverted" ? "reverted" : "failed";
  if (typeof stage === "object" && stage.text === "") return undefined;
  return refused(kind, describe(entry));
}

/** Stores changed transactions, unless another tab has removed them. */
function save(
  list: readonly Entry[],
  removed: ReadonlySet<string> = new Set(),
): void {
  const receipts = new Map([...entries, ...list].map((it) => [it.id, it]));
  entries = writeJournal(entries, list, removed).map((it) =>
    withReceipt(it, receipts.get(it.id)),
  );
  changed();
}

function changed(): void {
  notePending(entries.filter((it) => isHere(it) && !hasEnded(it)).length);
  for (const watcher of [...watchers]) watcher();
}

function schedule(pause?: number): void {
  clearTimeout(timer);
  const now = Date.now();
  const open = entries.filter((entry) => isHere(entry) && isOpen(entry, now));
  const isYoung = open.some((entry) => now - entry.sentAt < OLD);
  timer = setTimeout(() => void follow(), pause ?? (isYoung ? SOON : LATER));
}

/** Asks the node for all transactions that can still change. */
async function follow(): Promise<void> {
  if (isAsking) return;
  isAsking = true;
  try {
    const now = Date.now();
    const open = entries.filter((it) => isHere(it) && isOpen(it, now));
    const answers = open.length > 0 ? await factsOf(open) : [];
    const moved: Entry[] = [];
    for (const [entry, facts] of answers) {
      const after = await resolved(next(entry, facts, Date.now()), facts);
      const isSame =
        JSON.stringify(after, text) === JSON.stringify(entry, text);
      const isRemoved = !entries.some(({ id }) => id === entry.id);
      if (!isSame && !isRemoved) moved.push(after);
    }
    if (moved.length > 0) save(moved);
  } catch {
    // The coordinator is away, which the page tells elsewhere. The next question may succeed.
  } finally {
    isAsking = false;
    schedule();
  }
}

function text(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? `${value}` : value;
}

/** Finds out what took the place of a transaction, or why it reverted. */
async function resolved(entry: Entry, facts: Facts): Promise<Entry> {
  const { stage } = entry;
  if (typeof stage === "object" && stage.state === "reverted" && !stage.text) {
    const text = await whyReverted(entry.hash, stage.block);
    return { ...entry, stage: { ...stage, text } };
  }
  if (stage !== "replaced") return entry;
  const now = connection();
  if (now.state !== "ready") return entry;
  const other = await successor(entry, facts.head, now.wallet.provider).catch(
    () => undefined,
  );
  return other ? { ...replacedBy(entry, other), isSettled: true } : entry;
}

function replacedBy(entry: Entry, other: RawTransaction): Entry {
  const kin = kinship(entry, {
    to: other.to,
    value: BigInt(other.value),
    dataHash: hashOf(other.input),
    isEmpty: other.input === "0x",
  });
  // The same again for a higher fee: it is followed by its new hash.
  return kin === "same"
    ? { ...entry, hash: other.hash, stage: "seen", misses: 0 }
    : { ...entry, stage: kin };
}
