import { keccak256 } from "viem/utils";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Address, Hex } from "../../src/chain/rpc.ts";
import { commitmentOf } from "../../src/rounds/calls.ts";
import type { Holdings, Round } from "../../src/rounds/contract.ts";
import {
  divided,
  ENOUGH,
  keepDigits,
  keptDigits,
  type Digit,
} from "../../src/rounds/digits.ts";
import { find, forget, keep, type Draft } from "../../src/rounds/drafts.ts";
import { driveOf, stepOf } from "../../src/rounds/steps.ts";
import { emissionOf, neededOf, terms } from "../../src/rounds/terms.ts";
import { usualTraining, work } from "../../src/rounds/training.ts";
import { bitsOf, roundWords } from "../../src/rounds/words.ts";
import { routeOf } from "../../src/shell/routes.ts";
import { PIXELS, squaredNorm } from "../../src/twin/federated/index.ts";

vi.stubGlobal("location", new URL("http://127.0.0.1:1"));

const trainer: Address = `0x${"a1".repeat(20)}`;
const owner: Address = `0x${"0e".repeat(20)}`;
const author: Address = `0x${"b2".repeat(20)}`;
const hash: Hex = `0x${"c3".repeat(32)}`;
const gain = {
  held: 4,
  lossBefore: 4_000,
  lossAfter: 1_000,
  rightBefore: 1,
  rightAfter: 3,
};

describe("routeOf", () => {
  it("finds the pages of rounds", () => {
    expect(routeOf("/rounds")).toEqual({ page: "rounds" });
    expect(routeOf(`/rounds/${trainer}`)).toEqual({ page: "round", trainer });
    for (const path of ["/rounds/0x1", `/rounds/${trainer}/more`])
      expect(routeOf(path)).toEqual({ page: "unknown", path });
  });
});

/** Returns the code of a clone with these terms. */
function codeOf(words: readonly (bigint | Address)[]): Hex {
  const digits = words.map((it) => BigInt(it).toString(16).padStart(64, "0"));
  return `0x${"36".repeat(0x2d)}${digits.join("")}`;
}

const written = [
  ...[owner, trainer, author, owner],
  ...[1_000n, 400n, 512n, 3_600n, 7_200n, 10_800n, 16n, 2n, 3n],
  ...[8n, 1n << 40n, 4_096n, 1_000_000n, 2n, 5n],
];

describe("terms", () => {
  it("reads the terms at the end of a trainer's code", () => {
    expect(terms(codeOf(written))).toEqual({
      owner,
      classifier: trainer,
      stakeToken: author,
      rewardToken: owner,
      stake: 1_000n,
      slash: 400n,
      margin: 512,
      openWait: 3_600,
      revealWait: 7_200,
      workWait: 10_800,
      maxClients: 16,
      rule: 2,
      hostile: 3,
      width: 8,
      maxSquaredNorm: 1n << 40n,
      chunk: 4_096,
      emission: 1_000_000n,
      halving: 2,
      bond: 5n,
    });
  });

  it("finds none in other code", () => {
    for (const code of [
      "0x",
      codeOf(written.slice(1)),
      codeOf(written.with(13, 9n)),
    ] as const)
      expect(terms(code)).toBeUndefined();
  });
});

describe("emissionOf", () => {
  it("halves after so many versions", () => {
    const of = { emission: 1_001n, halving: 2 };
    expect([0, 1, 2, 3, 4, 99].map((it) => emissionOf(of, it))).toEqual([
      1_001n,
      1_001n,
      500n,
      500n,
      250n,
      0n,
    ]);
  });
});

describe("neededOf", () => {
  it("follows the conditions of the rules", () => {
    const needed = [0, 1, 2, 3].map((rule) => neededOf({ rule, hostile: 2 }));
    expect(needed).toEqual([1, 5, 5, 7]);
  });
});

