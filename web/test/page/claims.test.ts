import { decodeFunctionData } from "viem/utils";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Contribution } from "../../src/api/client.ts";
import { trainerAbi } from "../../src/chain/abi.ts";
import { ChainError } from "../../src/chain/rpc.ts";
import { lateAmong, prepare } from "../../src/claims/plan.ts";
import {
  datesOf,
  itemOf,
  ordered,
  sumsOf,
  total,
} from "../../src/claims/standing.ts";
import { groupOf } from "../../src/twin/index.ts";
import { contribution, model } from "./model.ts";

const chain = vi.hoisted(() => ({
  rows: [] as unknown[],
  asked: [] as (number | undefined)[],
  rpc: vi.fn(),
}));

vi.mock("../../src/api/client.ts", () => ({
  Failure: class extends Error {},
  listContributions: (_: string, after: number | undefined, limit: number) => {
    chain.asked.push(after);
    const from = after === undefined ? 0 : after + 1;
    const rows = chain.rows.slice(from, from + limit);
    const next = from + limit < chain.rows.length ? "/next" : null;
    return Promise.resolve({ rows, next });
  },
}));
vi.mock("../../src/chain/rpc.ts", () => ({
  ChainError: class extends Error {
    readonly data: string | undefined;
    constructor(_: number, message: string, data?: string) {
      super(message);
      this.data = data;
    }
  },
  rpc: chain.rpc,
  rpcPending: (requests: [string, unknown[]][]) =>
    Promise.all(
      requests.map(async ([method, params]): Promise<unknown> => {
        try {
          return await chain.rpc(method, params);
        } catch (error) {
          return error;
        }
      }),
    ),
}));

const DAY = 86_400;
const films = model();
const { time } = contribution();

describe("itemOf", () => {
  const one = contribution({ deposit: "1000", taken: "300", label: 1 });
  const standing = (predicted: number, at: number): string =>
    itemOf(films, one, predicted, time + at).standing;

  it("waits until the very second", () => {
    expect(standing(1, DAY - 1)).toBe("waiting");
    expect(standing(1, DAY)).toBe("back");
    expect(standing(0, DAY)).toBe("risk");
  });

  it("lets what is left be taken late, whatever the model says", () => {
    expect(standing(0, 9 * DAY - 1)).toBe("risk");
    expect(standing(0, 9 * DAY)).toBe("late");
    expect(standing(1, 9 * DAY)).toBe("back");
    const own = model({ owner: one.author.toLowerCase() });
    own.waits = { ...own.waits, ownerClaim: 2 * DAY };
    expect(itemOf(own, one, 0, time + 2 * DAY).standing).toBe("late");
  });

  it("counts what is left, and nothing of what is settled", () => {
    expect(itemOf(films, one, 1, time).left).toBe(700n);
    for (const settled of ["refunded", "taken-by-reports", "claimed-late"]) {
      const gone = { ...one, settled } as Contribution;
      const item = itemOf(films, gone, 1, time + 99 * DAY);
      expect([item.standing, item.left]).toEqual(["settled", 0n]);
    }
  });

  it("adds the notice to the time of others", () => {
    const strict = model();
    strict.waits = { ...strict.waits, reportNotice: 50 };
    expect(datesOf(one, strict)).toEqual({
      back: time + DAY,
      others: time + DAY + 50,
      owner: time + 9 * DAY,
      anyone: time + 9 * DAY,
    });
  });
});

describe("sumsOf", () => {
  const at = (position: number, age: number, predicted: number) =>
    itemOf(
      films,
      contribution({ position, deposit: "10", time: time - age }),
      predicted,
      time,
    );
  const items = [
    at(0, 0, 1),
    at(1, 60, 0),
    at(2, DAY, 1),
    at(3, DAY, 0),
    at(4, 10 * DAY, 0),
  ];

  it("tells what is back, waits and is at risk", () => {
    expect(sumsOf(items)).toEqual({
      back: { wei: 20n, items: 2 },
      waiting: {
        wei: 20n,
        items: 2,
        first: time + DAY - 60,
        last: time + DAY,
        agreeing: 1,
      },
      risk: { wei: 10n, items: 1 },
    });
    expect(total([sumsOf(items), sumsOf([])])).toEqual(sumsOf(items));
    expect(total([sumsOf(items), sumsOf(items)]).back).toEqual({
      wei: 40n,
      items: 4,
    });
  });

  it("has what can be done now first", () => {
    const positions = ordered(items).map((item) => item.contribution.position);
    expect(positions).toEqual([2, 4, 3, 0, 1]);
  });
});

