import { encodeAbiParameters, keccak256 } from "viem/utils";
import type { Hex } from "../chain/rpc.ts";

/** Maximum size of a file, in bytes: 256 parts of 24,575 bytes in hexadecimal digits, and room. */
export const MAX_FILE = 16 << 20;
const [MIN_PARTS, MAX_PARTS] = [2, 256] as const;

/** Part of a test set: the salt that hides it, and its samples. */
export interface Part {
  salt: Hex;
  items: Hex;
}

/** A provider's secret test set, as `cotrain market create` writes it. */
export interface TestSet {
  chainId: number;
  market: string;
  parts: readonly Part[];
}

/** Fault of a file that holds no test set. */
export type Fault = "json" | "form" | "parts" | "part";

/** Refusal of a file. */
export class TestSetError extends Error {
  readonly fault: Fault;
  /** Index of the faulty part. */
  readonly part: number | undefined;

  constructor(fault: Fault, part?: number) {
    super(`the file holds no test set: ${fault}`);
    this.fault = fault;
    this.part = part;
  }
}

/**
 * Reads the file of a test set.
 *
 * @throws TestSetError
 */
export function readTestSet(text: string): TestSet {
  let file: unknown;
  try {
    file = JSON.parse(text);
  } catch {
    throw new TestSetError("json");
  }
  const field = (of: unknown, name: string): unknown =>
    typeof of === "object" && of !== null ? Reflect.get(of, name) : undefined;
  const [chainId, market] = [field(file, "chain_id"), field(file, "market")];
  const parts = field(file, "parts");
  if (
    typeof chainId !== "number" ||
    typeof market !== "string" ||
    !Array.isArray(parts)
  ) {
    throw new TestSetError("form");
  }
  if (parts.length < MIN_PARTS || parts.length > MAX_PARTS)
    throw new TestSetError("parts");
  return {
    chainId,
    market,
    parts: parts.map((part: unknown, index) => {
      const [salt, items] = [field(part, "salt"), field(part, "items")];
      if (!isBytes(salt) || salt.length !== 66 || !isBytes(items))
        throw new TestSetError("part", index);
      return { salt, items };
    }),
  };
}

function isBytes(value: unknown): value is Hex {
  return typeof value === "string" && /^0x([0-9a-fA-F]{2})*$/.test(value);
}

/** Returns the commitment to a part: `keccak256(abi.encode(part, salt, keccak256(items)))`. */
export function commitment(index: number, { salt, items }: Part): Hex {
  return keccak256(
    encodeAbiParameters(
      [{ type: "uint256" }, { type: "bytes32" }, { type: "bytes32" }],
      [BigInt(index), salt, keccak256(items)],
    ),
  );
}

/** Returns `true` if a test set is the one that a market is committed to. */
export function isCommitted(
  set: TestSet,
  commitments: readonly string[],
): boolean {
  return (
    set.parts.length === commitments.length &&
    set.parts.every(
      (part, index) =>
        commitment(index, part) === commitments[index]?.toLowerCase(),
    )
  );
}

/** Returns the parts that are to be revealed now, by their indices. */
export function partsToReveal(
  market: { phase: string; drawnPart?: number | null; parts: number },
  isRevealed: (part: number) => boolean,
): number[] {
  if (market.phase === "committed")
    return market.drawnPart == null ? [] : [market.drawnPart];
  if (market.phase !== "revealing") return [];
  const all = Array.from({ length: market.parts }, (_, part) => part);
  return all.filter((part) => part !== market.drawnPart && !isRevealed(part));
}
