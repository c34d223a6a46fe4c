import { keccak256 } from "viem/utils";
import { describe, expect, it } from "vitest";
import { groupOf, leafOf, rootOf, type Recorded } from "../src/twin/index.ts";

type Hex = `0x${string}`;

const author = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
const samples = [
  "0x000000020007000d0022013401e204040682",
  "0x0000000100050032003e004c00500052007f00fa03000650",
  "0x000000020004005704630729",
  "0x0000000100020003001d0029003b0091014d01eb025d030c03750378046e059e0772",
  "0x00000005000700dc011f02d8",
];

/** Contributions of one transaction, as a coordinator told them. */
const record: Recorded[] = samples.map((sample, position) => ({
  author,
  label: 1,
  deposit: 3_600_000_000_000_000n,
  time: 1_795_893_546,
  position,
  sample,
}));

/** Contribution that came alone in its transaction. */
const alone: Recorded = {
  author: "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC",
  label: 0,
  deposit: 3_600_000_000_000_000n,
  time: 1_795_893_547,
  position: 5,
  sample: "0x00010009003d0248",
};

/** A group of claims as the contract reads it. */
interface Group {
  first: bigint;
  positions: bigint[];
  root: Hex;
}

/** Reads a group by the rules of docs/spec.md, and computes the root that its proof leads to. */
function readGroup(bytes: Hex): Group {
  let at = 2;
  const take = (size: number): string => {
    at += 2 * size;
    expect(at).toBeLessThanOrEqual(bytes.length);
    return bytes.slice(at - 2 * size, at);
  };
  const number = (size: number): bigint => BigInt(`0x${take(size)}`);
  const word = (digits: string): string => digits.padStart(64, "0");
  const [first, claims, count] = [number(8), number(2), number(2)];
  const positions: bigint[] = [];
  const queue: Hex[] = [];
  for (let claim = 0n; claim < claims; claim += 1n) {
    const [of, deposit, label] = [take(20), take(12), take(2)];
    const [time, position] = [take(5), take(8)];
    const sample = keccak256(`0x${take(Number(number(2)))}`);
    positions.push(BigInt(`0x${position}`));
    const words = [of, label, sample.slice(2), deposit, time, position];
    queue.push(keccak256(`0x${words.map(word).join("")}`));
  }
  const joins = Number(claims + count) - 1;
  const bits = take(Math.ceil(joins / 8));
  const flags = [...bits]
    .map((digit) => Number.parseInt(digit, 16).toString(2).padStart(4, "0"))
    .join("");
  const nodes = Array.from({ length: Number(count) }, () => take(32));
  for (let join = 0; join < joins; join += 1) {
    const a = queue.shift()?.slice(2) ?? "";
    const b =
      flags[join] === "1" ? (queue.shift()?.slice(2) ?? "") : nodes.shift();
    queue.push(keccak256(`0x${[a, b ?? ""].sort().join("")}`));
  }
  expect([at, nodes.length, queue.length]).toEqual([bytes.length, 0, 1]);
  return { first, positions, root: queue[0] as Hex };
}

describe("rootOf", () => {
  it("is what the contract keeps", () => {
    expect(rootOf(record)).toBe(
      "0xada48b483dfef03359d16ae0314bce646785d290c5a3e9ab1708a7dc091537fb",
    );
    expect(rootOf([alone])).toBe(
      "0x3fc4463efaf03026cbc1f0b53f3f7176c769bb2a927a244acd6fb73f485bace8",
    );
    expect(rootOf([alone])).toBe(leafOf(alone));
  });
});

describe("groupOf", () => {
  it("proves one contribution as the coordinator does", () => {
    expect(groupOf(record, [2])).toBe(
      "0x00000000000000000001000270997970c51812dc3a010c7d01b50e0d17dc79c800000000000cca2e513100000001006b0b292a0000000000000002000c0000000200040057046307290053d321afa6a573caf8dc8333811ceff9b11d95c40624cca35e6761a0fb97eab7d3d7af1cb15e8ed8c3f79d2d2ad526a9bac5bd209c1594bdf2fe37481a6b7bd4",
    );
    expect(groupOf([alone], [5])).toBe(
      "0x0000000000000005000100003c44cdddb6a900fa2b585dd299e03d12fa4293bc00000000000cca2e513100000000006b0b292b0000000000000005000800010009003d0248",
    );
  });

  it("proves each choice of the contributions of a transaction", () => {
    for (const size of [1, 2, 3, 5, 8]) {
      const all = Array.from({ length: size }, (_, at) => ({
        ...alone,
        position: 100 + at,
        label: at,
      }));
      const root = rootOf(all);
      for (let choice = 1; choice < 1 << size; choice += 1) {
        const chosen = all
          .map(({ position }) => position)
          .filter((position) => choice & (1 << (position - 100)));
        // The order in which they are named makes no difference.
        const group = readGroup(groupOf(all, [...chosen].reverse()));
        const positions = chosen.map(BigInt);
        expect(group).toEqual({ first: 100n, positions, root });
      }
    }
  });

  it("proves nothing else", () => {
    expect(() => groupOf(record, [])).toThrow("there are none");
    expect(() => groupOf([], [0])).toThrow("there are none");
    expect(() => groupOf(record, [5])).toThrow("contribution 5");
  });
});