describe("commitmentOf", () => {
  it("hashes six words", () => {
    const [root, salt] = [hash, `0x${"04".repeat(32)}`] as const;
    const words = [trainer, 7n, author, 9n, root, salt].map((it) =>
      BigInt(it).toString(16).padStart(64, "0"),
    );
    expect(
      commitmentOf({ trainer, round: 7, author, version: 9, root, salt }),
    ).toBe(keccak256(`0x${words.join("")}`));
  });
});

const holdings: Holdings = {
  account: author,
  free: 0n,
  reward: 0n,
  wallet: 5_000n,
  allowance: 0n,
  collected: 0n,
};
const round: Round = {
  chainId: 31_337,
  time: 1_000,
  number: 3,
  version: 2,
  phase: "open",
  deadline: undefined,
  entries: [],
  partsLeft: 4,
  holdings,
};
const found = terms(codeOf(written));
if (!found) throw new Error("no terms");
const of = { terms: found };
const own = { author, hash, isRevealed: false };

describe("stepOf", () => {
  it.each<[string, Partial<Round>, object | undefined]>([
    ["knows nothing without an account", { holdings: undefined }, undefined],
    [
      "turns the owner away",
      { holdings: { ...holdings, account: owner } },
      { kind: "owner" },
    ],
    ["needs test data", { partsLeft: 0 }, { kind: "no-parts" }],
    ["comes too late", { phase: "reveal" }, { kind: "late" }],
    [
      "misses tokens",
      { holdings: { ...holdings, wallet: 999n } },
      { kind: "poor", missing: 1_000n },
    ],
    [
      "deposits what is missing",
      { holdings: { ...holdings, free: 300n, allowance: 700n } },
      { kind: "deposit", missing: 700n, isApproved: true },
    ],
    [
      "approves first",
      {},
      { kind: "deposit", missing: 1_000n, isApproved: false },
    ],
    [
      "commits",
      { holdings: { ...holdings, free: 1_000n } },
      { kind: "commit" },
    ],
    [
      "waits",
      { entries: [{ ...own, author: owner }, own] },
      { kind: "wait", index: 1 },
    ],
    [
      "reveals",
      { phase: "reveal", entries: [own] },
      { kind: "reveal", index: 0 },
    ],
    [
      "has revealed",
      { phase: "reveal", entries: [{ ...own, isRevealed: true }] },
      { kind: "revealed", index: 0 },
    ],
    [
      "has missed it",
      { phase: "draw", entries: [own] },
      { kind: "missed", index: 0 },
    ],
  ])("%s", (_, changes, expected) => {
    expect(stepOf(of, { ...round, ...changes })).toEqual(expected);
  });
});

describe("driveOf", () => {
  it("tells what anyone may send without data", () => {
    const at = (phase: Round["phase"], deadline?: number) =>
      driveOf({ ...round, phase, deadline });
    expect(at("open")).toBeUndefined();
    expect(at("draw")).toBe("draw");
    expect(at("settle")).toBe("settle");
    for (const phase of ["test", "score", "aggregate"] as const) {
      expect(at(phase, 1_000)).toBeUndefined();
      expect(at(phase, 999)).toBe("fail");
    }
    expect(at("reveal", 999)).toBeUndefined();
  });
});

