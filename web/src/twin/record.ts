/** Records of contributions, and the proofs of claims (docs/spec.md, "The trainer" and "Claims"). */

import { keccak256 } from "viem/utils";
import { UnusableError } from "./error.ts";

type Hex = `0x${string}`;

/** A contribution as its record holds it. */
export interface Recorded {
  readonly author: string;
  readonly label: number;
  /** Deposit, in wei. */
  readonly deposit: bigint;
  /** Time of the contribution, in Unix seconds. */
  readonly time: number;
  readonly position: number;
  /** Bytes of the sample, in hexadecimal digits. */
  readonly sample: string;
}

/** Returns digits without `0x`, in lower case, filled up to a number of bytes. */
function digits(value: string | number | bigint, bytes: number): string {
  const plain =
    typeof value === "string"
      ? value.replace(/^0x/, "").toLowerCase()
      : value.toString(16);
  return plain.padStart(2 * bytes, "0");
}

/** Returns the hash that stands for a contribution in its record. */
export function leafOf(one: Recorded): Hex {
  const sample = `0x${digits(one.sample, 0)}` as const;
  const words = [one.author, one.label, keccak256(sample), one.deposit];
  const all = [...words, one.time, one.position];
  return keccak256(`0x${all.map((word) => digits(word, 32)).join("")}`);
}

function parentOf(a: Hex, b: Hex): Hex {
  // All hashes have as many digits, in lower case, so texts have the order of the numbers.
  const [low, high] = a < b ? [a, b] : [b, a];
  return keccak256(`${low}${high.slice(2)}`);
}

/** Returns the tree over leaves, its root first. */
function treeOver(leaves: readonly Hex[]): Hex[] {
  const inner = Math.max(0, leaves.length - 1);
  const nodes: Hex[] = [
    ...Array<Hex>(inner).fill("0x"),
    ...[...leaves].reverse(),
  ];
  for (let node = inner - 1; node >= 0; node -= 1) {
    nodes[node] = parentOf(
      nodeAt(nodes, 2 * node + 1),
      nodeAt(nodes, 2 * node + 2),
    );
  }
  return nodes;
}

function nodeAt(nodes: readonly Hex[], index: number): Hex {
  const node = nodes[index];
  if (node === undefined)
    throw new UnusableError(`the tree has no node ${index}`);
  return node;
}

/** Returns the root of a transaction's contributions, in order of position. */
export function rootOf(record: readonly Recorded[]): Hex {
  return nodeAt(treeOver(record.map(leafOf)), 0);
}

/** Proof that leads from some leaves to the root. */
interface MultiProof {
  nodes: Hex[];
  /** `true` if a parent's second child is computed, `false` if it is the next of `nodes`. */
  flags: boolean[];
}

/** Proves the leaves with these indices, in ascending order. */
function proofOf(tree: readonly Hex[], leaves: readonly number[]): MultiProof {
  // In descending order, so that the queue of the verification has the same order.
  const queue = leaves.map((leaf) => tree.length - 1 - leaf);
  const proof: MultiProof = { nodes: [], flags: [] };
  for (;;) {
    const node = queue.shift();
    if (node === undefined || node === 0) return proof;
    // Left children are odd.
    const sibling = node % 2 === 1 ? node + 1 : node - 1;
    const isKnown = queue[0] === sibling;
    if (isKnown) queue.shift();
    else proof.nodes.push(nodeAt(tree, sibling));
    proof.flags.push(isKnown);
    queue.push((node - 1) >> 1);
  }
}

/**
 * Returns the claims of some contributions of a transaction with their proof, as `refund`, `announce`,
 * `report` and `claimLate` take them. Groups of several transactions may follow each other.
 *
 * `record` has all contributions of the transaction, in order of position.
 *
 * @throws UnusableError if a position is not of the transaction, or if there is none.
 */
export function groupOf(
  record: readonly Recorded[],
  positions: readonly number[],
): Hex {
  const first = record[0]?.position;
  const sorted = [...new Set(positions)].sort((a, b) => a - b);
  if (first === undefined || sorted.length === 0) {
    throw new UnusableError("cannot prove claims: there are none");
  }
  const claimed = sorted.map((position) => {
    const one = record[position - first];
    if (one?.position !== position) {
      throw new UnusableError(
        `cannot prove contribution ${position}: it is not of the transaction that begins with ${first}`,
      );
    }
    return one;
  });
  const tree = treeOver(record.map(leafOf));
  const indices = sorted.map((position) => position - first);
  const { nodes, flags } = proofOf(tree, indices);
  const head = [
    digits(first, 8),
    digits(claimed.length, 2),
    digits(nodes.length, 2),
  ];
  return `0x${head.join("")}${claimed.map(encoded).join("")}${bitsOf(flags)}${nodes
    .map((node) => node.slice(2))
    .join("")}`;
}

function encoded(one: Recorded): string {
  const sample = digits(one.sample, 0);
  return [
    digits(one.author, 20),
    digits(one.deposit, 12),
    digits(one.label, 2),
    digits(one.time, 5),
    digits(one.position, 8),
    digits(sample.length / 2, 2),
    sample,
  ].join("");
}

/** Returns flags as bits, from the highest bit of the first byte on. */
function bitsOf(flags: readonly boolean[]): string {
  let bits = "";
  for (let at = 0; at < flags.length; at += 8) {
    let byte = 0;
    flags.slice(at, at + 8).forEach((flag, bit) => {
      if (flag) byte |= 0x80 >> bit;
    });
    bits += digits(byte, 1);
  }
  return bits;
}
