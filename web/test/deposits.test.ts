import { expect, test } from "vitest";

import { nextFall, price, share } from "../src/twin/index.ts";
import { vectors } from "./vectors.ts";

const { prices, shares } = vectors<{
  prices: { costWeight: string; n: string; elapsed: string; each: string }[];
  shares: {
    deposit: string;
    left: string;
    good: string;
    totalGood: string;
    share: string;
  }[];
}>("deposits.json");

const deposits = (costWeight: bigint) =>
  ({ kind: "deposit-refund-take", costWeight }) as const;

test("prices are those of the vectors", () => {
  expect(prices.length).toBeGreaterThan(100);
  for (const { costWeight, n, elapsed, each } of prices) {
    const incentive = deposits(BigInt(costWeight));
    const wei = price(incentive, BigInt(n), BigInt(elapsed));
    expect(String(wei), `${n} after ${elapsed} s`).toBe(each);
  }
});

test("shares are those of the vectors", () => {
  expect(shares.length).toBeGreaterThan(100);
  for (const { deposit, left, good, totalGood, share: expected } of shares) {
    const wei = share(
      deposits(1n),
      BigInt(deposit),
      BigInt(left),
      BigInt(good),
      BigInt(totalGood),
    );
    expect(String(wei)).toBe(expected);
  }
});

test("points cost and pay nothing", () => {
  const points = { kind: "points" } as const;
  expect(price(points, 1n, 0n)).toBe(0n);
  expect(share(points, 100n, 100n, 1n, 1n)).toBe(0n);
});

test("the price falls at the next fall, and not before", () => {
  const incentive = deposits(10n ** 15n);
  for (const elapsed of [0n, 1n, 3n, 4n, 8n, 9n, 1_000n, 86_400n]) {
    const now = price(incentive, 1n, elapsed);
    const fall = nextFall(elapsed);
    expect(price(incentive, 1n, fall - 1n)).toBe(now);
    expect(price(incentive, 1n, fall)).toBeLessThan(now);
  }
});
