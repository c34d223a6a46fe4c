import { describe, expect, it, vi } from "vitest";
import {
  commitmentsTo,
  decoys,
  divided,
  fileNameOf,
  fileOf,
  makeTestSet,
  objectionTo,
  random,
  shuffled,
  type Random,
} from "../../src/market/founding.ts";
import { forget, keep, kept } from "../../src/market/kept.ts";
import {
  batchesOf,
  firstPace,
  paceAfter,
  recordsOf,
  smaller,
  type Contributed,
} from "../../src/market/scoring.ts";
import {
  earliestDraw,
  isBroken,
  isLost,
  nextChange,
  stepsOf,
} from "../../src/market/steps.ts";
import {
  isCommitted,
  partsToReveal,
  readTestSet,
  TestSetError,
} from "../../src/market/testSet.ts";
import { routeOf } from "../../src/shell/routes.ts";
import { sparseFeatures, toHex, type Item } from "../../src/twin/index.ts";
import type { Market } from "../../src/market/api.ts";
import { commitments, file, market } from "./market.ts";

describe("routeOf", () => {
  it("finds the list of markets and a market", () => {
    const address = `0x${"1".repeat(40)}`;
    expect(routeOf("/markets")).toEqual({ page: "markets" });
    expect(routeOf(`/markets/${address}`)).toEqual({
      page: "market",
      market: address,
    });
    expect(routeOf("/markets/0x1").page).toBe("unknown");
    expect(routeOf(`/markets/${address}/more`).page).toBe("unknown");
  });
});

describe("a test set", () => {
  it("has the commitments that the command made", () => {
    const set = readTestSet(JSON.stringify(file));
    expect(isCommitted(set, commitments)).toBe(true);
    expect(isCommitted(set, [...commitments].reverse())).toBe(false);
    expect(isCommitted(set, commitments.slice(1))).toBe(false);
    const [first, second] = set.parts;
    if (!first || !second) throw new Error("expected two parts");
    for (const changed of [
      { ...first, salt: second.salt },
      { ...first, items: `0x${first.items.slice(2, -2)}63` as const },
    ]) {
      const other = { ...set, parts: [changed, second] };
      expect(isCommitted(other, commitments)).toBe(false);
    }
  });

  it("is refused with its fault", () => {
    const faultOf = (text: string): [string, number | undefined] => {
      try {
        readTestSet(text);
      } catch (error) {
        if (error instanceof TestSetError) return [error.fault, error.part];
      }
      throw new Error("expected a refusal");
    };
    const [first, second] = file.parts;
    const of = (changes: object): string =>
      JSON.stringify({ ...file, ...changes });
    expect(faultOf("{")).toEqual(["json", undefined]);
    for (const text of ["null", "[]", "1", "{}", of({ market: 1 })])
      expect(faultOf(text)).toEqual(["form", undefined]);
    expect(faultOf(of({ parts: [first] }))).toEqual(["parts", undefined]);
    const many = Array.from({ length: 257 }, () => first);
    expect(faultOf(of({ parts: many }))).toEqual(["parts", undefined]);
    for (const part of [
      { ...second, salt: "0x12" },
      { ...second, items: "0x123" },
      { salt: first?.salt },
      null,
    ])
      expect(faultOf(of({ parts: [first, part] }))).toEqual(["part", 1]);
  });

  it("has the drawn part to reveal first, and then the others", () => {
    const none = (): boolean => false;
    const due = (changes: Partial<Market>): number[] =>
      partsToReveal(market({ parts: 4, drawnPart: 1, ...changes }), none);
    expect(due({ phase: "committed", drawnPart: null })).toEqual([]);
    expect(due({ phase: "committed" })).toEqual([1]);
    expect(due({ phase: "open" })).toEqual([]);
    expect(due({ phase: "revealing" })).toEqual([0, 2, 3]);
    const some = market({ phase: "revealing", parts: 4, drawnPart: 1 });
    expect(partsToReveal(some, (part) => part === 2)).toEqual([0, 3]);
  });
});

