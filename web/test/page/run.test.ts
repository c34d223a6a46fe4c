import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Plan } from "../../src/deploy/service.ts";
import type { Deployment } from "../../src/deploy/store.ts";
import { ChainError } from "../../src/chain/rpc.ts";
import { Run } from "../../src/deploy/run.svelte.ts";
import { deployWords } from "../../src/deploy/words.ts";

const words = deployWords.run;

/** Browser, wallet and chain around a deployment, as far as it asks for them. */
const world = vi.hoisted(() => {
  // Runes are no functions, and tests do not compile them.
  const state = (value: unknown): unknown => value;
  Reflect.set(globalThis, "$state", Object.assign(state, { raw: state }));
  return {
    stored: new Map<string, unknown>(),
    locked: new Set<string>(),
    sent: [] as string[],
    send: vi.fn(),
    /** Transaction that the page follows, with its stage. */
    entry: {} as { stage: unknown; isSettled?: boolean },
    /** Numbers of the account's transactions in blocks, and with those that wait. */
    counts: { latest: 7, pending: 7 },
    /** Transaction that the wallet finds for a number. */
    found: undefined as object | undefined,
    chain: 1 as number | undefined,
    genesis: "0x1" as string | undefined,
    /** Answers whether the model has the weights of the plan after a block. */
    hasWeights: vi.fn(),
  };
});

vi.mock("../../src/api/client.ts", () => ({
  Failure: class extends Error {},
  listModels: () =>
    Promise.resolve({ rows: [{ trainer: `0x${"0e".repeat(20)}` }] }),
}));
vi.mock("../../src/chain/rpc.ts", () => ({
  ChainError: class extends Error {},
  rpc: () => Promise.resolve(null),
  rpcAll: (requests: [string, [string, "latest" | "pending"]][]) =>
    Promise.resolve(
      requests.map(([method, [, block]]) => {
        if (method === "eth_getTransactionReceipt") return null;
        return method === "eth_blockNumber" ? "0x7" : world.counts[block];
      }),
    ),
}));
vi.mock("../../src/wallet/account.svelte.ts", () => ({
  connection: () => ({ state: "ready", account: "0xa", wallet: {} }),
  genesis: () => world.genesis,
}));
vi.mock("../../src/wallet/transactions.svelte.ts", () => ({
  included: () => {
    const { stage } = world.entry;
    const value = {
      hash: "0x1",
      block: 7n,
      gasUsed: 1n,
      gasPrice: 1n,
      logs: [],
    };
    const refusal = { kind: "failed", text: String(stage) };
    return Promise.resolve(
      stage === "included" ? { ok: true, value } : { ok: false, refusal },
    );
  },
  send: world.send,
  tracked: () => [
    { id: "sent", nonce: 7, purpose: { note: {} }, ...world.entry },
  ],
}));
vi.mock("../../src/deploy/weights.ts", () => ({
  hasWeights: (_: unknown, __: unknown, block: unknown): unknown =>
    world.hasWeights(block),
}));
vi.mock("../../src/live/health.svelte.ts", () => ({
  chainId: () => world.chain,
}));
vi.mock("../../src/wallet/node.ts", () => ({
  hashOf: (data: string) => data,
  receiptOf: (receipt: object) => receipt,
  successor: () => Promise.resolve(world.found),
}));
vi.mock("../../src/deploy/store.ts", () => ({
  find: (id: string) => Promise.resolve(world.stored.get(id)),
  remove: (id: string) => Promise.resolve(world.stored.delete(id)),
  save: (one: Deployment) => Promise.resolve(world.stored.set(one.id, one)),
}));

const plan = {
  name: "garden",
  chainId: 1,
  contracts: [],
  transactions: ["words 0", "words 1", "words 2"].map((name) => ({
    name,
    to: "0x0c",
    data: "0x12",
    gas: 1,
    creates: [],
    inserts: [],
  })),
} as unknown as Plan;
const fresh: Deployment = {
  id: "one",
  begun: 0,
  account: "0xa",
  genesis: "0x1",
  plan,
  contracts: { trainer: `0x${"0e".repeat(20)}` },
  steps: {},
  isClosed: false,
};