describe("lateAmong", () => {
  it("gives the owner its earlier time", () => {
    const of = model();
    of.waits = { ...of.waits, ownerClaim: 5 * DAY };
    const rows = [
      contribution({ position: 0, time: time - 6 * DAY }),
      contribution({ position: 1, time: time - 10 * DAY }),
      contribution({
        position: 2,
        time: time - 10 * DAY,
        settled: "refunded",
      }),
    ];
    const late = (account: string): number[] =>
      lateAmong(of, rows, account, time).map(({ position }) => position);
    expect(late(of.owner.toUpperCase().replace("0X", "0x"))).toEqual([0, 1]);
    expect(late(rows[0]?.author ?? "")).toEqual([1]);
  });
});

describe("prepare", () => {
  /** Contributions in transactions of 1, 2, 3, … of them. */
  function many(count: number): Contribution[] {
    const rows: Contribution[] = [];
    for (let size = 1; rows.length < count; size += 1) {
      const firstPosition = rows.length;
      for (let at = 0; at < size; at += 1)
        rows.push(contribution({ position: rows.length, firstPosition }));
    }
    return rows.slice(0, count);
  }

  function claimsIn(data: `0x${string}`): string {
    return decodeFunctionData({ abi: trainerAbi, data }).args?.[0] as string;
  }

  function answer(gas: (claims: string) => bigint | Error): void {
    chain.rpc.mockImplementation((method: string, params: unknown[]) => {
      if (method === "eth_gasPrice") return Promise.resolve("0x3");
      const [call] = params as [{ data: `0x${string}` }];
      const found = gas(claimsIn(call.data));
      return found instanceof Error
        ? Promise.reject(found)
        : Promise.resolve(`0x${found.toString(16)}`);
    });
  }

  beforeEach(() => {
    chain.asked = [];
    chain.rpc.mockReset();
  });

  it("puts all claims into one transaction, with a proof for each transaction of them", async () => {
    const rows = many(250);
    chain.rows = rows;
    answer(() => 1_000n);
    const wanted = rows.filter(({ position }) => position % 3 === 0);
    const prepared = await prepare(films, "refund", wanted, "0x1");
    expect(prepared.claimed).toEqual(wanted);
    expect([prepared.rest, prepared.gas, prepared.gasCost]).toEqual([
      0,
      1_000n,
      3_000n,
    ]);
    // Pages overlap by the transactions that they cut.
    expect(chain.asked).toEqual([undefined, 90, 189]);
    const firsts = [...new Set(wanted.map((one) => one.firstPosition))];
    const groups = firsts.map((first) => {
      const isOf = (one: Contribution): boolean => one.firstPosition === first;
      const record = rows
        .filter(isOf)
        .map((one) => ({ ...one, deposit: BigInt(one.deposit) }));
      const positions = wanted.filter(isOf).map((one) => one.position);
      return groupOf(record, positions).slice(2);
    });
    expect(claimsIn(prepared.data)).toBe(`0x${groups.join("")}`);
  });

  it("halves what does not fit, and tells how many are left", async () => {
    chain.rows = many(40);
    let tries = 0;
    answer((claims) => {
      tries += 1;
      if (tries === 1) return new ChainError(3, "reverted", "0x");
      return claims.length > 1_500 ? 14_000_000n : 13_000_000n;
    });
    const rows = chain.rows as Contribution[];
    const prepared = await prepare(films, "claimLate", rows, "0x1");
    expect(prepared.claimed.length + prepared.rest).toBe(40);
    expect(prepared.claimed).toEqual(rows.slice(0, prepared.claimed.length));
    expect(claimsIn(prepared.data).length).toBeLessThanOrEqual(1_500);
  });

  it("tells the contract's refusal at once", async () => {
    chain.rows = many(9);
    const refusal = new ChainError(3, "reverted", "0xe58369d1");
    answer(() => refusal);
    const rows = chain.rows as Contribution[];
    await expect(prepare(films, "report", rows, "0x1")).rejects.toBe(refusal);
    expect(chain.rpc).toHaveBeenCalledTimes(1);
  });
});