describe("founding", () => {
  /** Bytes that are the same at each run. */
  const counting = (): Random => {
    let next = 7;
    return (bytes) =>
      Uint8Array.from({ length: bytes }, () => (next = (next * 73 + 41) % 256));
  };
  const items = (number: number, bytes = 2): Item[] =>
    Array.from({ length: number }, (_, at) => ({
      label: at % 2,
      sample: new Uint8Array(bytes).fill(at),
    }));

  it("divides samples as the command does", () => {
    const sizes = divided(items(7), 3).map((part) => part.length);
    expect(sizes).toEqual([2, 2, 3]);
    expect(divided(items(7), 3).flat()).toEqual(items(7));
  });

  it("objects to too few samples, and to parts that are too long", () => {
    expect(objectionTo(items(3), 4)).toEqual({
      kind: "few",
      samples: 3,
      parts: 4,
    });
    // 24 samples of 1,004 bytes fit, 25 do not.
    expect(objectionTo(items(48, 1_000), 2)).toBeUndefined();
    expect(objectionTo(items(49, 1_000), 2)).toEqual({
      kind: "long",
      part: 1,
      bytes: 25_100,
      max: 24_575,
    });
  });

  it("keeps every sample when it mixes them", () => {
    const mixed = shuffled(items(50), counting());
    expect(mixed).not.toEqual(items(50));
    const order = (list: readonly Item[]): number[] =>
      list.map(({ sample }) => sample[0] ?? -1).sort((a, b) => a - b);
    expect(order(mixed)).toEqual(order(items(50)));
  });

  it("writes a file that the page reads, with a salt of its own for each part", () => {
    const address = `0x${"Ab".repeat(20)}`;
    const set = makeTestSet(31_337, address, items(6), 3, counting());
    expect(new Set(set.parts.map((part) => part.salt)).size).toBe(3);
    expect(set.parts[0]?.items).toBe("0x00000002000000010002" + "0101");
    const read = readTestSet(fileOf(set));
    expect(read.market).toBe(address.toLowerCase());
    expect(isCommitted(read, commitmentsTo(set))).toBe(true);
    expect(fileNameOf(set)).toBe(`market-31337-${address}.json`);
    // The form of the command's file is the same.
    expect(fileOf(readTestSet(JSON.stringify(file)))).toBe(
      JSON.stringify(file, undefined, 2),
    );
  });

  it("asks the node about samples that tell nothing but their sizes", () => {
    const secret = items(4, 6);
    for (const encoding of ["dense16", "dense32"] as const) {
      for (const { label, sample } of decoys(secret, encoding, 3, counting()))
        expect([label, ...sample]).toEqual([0, 0, 0, 0, 0, 0, 0]);
    }
    for (const { sample } of decoys(secret, "sparse", 40, counting())) {
      const found = sparseFeatures(sample);
      expect(found).toHaveLength(3);
      expect([...new Set(found)].sort((a, b) => a - b)).toEqual(found);
      expect(Math.max(...found)).toBeLessThan(40);
    }
    // Of all features there are, each is there once.
    const [whole] = decoys(items(1, 80), "sparse", 40, counting());
    expect(sparseFeatures(whole?.sample ?? new Uint8Array())).toEqual(
      Array.from({ length: 40 }, (_, feature) => feature),
    );
  });

  it("draws no more random bytes for large models than for small ones", () => {
    let drawn = 0;
    const counted: Random = (bytes) => {
      drawn += bytes;
      return random(bytes);
    };
    expect(decoys(items(50, 40), "sparse", 65_536, counted)).toHaveLength(50);
    expect(drawn).toBeLessThan(10_000);
  });

  it("draws each set of features with the same chance", () => {
    const times = new Map<string, number>();
    for (const { sample } of decoys(items(3_000, 4), "sparse", 4, random)) {
      const set = sparseFeatures(sample).join();
      times.set(set, (times.get(set) ?? 0) + 1);
    }
    // 500 of each of the six sets are expected: seven deviations off is chance once in 10^11.
    expect(times.size).toBe(6);
    for (const found of times.values())
      expect(Math.abs(found - 500)).toBeLessThan(145);
  });
});

