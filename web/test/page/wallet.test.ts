import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Hex } from "../../src/chain/rpc.ts";
import { describe as say } from "../../src/wallet/describe.ts";
import { readJournal, writeJournal } from "../../src/wallet/journal.ts";
import { refusalOf, revertIn } from "../../src/wallet/outcome.ts";
import {
  hasEnded,
  cameToNothing,
  isOpen,
  kinship,
  mayHappen,
  nameOf,
  next,
  PATIENCE,
  type Entry,
  type Facts,
  type Receipt,
  type Stage,
} from "../../src/wallet/stages.ts";
import { JOURNAL } from "../../src/wallet/storage.ts";
import { walletWords } from "../../src/wallet/words.ts";

const account: Hex = `0x${"a1".repeat(20)}`;
const hash: Hex = `0x${"b2".repeat(32)}`;
const now = 1_800_000_000_000;

const sent: Entry = {
  id: "one",
  account,
  chainId: 1,
  genesis: "0x01",
  nonce: 7,
  hash,
  purpose: { kind: "claim", label: "Take back 3" },
  sentAt: now,
  sentBlock: 100,
  stage: "sent",
  to: `0x${"c3".repeat(20)}`,
  value: 2n ** 100n,
  dataHash: `0x${"d4".repeat(32)}`,
  wasSeen: false,
  misses: 0,
};

const nothing: Facts = {
  receipt: null,
  transaction: null,
  count: 7,
  pending: 7,
  head: 110n,
};
const waits: Facts = {
  ...nothing,
  transaction: { nonce: 7, isInBlock: false },
  pending: 8,
};

function receipt(block: bigint, isSuccess = true): Receipt {
  const gas = { gasUsed: 1n, gasPrice: 1n, contractAddress: undefined };
  return { hash, block, isSuccess, logs: [], ...gas };
}

/** Returns a transaction after what a node said at several times, one second apart. */
function after(entry: Entry, ...facts: Facts[]): Entry {
  return facts.reduce(
    (entry, facts, second) => next(entry, facts, now + 1_000 * second),
    entry,
  );
}

