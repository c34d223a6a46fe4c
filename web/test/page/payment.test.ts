import { hashTypedData } from "viem/utils";
import { describe, expect, it } from "vitest";
import {
  costOf,
  dataOf,
  headerOf,
  newNonce,
  salesHere,
  termsIn,
  transferOf,
  unsigned,
  type Payment,
} from "../../src/label/payment.ts";
import { amountOf } from "../../src/text/money.ts";

const token = "0x5FbDB2315678afecb367f032d93F642f64180aa3";
const payTo = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC";
const from = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
const nonce = `0x${"11".repeat(32)}` as const;

/** Hash of the transfer of the test, as ethers makes it. */
const HASH =
  "0x87c87bbaf6375fd7d9ef1aeaa6247ee599f563065aec2116712acb512cd8cda7";

const accept = {
  scheme: "exact",
  network: "eip155:31337",
  amount: "100000",
  asset: token,
  payTo,
  maxTimeoutSeconds: 300,
  extra: { assetTransferMethod: "eip3009", name: "USDC", version: "1" },
  more: "kept",
};
const fields = {
  accepts: [accept],
  resource: { url: "http://a/v1/label/sessions" },
  extensions: {
    "payment-identifier": { info: { required: false }, schema: {} },
    other: 1,
  },
};

describe("termsIn", () => {
  it("reads offers of this chain by signed transfers alone", () => {
    const { offers } = termsIn(fields, 31_337);
    expect(offers).toHaveLength(1);
    expect(offers[0]).toMatchObject({
      amount: 100_000n,
      token,
      payTo,
      time: 300,
    });
    expect(termsIn(fields, 1).offers).toEqual([]);
    expect(termsIn(fields, undefined).offers).toEqual([]);
    expect(termsIn({}, 31_337).offers).toEqual([]);
    for (const wrong of [
      { scheme: "batch-settlement" },
      { amount: "0" },
      { amount: "1.5" },
      { amount: 5 },
      { asset: "0x12" },
      { payTo: null },
      { maxTimeoutSeconds: 0 },
      { extra: {} },
      { extra: { name: "USDC", version: "1", assetTransferMethod: "permit2" } },
    ]) {
      const one = { accepts: [{ ...accept, ...wrong }, null, 7] };
      expect(termsIn(one, 31_337).offers, JSON.stringify(wrong)).toEqual([]);
    }
  });

  it("signs for an hour at most", () => {
    const long = { accepts: [{ ...accept, maxTimeoutSeconds: 1e9 }] };
    expect(termsIn(long, 31_337).offers[0]?.time).toBe(3_600);
  });
});

describe("dataOf", () => {
  it("is the transfer that EIP-3009 defines", () => {
    const [offer] = termsIn(fields, 31_337).offers;
    if (!offer) throw new Error("no offer");
    const transfer = transferOf(offer, from, nonce, 1_000);
    const data = dataOf(offer, transfer, 31_337);
    expect(data.domain).toEqual({
      name: "USDC",
      version: "1",
      chainId: 31_337,
      verifyingContract: token,
    });
    expect(transfer.validBefore).toBe(1_300n);
    const hash = hashTypedData(data as Parameters<typeof hashTypedData>[0]);
    expect(hash).toBe(HASH);
  });
});

describe("headerOf", () => {
  it("sends back the offer as it came, with the number of the payment", () => {
    const terms = termsIn(fields, 31_337);
    const [offer] = terms.offers;
    if (!offer) throw new Error("no offer");
    const transfer = transferOf(offer, from, nonce, 1_000);
    const header = headerOf(terms, offer, transfer, "0xab", "k".repeat(32));
    const bytes = Uint8Array.from(atob(header), (one) => one.charCodeAt(0));
    expect(JSON.parse(new TextDecoder().decode(bytes))).toEqual({
      x402Version: 2,
      resource: fields.resource,
      accepted: accept,
      payload: {
        signature: "0xab",
        authorization: {
          from,
          to: payTo,
          value: "100000",
          validAfter: "0",
          validBefore: "1300",
          nonce,
        },
      },
      extensions: {
        other: 1,
        "payment-identifier": {
          info: { required: false, id: "k".repeat(32) },
          schema: {},
        },
      },
    });
  });

  it("adds no extension that was not offered", () => {
    const terms = termsIn({ accepts: [accept] }, 31_337);
    const [offer] = terms.offers;
    if (!offer) throw new Error("no offer");
    const transfer = transferOf(offer, from, nonce, 1_000);
    const sent = JSON.parse(
      atob(headerOf(terms, offer, transfer, "0xab", "k")),
    );
    expect(sent.extensions).toEqual({});
  });
});

describe("unsigned", () => {
  const payment: Payment = {
    call: "open",
    units: 5,
    key: "k",
    nonce,
    header: "h",
  };

  it("keeps the number of a transfer that the token can still take", () => {
    expect(unsigned(payment, "insufficient_funds")).toEqual({
      call: "open",
      units: 5,
      key: "k",
      nonce,
    });
    const used = unsigned(payment, "invalid_exact_evm_nonce_already_used");
    expect(used.nonce).not.toBe(nonce);
    expect(used.nonce).toMatch(/^0x[0-9a-f]{64}$/);
    expect(newNonce()).not.toBe(newNonce());
  });
});

describe("amountOf", () => {
  it("tells amounts exactly, and rounds a price up once", () => {
    expect(amountOf(100_000n, 6)).toBe("0.1");
    expect(amountOf(1n, 6)).toBe("0.000001");
    expect(amountOf(12_000_000n, 6)).toBe("12");
    expect(amountOf(5n, 0)).toBe("5");
    const sale = {
      rail: "x402-exact",
      network: "eip155:31337",
      asset: token,
      name: "USDC",
      decimals: 6,
      amount: "100",
      units: 1_000,
      minimum: "50",
    };
    expect(costOf(sale, 1_000)).toBe(100n);
    expect(costOf(sale, 100)).toBe(50n);
    expect(costOf(sale, 1_001)).toBe(101n);
    expect(salesHere([sale, { ...sale, rail: "lightning" }], 31_337)).toEqual([
      sale,
    ]);
    expect(salesHere(undefined, 31_337)).toEqual([]);
    expect(salesHere([sale], 1)).toEqual([]);
  });
});