describe("kept", () => {
  it("has every test set of a market, the newest first", () => {
    const values = new Map<string, string>();
    vi.stubGlobal("localStorage", {
      get length() {
        return values.size;
      },
      key: (at: number) => [...values.keys()][at] ?? null,
      getItem: (key: string) => values.get(key) ?? null,
      setItem: (key: string, value: string) => values.set(key, value),
      removeItem: (key: string) => values.delete(key),
    });
    const first = readTestSet(JSON.stringify(file));
    const parts = [...first.parts].reverse();
    const second = { ...first, parts };
    const foreign = { ...first, market: `0x${"77".repeat(20)}` };
    expect(keep(first, 1_000)).toBe(true);
    // A transaction that commits to the first may still come into a block.
    keep(second, 1_000);
    keep(second, 2_000);
    keep(foreign, 3_000);
    const own = kept(first.chainId, first.market.toUpperCase());
    expect(own.slice(0, 1)).toEqual([second]);
    expect(own.some((set) => isCommitted(set, commitments))).toBe(true);
    forget(first.chainId, first.market);
    expect(kept(first.chainId, first.market)).toEqual([]);
    expect(kept(first.chainId, foreign.market)).toEqual([foreign]);
    vi.unstubAllGlobals();
  });
});

describe("stepsOf", () => {
  const before = { closesAt: null, drawnPart: null, revealedParts: 0 } as const;
  const states = (of: Market): string =>
    stepsOf(of)
      .map((step) => step.state)
      .join(" ");

  it("tells how far a market has come", () => {
    for (const [changes, expected] of [
      [{ ...before, phase: "created", drawUntil: null, revealUntil: null }, 0],
      [{ ...before, phase: "committed", revealUntil: 10_200 }, 1],
      [{ ...before, phase: "committed", drawnPart: 1, revealUntil: 10_200 }, 2],
      [{ phase: "open" }, 3],
      [{ phase: "revealing" }, 4],
      [{ phase: "scoring", scoringUntil: 11_540 }, 5],
      [{ phase: "settled", scoringUntil: 11_540 }, 6],
    ] as const) {
      const all = Array.from({ length: 7 }, (_, index) =>
        index < expected ? "done" : index > expected ? "next" : "now",
      );
      expect(states(market(changes))).toBe(all.join(" "));
      expect(isBroken(market(changes))).toBe(false);
    }
  });

  it("tells which step was missed", () => {
    for (const [changes, expected] of [
      [{ ...before, phase: "forfeited" }, 1],
      [{ ...before, phase: "forfeited", drawnPart: 0 }, 2],
      [{ phase: "failed" }, 4],
      [{ phase: "failed", scoringUntil: 11_540 }, 5],
      [{ phase: "forfeited", scoringUntil: 11_540 }, 5],
    ] as const) {
      const steps = stepsOf(market(changes));
      expect(steps.findIndex((step) => step.state === "missed")).toBe(expected);
      expect(isBroken(market(changes))).toBe(true);
    }
  });

  it("has the dates that are known", () => {
    const times = (changes: Partial<Market>): (number | undefined)[] =>
      stepsOf(market(changes)).map((step) => step.time);
    const none = undefined;
    expect(
      times({ ...before, phase: "committed", revealUntil: 10_200 }),
    ).toEqual([10_150, none, 10_200, none, none, none, none]);
    expect(times({ phase: "open" })).toEqual([
      none,
      none,
      none,
      11_000,
      11_050,
      none,
      none,
    ]);
    expect(times({ phase: "scoring", scoringUntil: 11_540 })).toEqual([
      none,
      none,
      none,
      11_000,
      11_040,
      11_540,
      none,
    ]);
  });

  it("calls a market lost as the contract does", () => {
    const committed = { ...before, phase: "committed" } as const;
    const lost = (changes: Partial<Market>): boolean =>
      isLost(market({ ...committed, revealUntil: 10_200, ...changes }));
    expect(lost({})).toBe(false);
    expect(lost({ block: 279 })).toBe(false);
    // The next block is too late to draw.
    expect(lost({ block: 280 })).toBe(true);
    expect(lost({ block: 280, drawnPart: 1 })).toBe(false);
    expect(lost({ time: 10_200 })).toBe(false);
    expect(lost({ time: 10_201, drawnPart: 1 })).toBe(true);
    expect(isLost(market({ time: 20_000 }))).toBe(false);
    expect(earliestDraw(market())).toBe(25);
  });

  it("knows when the next phase begins by itself", () => {
    expect(nextChange(market())).toBe(11_000);
    expect(nextChange(market({ phase: "revealing" }))).toBe(11_051);
    const scoring = { phase: "scoring", scoringUntil: 11_540 } as const;
    expect(nextChange(market(scoring))).toBe(11_541);
    expect(nextChange(market({ phase: "settled" }))).toBeUndefined();
  });
});