describe("a transaction", () => {
  it("is seen, then in a block that further blocks confirm, until it is deep", () => {
    const seen = after(sent, waits);
    expect(seen.stage).toBe("seen");
    expect(hasEnded(seen)).toBe(false);
    const first = after(seen, { ...nothing, receipt: receipt(110n), count: 8 });
    expect(say(first)).toBe("In block 110; 1 of 12 blocks confirm it.");
    expect([hasEnded(first), isOpen(first, now)]).toEqual([true, true]);
    const deep = after(first, {
      ...nothing,
      receipt: receipt(110n),
      count: 8,
      head: 121n,
    });
    expect(say(deep)).toBe("Done, in block 110.");
    expect(isOpen(deep, now)).toBe(false);
    // A development chain adds no further blocks.
    expect(say({ ...first, chainId: 31_337 })).toBe("Done, in block 110.");
  });

  it("may happen until it has ended, and though nobody has seen it for long", () => {
    const late = next(sent, nothing, now + PATIENCE + 1);
    expect([late.stage, hasEnded(late)]).toEqual(["not-seen", true]);
    expect([sent, after(sent, waits), late].map(mayHappen)).toEqual(
      Array<boolean>(3).fill(true),
    );
    const ended = after(late, { ...nothing, receipt: receipt(110n) });
    expect(mayHappen(ended)).toBe(false);
    expect(mayHappen({ ...sent, stage: "dropped" })).toBe(false);
  });

  it("is rolled back only if two answers in a row agree", () => {
    const included = after(sent, { ...nothing, receipt: receipt(110n) });
    expect(nameOf(after(included, nothing).stage)).toBe("included");
    expect(nameOf(after(included, waits).stage)).toBe("included");
    const rolled = after(included, nothing, nothing);
    expect(rolled.stage).toBe("rolled-back");
    expect(after(rolled, nothing, waits).stage).toBe("rolled-back");
    const again = after(rolled, { ...nothing, receipt: receipt(112n) });
    expect(again.stage).toMatchObject({ state: "included", block: 112n });
    const broken = { ...nothing, transaction: { nonce: 7, isInBlock: true } };
    expect(nameOf(after(included, broken, broken, broken).stage)).toBe(
      "included",
    );
  });

  it("has failed only once no block can have it", () => {
    const at = (stage: Stage, rest = {}): boolean =>
      cameToNothing({ ...sent, stage, ...rest }, now);
    for (const stage of ["sent", "not-seen", "dropped", "replaced"] as const)
      expect(at(stage), stage).toBe(false);
    expect(at("not-seen", { sentAt: now - 25 * 3_600_000 })).toBe(true);
    expect(at("replaced", { isSettled: true })).toBe(true);
    expect(at("canceled")).toBe(true);
    expect(at({ state: "reverted", block: 9n, text: "" })).toBe(true);
    const done = after(sent, { ...nothing, receipt: receipt(9n) });
    expect(cameToNothing(done, now + 25 * 3_600_000)).toBe(false);
  });

  it("is dropped or replaced once it was seen, and not seen otherwise", () => {
    const seen = after(sent, waits);
    expect(after(seen, nothing).stage).toBe("seen");
    const dropped = after(seen, nothing, nothing);
    expect(dropped.stage).toBe("dropped");
    expect(after(dropped, waits).stage).toBe("seen");
    // Another one with its number waits: it will tell.
    const other = { ...nothing, pending: 8 };
    expect(after(seen, other, other, other).stage).toBe("seen");
    const used = { ...nothing, count: 8, pending: 8 };
    expect(after(seen, used).stage).toBe("seen");
    const replaced = after(seen, used, used);
    expect(replaced.stage).toBe("replaced");
    expect(say(replaced)).toContain("Connect the wallet to see which");
    expect(say({ ...replaced, isSettled: true })).toContain("will not happen");
    expect(isOpen({ ...replaced, isSettled: true }, now)).toBe(false);
    // Its number is a guess until a node has shown it.
    expect(after(sent, used, used, used).stage).toBe("sent");
    const late = next(sent, nothing, now + PATIENCE + 1);
    expect(late.stage).toBe("not-seen");
    expect(say(late)).toContain("for 3 minutes");
    expect(after(late, waits).stage).toBe("seen");
  });

  it("reverts, and is asked for its reason", () => {
    const facts = { ...nothing, receipt: receipt(110n, false), count: 8 };
    const reverted = after(sent, facts);
    expect(reverted.stage).toEqual({
      state: "reverted",
      block: 110n,
      text: "",
    });
    expect(isOpen(reverted, now)).toBe(false);
  });

  it("has a number that a development chain does not expect", () => {
    const ahead = {
      ...nothing,
      transaction: { nonce: 9, isInBlock: false },
    };
    expect(after(sent, ahead).expected).toBeUndefined();
    const gap = after({ ...sent, chainId: 31_337 }, ahead);
    expect([gap.nonce, gap.expected]).toEqual([9, 7]);
    expect(say(gap)).toContain(
      "numbers this transaction 9, but the chain expects 7",
    );
  });

  it("is told apart from what took its place", () => {
    const { to, value, dataHash } = sent;
    const same = { to, value, dataHash, isEmpty: false };
    expect(kinship(sent, same)).toBe("same");
    expect(kinship(sent, { ...same, value: 1n })).toBe("replaced");
    const empty = { to: account, value: 0n, dataHash: hash, isEmpty: true };
    expect(kinship(sent, empty)).toBe("canceled");
    expect(kinship(sent, { ...empty, value: 1n })).toBe("replaced");
  });
});

