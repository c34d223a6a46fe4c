import { JOURNAL, store, stored } from "./storage.ts";
import { hasEnded, type Entry } from "./stages.ts";

/** Number of transactions that are kept, and time in milliseconds for which they are. */
const [MAX, AGE] = [60, 90 * 86_400_000] as const;

/** Returns the stored transactions, the newest first. */
export function readJournal(): Entry[] {
  try {
    const rows: unknown = JSON.parse(stored(JOURNAL) ?? "[]");
    return Array.isArray(rows) ? rows.flatMap((row) => entryOf(row)) : [];
  } catch {
    return [];
  }
}

/** `true` if the browser did not store the last time. Then the page's own memory is all there is. */
let isForgetful = false;

/**
 * Stores changed transactions beside those that all tabs have stored. `own` are those that this page
 * has in its memory. Returns what is stored then, or would be if the browser could.
 */
export function writeJournal(
  own: readonly Entry[],
  changed: readonly Entry[],
  removed: ReadonlySet<string>,
): Entry[] {
  const known = isForgetful ? [...readJournal(), ...own] : readJournal();
  const byId = new Map([...known, ...changed].map((it) => [it.id, it]));
  const kept = [...byId.values()].filter(
    ({ id, sentAt }) => !removed.has(id) && Date.now() - sentAt < AGE,
  );
  kept.sort((one, other) => other.sentAt - one.sentAt);
  // What has not ended is kept in any case.
  const rows = kept.filter((it, at) => at < MAX || !hasEnded(it));
  isForgetful = !store(JOURNAL, JSON.stringify(rows, plain));
  return rows;
}

/** Writes amounts as text, and leaves out receipts, which can be read again. */
function plain(key: string, value: unknown): unknown {
  if (key === "receipt") return undefined;
  return typeof value === "bigint" ? `${value}` : value;
}

/** Reads a stored transaction, if it has the form of one. */
function entryOf(row: unknown): Entry[] {
  const it = row as Entry & { value: string };
  const isSound =
    typeof it?.id === "string" &&
    /^0x[0-9a-f]{64}$/i.test(it.hash) &&
    /^0x[0-9a-f]{40}$/.test(it.account) &&
    [it.nonce, it.chainId, it.sentAt, it.sentBlock].every(
      Number.isSafeInteger,
    ) &&
    typeof it.purpose?.label === "string" &&
    typeof it.value === "string" &&
    (typeof it.stage === "string" || typeof it.stage?.state === "string");
  if (!isSound) return [];
  const { stage } = it;
  const block =
    typeof stage === "string" ? 0n : BigInt(stage.block as unknown as string);
  const read =
    typeof stage === "string"
      ? stage
      : stage.state === "included"
        ? { ...stage, block, receipt: undefined }
        : { ...stage, block };
  return [{ ...it, value: BigInt(it.value), stage: read, misses: 0 }];
}
