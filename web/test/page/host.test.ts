import { describe, expect, it, vi } from "vitest";
import { model } from "./model.ts";

// The coordinator's client needs the page's address.
vi.stubGlobal("location", { origin: "http://localhost" });
const { toFunctionSelector } = await import("viem/utils");
const { differs, readSettings } = await import("../../src/host/settings.ts");

/** Answers as a node does to which a model's contract answers with these numbers. */
function stubNode(numbers: Record<string, bigint>): void {
  const word = (number: bigint): string =>
    `0x${number.toString(16).padStart(64, "0")}`;
  const bySelector = new Map(
    Object.entries(numbers).map(([name, number]) => [
      toFunctionSelector(name),
      word(number),
    ]),
  );
  vi.stubGlobal("fetch", (_: string, { body }: { body: string }) => {
    const requests = JSON.parse(body) as {
      id: number;
      method: string;
      params: [{ data: `0x${string}` }];
    }[];
    const answers = requests.map(({ id, method, params }) => ({
      id,
      result:
        method === "eth_call"
          ? (bySelector.get(params[0].data.slice(0, 10) as `0x${string}`) ??
            word(0n))
          : method === "eth_blockNumber"
            ? "0x8"
            : { balance: "0x0" },
    }));
    return Promise.resolve(new Response(JSON.stringify(answers)));
  });
}

describe("differs", () => {
  const told = model();
  const { refund, ownerClaim, anyAddressClaim } = told.waits;
  const numbers = {
    "owner()": BigInt(told.owner),
    "refundWait()": BigInt(refund),
    "ownerClaimWait()": BigInt(ownerClaim),
    "anyAddressClaimWait()": BigInt(anyAddressClaim),
    "reportNotice()": 0n,
    "costWeight()": 10n ** 12n,
  };

  it("finds each setting that is told otherwise, the weight of the price too", async () => {
    stubNode(numbers);
    expect(differs(await readSettings(told), told)).toBe(false);
    for (const [name, number] of Object.entries(numbers)) {
      stubNode({ ...numbers, [name]: number + 1n });
      expect(differs(await readSettings(told), told), name).toBe(true);
    }
  });

  it("expects no weight of a model that costs points", async () => {
    stubNode({ ...numbers, "costWeight()": 5n });
    const free = model({ incentive: { kind: "points" } });
    const settings = await readSettings(free);
    expect(settings.costWeight).toBeUndefined();
    expect(differs(settings, free)).toBe(false);
    expect(differs(settings, told)).toBe(true);
  });
});