describe("the journal", () => {
  let values: Map<string, string>;
  let isFull = false;
  beforeEach(() => {
    values = new Map();
    isFull = false;
    vi.stubGlobal("localStorage", {
      getItem: (key: string) => values.get(key) ?? null,
      setItem: (key: string, value: string) => {
        if (isFull) throw new DOMException("full", "QuotaExceededError");
        values.set(key, value);
      },
      removeItem: (key: string) => values.delete(key),
    });
    vi.useFakeTimers({ now });
  });
  afterEach(() => {
    // The module remembers that storing failed.
    isFull = false;
    writeJournal([], [], new Set());
    vi.unstubAllGlobals();
    vi.useRealTimers();
  });

  it("keeps transactions without their receipts", () => {
    const stage = {
      state: "included",
      block: 2n ** 60n,
      confirmations: 3,
      receipt: receipt(5n),
    } as const;
    writeJournal([], [{ ...sent, stage, misses: 2 }], new Set());
    const expected = { ...sent, stage: { ...stage, receipt: undefined } };
    expect(readJournal()).toEqual([expected]);
  });

  it("joins those of other tabs, and forgets removed, old and many ones", () => {
    const at = (
      id: string,
      sentAt: number,
      stage: Entry["stage"] = "dropped",
    ) => ({ ...sent, id, sentAt, stage }) as const;
    writeJournal([], [at("mine", now - 2)], new Set());
    const theirs = readJournal();
    writeJournal([], [at("other", now - 1)], new Set());
    expect(writeJournal(theirs, [], new Set()).map(({ id }) => id)).toEqual([
      "other",
      "mine",
    ]);
    writeJournal(theirs, [], new Set(["mine"]));
    // What another tab removed does not come back from this one's memory.
    expect(writeJournal(theirs, [], new Set()).map(({ id }) => id)).toEqual([
      "other",
    ]);
    const many = Array.from({ length: 100 }, (_, i) =>
      at(`n${i}`, now - 10 - i),
    );
    writeJournal(
      [],
      [...many, at("old", now - 8e9), at("open", now - 9_999, "seen")],
      new Set(),
    );
    const ids = readJournal().map(({ id }) => id);
    expect(ids.length).toBe(61);
    expect(ids).toContain("open");
    expect(ids).not.toContain("old");
  });

  it("keeps all in memory if the browser stores nothing, and ignores what it cannot read", () => {
    isFull = true;
    const one = writeJournal([], [sent], new Set());
    expect(one).toEqual([sent]);
    const two = writeJournal(one, [{ ...sent, id: "two" }], new Set());
    expect(two.map(({ id }) => id).sort()).toEqual(["one", "two"]);
    values.set(
      JOURNAL,
      `[null, 5, {"id": "x"}, ${values.get(JOURNAL) ?? "{}"}]`,
    );
    expect(readJournal()).toEqual([]);
    values.set(JOURNAL, "{");
    expect(readJournal()).toEqual([]);
  });
});

describe("refusals", () => {
  it("are found in nested errors", () => {
    const plain = { code: 4001, message: "denied" };
    for (const error of [
      plain,
      { code: -32603, data: { originalError: plain } },
      Object.assign(new Error("outer"), { cause: { cause: plain } }),
      { code: -32000, error: { data: { cause: plain } } },
      { code: "ACTION_REJECTED", message: "user rejected action" },
      new Error("MetaMask Tx Signature: User denied transaction signature."),
    ])
      expect(refusalOf(error).kind).toBe("rejected");
  });

  it("have a kind for each code, and words of their own", () => {
    for (const [code, kind] of [
      [4100, "locked"],
      [4200, "unsupported"],
      [4900, "disconnected"],
      [4901, "disconnected"],
      [4902, "unknown-network"],
      [-32002, "busy"],
    ] as const) {
      expect(refusalOf({ code, message: '{"raw":1}' })).toEqual({
        kind,
        text: walletWords.refusals[kind],
      });
    }
  });

  it("never show a raw message of the node", () => {
    const raw = '{"jsonrpc":"2.0","error":{"code":-32000}}';
    expect(refusalOf(new Error(raw)).text).not.toContain("jsonrpc");
    expect(refusalOf(new Error("out\u202eside")).text).toContain(
      "It says: out\\u{202e}side",
    );
    expect(refusalOf(undefined).text).toBe(walletWords.failed(""));
    expect(refusalOf({ code: -32000, message: "nonce too high" }).text).toBe(
      walletWords.nonce,
    );
    const poor = { message: "insufficient funds for gas * price + value" };
    expect(refusalOf({ code: -32603, data: poor }).kind).toBe("unpayable");
  });

  it("may hold the data of a revert", () => {
    expect(revertIn({ data: { data: "0xdeadbeef00" } })).toBe("0xdeadbeef00");
    expect(revertIn({ code: 3, data: "0x" })).toBeUndefined();
    expect(revertIn(new Error("no"))).toBeUndefined();
  });
});
