import { describe, expect, it } from "vitest";
import {
  batchData,
  delegationData,
  idOf,
  itemsOf,
  maxCost,
  type Batch,
} from "../../src/teach/batch.ts";

/** Batch that `cotrain contribute --relay` signed, as `GET /v1/submissions/{id}` has it. */
const signed = {
  id: "0x15ba4ea65fc792820a32dd1c014b123abb530ca391aec878e692059eb786a625",
  trainer: "0x3c831ca16e1173cfE5CE6a3c5988E9052A2a2f14",
  author: "0x90F79bf6EB2c4f870365E785982E1f101E93b906",
  nonce: 0,
  relayer: "0xa0Ee7A142d267C1f36714E4a8F75612F20a79720",
  maxDeposit: "1800000000000000",
  fee: "0",
  deadline: 1_795_900_747,
  items: "0x0001000400a50132",
} as const;

const batch: Batch = {
  author: signed.author,
  relayer: signed.relayer,
  maxDeposit: BigInt(signed.maxDeposit),
  fee: BigInt(signed.fee),
  nonce: signed.nonce,
  deadline: signed.deadline,
  items: signed.items,
};

describe("idOf", () => {
  const idWith = (changes: Partial<Batch>): string =>
    idOf(batchData(31_337, signed.trainer, { ...batch, ...changes }));

  it("is the hash that the program signs", () => {
    expect(idWith({})).toBe(signed.id);
    // Wallets tell accounts in small letters.
    const author = batch.author.toLowerCase() as `0x${string}`;
    expect(idWith({ author })).toBe(signed.id);
  });

  it("changes with each field, the chain and the trainer", () => {
    const ids = [
      idWith({}),
      idWith({ author: batch.relayer }),
      idWith({ relayer: batch.author }),
      idWith({ maxDeposit: 1n }),
      idWith({ fee: 1n }),
      idWith({ nonce: 1 }),
      idWith({ deadline: 1 }),
      idWith({ items: "0x" }),
      idOf(batchData(1, signed.trainer, batch)),
      idOf(batchData(31_337, signed.author, batch)),
    ];
    expect(new Set(ids).size).toBe(ids.length);
  });
});

describe("itemsOf", () => {
  it("writes class, length and sample", () => {
    const sample = Uint8Array.of(0x00, 0xa5, 0x01, 0x32);
    expect(itemsOf([{ label: 1, sample }])).toBe(signed.items);
  });
});

describe("maxCost", () => {
  it("counts the deposit of each example, and the fee once", () => {
    expect(maxCost({ ...batch, fee: 7n }, 3)).toBe(5_400_000_000_000_007n);
  });
});

describe("delegationData", () => {
  it("has the type of the contract", () => {
    const keeper = batch.relayer;
    const delegation = { reporter: batch.author, keeper, until: 9 };
    const { types, domain, message } = delegationData(
      31_337,
      signed.trainer,
      delegation,
    );
    const fields = types.Delegation.map(({ name, type }) => `${type} ${name}`);
    expect(fields.join(",")).toBe(
      "address reporter,address keeper,uint40 until",
    );
    expect(domain.verifyingContract).toBe(signed.trainer);
    expect(message).toEqual(delegation);
  });
});