beforeEach(() => {
  vi.useFakeTimers();
  world.stored.clear();
  world.stored.set("one", fresh);
  world.locked.clear();
  world.sent.length = 0;
  world.entry = { stage: "included" };
  world.counts = { latest: 7, pending: 7 };
  world.found = undefined;
  world.chain = 1;
  world.genesis = "0x1";
  world.send.mockImplementation(
    ({ purpose }: { purpose: { note: { step: string } } }) => {
      world.sent.push(purpose.note.step);
      return Promise.resolve({ ok: true, value: { hash: "0x1", id: "sent" } });
    },
  );
  vi.stubGlobal("navigator", {
    locks: {
      request: async (
        name: string,
        _: object,
        run: (lock: object | null) => Promise<void>,
      ) => {
        if (world.locked.has(name)) return run(null);
        world.locked.add(name);
        await run({}).finally(() => world.locked.delete(name));
      },
    },
  });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const stored = () => world.stored.get("one") as Deployment;
/** Declines the request for a step. */
function declining(step: string): void {
  const send = world.send.getMockImplementation();
  world.send.mockImplementation((request: object) => {
    const note = Reflect.get(Reflect.get(request, "purpose"), "note");
    if (Reflect.get(note, "step") !== step) return send?.(request);
    const refusal = { kind: "rejected", text: "declined" };
    return Promise.resolve({ ok: false, refusal });
  });
}

describe("Run", () => {
  it("sends each step once, and says when the model is followed", async () => {
    const run = new Run(fresh);
    await run.go(true);
    expect(run.doing.state).toBe("done");
    expect(world.sent).toEqual(["words 0", "words 1", "words 2"]);
    expect(stored().steps["words 2"]?.done).toMatchObject({ block: 7 });
  });

  it("goes on from what another tab has stored, and not from its own copy", async () => {
    const other = new Run(fresh);
    declining("words 1");
    const run = new Run(fresh);
    await other.go(true);
    expect(other.doing).toMatchObject({ state: "stopped", step: "words 1" });
    await run.go(true);
    // The first one is done, so that only the second one is asked for, which is declined again.
    expect(world.sent).toEqual(["words 0"]);
    expect(run.done).toBe(1);
    expect(stored().steps["words 0"]?.done).toBeDefined();
  });

  it("stops if another tab has completed or forgotten it", async () => {
    const run = new Run(fresh);
    world.stored.clear();
    await run.go(true);
    expect(run.doing).toMatchObject({
      state: "stopped",
      refusal: { text: words.gone },
    });
    expect(world.sent).toEqual([]);
    expect(world.stored.size).toBe(0);
  });

  it("asks for nothing more once it is left, and keeps what the wallet has sent", async () => {
    const run = new Run(fresh);
    const send = world.send.getMockImplementation();
    world.send.mockImplementation((request: object) => {
      run.stop();
      return send?.(request);
    });
    await run.go(true);
    expect(world.sent).toEqual(["words 0"]);
    expect(stored().steps["words 0"]?.sent).toEqual({
      hash: "0x1",
      id: "sent",
    });
    expect(world.locked.size).toBe(0);
  });

  it("stores nothing once it is given up", async () => {
    const run = new Run(fresh);
    const send = world.send.getMockImplementation();
    world.send.mockImplementation(async (request: object) => {
      await run.giveUp();
      return send?.(request) as Promise<object>;
    });
    await run.go(true);
    expect(world.sent).toEqual(["words 0"]);
    expect(world.stored.size).toBe(0);
  });
});

describe("a step that may have been sent", () => {
  const asked = { nonce: 7, block: 7 };
  const sent = { hash: "0x1", id: "sent" } as const;
  /** Stores a deployment in the midst of its first step, and goes on with it. */
  async function resumed(progress: object, isSure = false): Promise<Run> {
    world.stored.set("one", { ...fresh, steps: { "words 0": progress } });
    const run = new Run(stored());
    const going = run.go(true, isSure);
    await vi.advanceTimersByTimeAsync(5_000);
    await Promise.race([going, Promise.resolve()]);
    return run;
  }

  it.each(["not-seen", "dropped", "replaced"])(
    "is kept if it is %s, until the user is sure of it",
    async (stage) => {
      world.entry = { stage };
      const run = await resumed({ asked, sent });
      expect(run.doing).toEqual({ state: "unsure", step: "words 0" });
      expect(stored().steps["words 0"]).toEqual({ asked, sent });
      expect(world.sent).toEqual([]);
      const sure = await resumed({ asked, sent }, true);
      // The new one is not seen either, and the user is not sure of that one.
      expect(sure.doing).toEqual({ state: "unsure", step: "words 0" });
      expect(world.sent).toEqual(["words 0"]);
    },
  );

  it.each([
    { stage: "canceled" },
    { stage: "reverted" },
    { stage: "replaced", isSettled: true },
  ])("is sent anew if it has failed for good: $stage", async (entry) => {
    world.entry = entry;
    const run = await resumed({ asked, sent });
    expect(run.doing).toMatchObject({ state: "stopped", step: "words 0" });
    expect(stored().steps["words 0"]).toEqual({});
  });

  it("is kept while the wallet may still be asked for it", async () => {
    world.entry = { stage: "included" };
    expect((await resumed({ asked })).doing.state).toBe("unsure");
    expect(stored().steps["words 0"]).toEqual({ asked });
    // A number of the account is used, and the wallet cannot tell by what.
    world.counts = { latest: 8, pending: 8 };
    expect((await resumed({ asked })).doing.state).toBe("unsure");
    expect(stored().steps["words 0"]).toEqual({ asked });
    expect(world.sent).toEqual([]);
  });

  it("is found behind another transaction of the account", async () => {
    const other = { hash: "0x2", to: "0x0d", input: "0x", nonce: "0x7" };
    const own = { hash: "0x3", to: "0x0c", input: "0x12", nonce: "0x8" };
    world.counts = { latest: 8, pending: 9 };
    world.found = other;
    const run = await resumed({ asked });
    expect(run.doing.state).toBe("checking");
    world.counts = { latest: 9, pending: 9 };
    world.found = own;
    await vi.advanceTimersByTimeAsync(1_000);
    expect(stored().steps["words 0"]?.sent?.hash).toBe("0x3");
    run.stop();
  });
});

describe("a deployment of another chain", () => {
  it.each([{ genesis: "0x2" }, { chain: 2 }])(
    "stops instead of waiting: %o",
    async (other) => {
      const sent = { hash: "0x1", id: "" };
      const asked = { nonce: 7, block: 7 };
      const steps = { "words 0": { asked, sent } };
      world.stored.set("one", { ...fresh, steps });
      // A transaction of the account waits, and could be this one.
      world.counts = { latest: 7, pending: 8 };
      const run = new Run(stored());
      const going = run.go(true);
      await vi.advanceTimersByTimeAsync(2_000);
      expect(run.doing.state).toBe("checking");
      Object.assign(world, other);
      await vi.advanceTimersByTimeAsync(2_000);
      await going;
      expect(run.doing).toMatchObject({ refusal: { text: words.otherChain } });
      expect(stored().steps).toEqual(steps);
    },
  );

  it("is recognized also if the wallet was slow at the beginning", async () => {
    world.stored.set("one", { ...fresh, genesis: undefined });
    await new Run(stored()).go(true);
    expect(stored().genesis).toBe("0x1");
  });
});

describe("closing", () => {
  const [first] = plan.transactions;
  const closing = {
    ...fresh,
    contracts: { ...fresh.contracts, classifier: `0x${"0c".repeat(20)}` },
    plan: { ...plan, transactions: [{ ...first, name: "closed" }] },
  } as Deployment;

  it("is checked without the state of an old block, too", async () => {
    world.stored.set("one", closing);
    world.hasWeights.mockImplementation((block: unknown) =>
      block === "latest"
        ? Promise.resolve(true)
        : Promise.reject(new ChainError(0, "missing trie node")),
    );
    const run = new Run(closing);
    await run.go(true);
    expect(run.doing.state).toBe("done");
  });

  it("tells whether the model is closed", async () => {
    const closed = async (block: unknown) => {
      world.stored.set("one", closing);
      world.hasWeights.mockImplementation((at: unknown) =>
        Promise.resolve(at !== block),
      );
      const run = new Run(closing);
      await run.go(true);
      return run.doing;
    };
    expect(await closed("latest")).toMatchObject({
      refusal: { text: words.otherWeights },
    });
    expect(world.sent).toEqual([]);
    expect(await closed(7n)).toMatchObject({
      refusal: { text: words.closedOtherwise },
    });
  });
});