describe("what the browser keeps", () => {
  let values: Map<string, string>;
  let isFull: boolean;

  beforeEach(() => {
    values = new Map();
    isFull = false;
    vi.stubGlobal("localStorage", {
      get length() {
        return values.size;
      },
      key: (at: number) => [...values.keys()][at] ?? null,
      getItem: (key: string) => values.get(key) ?? null,
      setItem: (key: string, value: string) => {
        if (isFull) throw new Error("full");
        values.set(key, value);
      },
      removeItem: (key: string) => values.delete(key),
    });
  });
  afterEach(() => vi.unstubAllGlobals());

  const draft: Draft = {
    chainId: 31_337,
    trainer,
    round: 3,
    version: 2,
    author,
    salt: `0x${"05".repeat(32)}`,
    update: "0x0102",
    hash,
    gain,
  };

  it("finds an update by its commitment, and forgets it some rounds later", () => {
    expect(keep(draft)).toBe(true);
    expect(find(31_337, trainer.toUpperCase() as Address, hash)).toEqual(draft);
    expect(find(1, trainer, hash)).toBeUndefined();
    expect(find(31_337, trainer, `0x${"00".repeat(32)}`)).toBeUndefined();
    forget(31_337, trainer, 6);
    expect(find(31_337, trainer, hash)).toEqual(draft);
    forget(31_337, trainer, 7);
    expect(find(31_337, trainer, hash)).toBeUndefined();
  });

  it("says that it cannot keep an update", () => {
    isFull = true;
    expect(keep(draft)).toBe(false);
  });

  it("reads no update that has another form", () => {
    keep(draft);
    const [key = ""] = values.keys();
    for (const text of ["{", "null", "{}", '{"hash":"0x1"}']) {
      values.set(key, text);
      expect(find(31_337, trainer, hash)).toBeUndefined();
    }
  });

  it("keeps digits, and skips lines that are none", () => {
    const digits: Digit[] = [0, 9].map((label) => ({
      label,
      levels: Uint8Array.from({ length: PIXELS }, (_, at) => at % 17),
    }));
    expect(keepDigits(digits)).toBe(true);
    const [key = ""] = values.keys();
    values.set(key, `x\n${values.get(key)}\n3 00`);
    expect(keptDigits()).toEqual(digits);
    expect(keepDigits([])).toBe(true);
    expect(keptDigits()).toEqual([]);
  });
});

function digitsOf(count: number): Digit[] {
  return Array.from({ length: count }, (_, at) => ({
    label: at % 10,
    levels: Uint8Array.from({ length: PIXELS }, (_, pixel) =>
      pixel % 10 === at % 10 ? 16 : 0,
    ),
  }));
}

describe("divided", () => {
  it("holds some of all labels out, and moves none as others come", () => {
    for (const count of [ENOUGH, 11, 200]) {
      const { learned, held } = divided(digitsOf(count));
      expect(held.labels.length).toBeGreaterThan(0);
      expect(learned.labels.length + held.labels.length).toBe(count);
      expect(learned.features.length).toBe(learned.labels.length * PIXELS);
      const before = divided(digitsOf(count - 1)).held.labels;
      expect([...held.labels].slice(0, before.length)).toEqual([...before]);
    }
    expect(new Set(divided(digitsOf(200)).held.labels).size).toBe(10);
  });
});

describe("work", () => {
  const job = {
    model: { features: PIXELS, classes: 10, maxFeature: 16, scale: 6 },
    width: 8 as const,
    base: new Int16Array(650),
    ...divided(digitsOf(60)),
    training: { ...usualTraining, seed: 1 },
  };

  it("learns, and measures it on examples that it does not learn from", () => {
    const { bytes, gain } = work({ ...job, maxSquaredNorm: 1n << 40n });
    expect(bytes.length).toBe(672);
    expect(gain.held).toBe(job.held.labels.length);
    expect(gain.lossAfter).toBeLessThan(gain.lossBefore / 2);
    expect(gain.rightAfter).toBe(gain.held);
  });

  it("makes no update longer than the contract takes", () => {
    for (const most of [0n, 1n, 500n]) {
      const { bytes } = work({ ...job, maxSquaredNorm: most });
      const lanes = Int16Array.from(bytes, (it) => (it & 0x40 ? it - 128 : it));
      const norm = squaredNorm(lanes);
      expect(norm).toBeLessThanOrEqual(most);
      if (most === 500n) expect(norm).toBeGreaterThan(400n);
    }
  });
});

describe("words", () => {
  it("count losses in bits", () => {
    expect(bitsOf(-384n)).toBe("-1.50");
    expect(roundWords.train.lossText(512, 4)).toBe("0.500");
  });
});