describe("steps of the scoring", () => {
  const row = (
    position: number,
    firstPosition: number,
    sample: string,
  ): Contributed => ({
    position,
    firstPosition,
    author: "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
    time: 0x01_0203_0405,
    label: 1,
    sample,
  });
  const rows = [row(4, 4, "0x0007"), row(5, 4, "0x"), row(6, 6, "0x00080009")];
  const head = "70997970c51812dc3a010c7d01b50e0d17dc79c80102030405";

  it("send one record a transaction, and no torn one", () => {
    const first = `${head}0000000a0001000200070001` + "0000";
    const second = `${head}0000000800010004` + "00080009";
    const all = batchesOf(rows, true);
    expect(all.map((batch) => batch.firstPosition)).toEqual([4, 6]);
    expect(all.map(({ record }) => toHex(record))).toEqual([
      `0x${first}`,
      `0x${second}`,
    ]);
    expect(batchesOf(rows, false)).toHaveLength(1);
    expect(batchesOf([], true)).toEqual([]);
    expect(recordsOf(all, 2)).toBe(`0x${first}${second}`);
    expect(recordsOf(all, 1)).toBe(`0x${first}`);
    expect(recordsOf(all, 0)).toBe("0x");
  });

  it("take no more bytes than a transaction pays for, but one record", () => {
    const big = batchesOf(
      [0, 1, 2].map((at) => row(at, at, `0x${"00".repeat(24_000)}`)),
      true,
    );
    expect((recordsOf(big, 3).length - 2) / 2).toBe(24_033);
  });

  it("become smaller until they fit, and larger again", () => {
    const step = { samples: 100, records: 64, isEvaluating: false };
    let pace = smaller({ records: 64, samples: 1_000 }, step);
    // Half of all samples, not of what would be allowed.
    expect(pace).toEqual({ records: 64, samples: 50 });
    pace = smaller({ records: 64, samples: 1 }, step);
    expect(pace).toEqual({ records: 32, samples: 1 });
    const last = { samples: 100, records: 1, isEvaluating: false };
    expect(smaller({ records: 1, samples: 1 }, last)).toBeUndefined();
    // An evaluation that has begun needs no record.
    expect(
      smaller({ records: 1, samples: 1 }, { ...last, isEvaluating: true }),
    ).toEqual({ records: 0, samples: 1 });
    expect(paceAfter({ records: 1, samples: 4 }, 2_000_000n)).toEqual({
      records: firstPace().records,
      samples: 8,
    });
    expect(paceAfter(firstPace(), 9_000_000n)).toEqual(firstPace());
  });
});
