import { describe, expect, test } from "vitest";

import {
  denseNumbers,
  encodeBatch,
  encodeDense16,
  encodeDense32,
  encodeSparse,
  fromHex,
  parseBatch,
  sparseFeatures,
  toHex,
} from "../src/twin/index.ts";
import { outcome, vectors } from "./vectors.ts";

const written = vectors<{
  sparse: { features: number[]; sample: string };
  dense16: { numbers: number[]; sample: string };
  dense32: { numbers: number[]; sample: string };
  batch: { items: { label: number; sample: string }[]; batch: string };
  tooLong: { length: number; error: string };
}>("samples.json");

describe("samples and batches", () => {
  test("sparse features", () => {
    const { features, sample } = written.sparse;
    expect(toHex(encodeSparse(features))).toBe(`0x${sample}`);
    expect(sparseFeatures(fromHex(sample))).toEqual(features);
  });

  test("numbers", () => {
    const { dense16, dense32 } = written;
    expect(toHex(encodeDense16(dense16.numbers))).toBe(`0x${dense16.sample}`);
    expect(toHex(encodeDense32(dense32.numbers))).toBe(`0x${dense32.sample}`);
    const read16 = denseNumbers("dense16", fromHex(dense16.sample));
    const read32 = denseNumbers("dense32", fromHex(dense32.sample));
    expect(read16).toEqual(dense16.numbers);
    expect(read32).toEqual(dense32.numbers);
    expect(denseNumbers("sparse", fromHex(dense32.sample))).toEqual([]);
  });

  test("batches", () => {
    const items = written.batch.items.map(({ label, sample }) => ({
      label,
      sample: fromHex(sample),
    }));
    expect(toHex(encodeBatch(items))).toBe(`0x${written.batch.batch}`);
    expect(parseBatch(fromHex(written.batch.batch))).toEqual(items);
  });

  test("a sample has at most 65,535 bytes", () => {
    const of = (length: number) => [
      { label: 0, sample: new Uint8Array(length) },
    ];
    expect(parseBatch(encodeBatch(of(65_535)))).toEqual(of(65_535));
    const done = outcome(() => encodeBatch(of(written.tooLong.length)));
    expect(done).toEqual({ error: written.tooLong.error });
  });

  test("hexadecimal digits are checked", () => {
    for (const wrong of ["0x0", "0x0g", "zz", "0x0x"]) {
      expect(() => fromHex(wrong)).toThrow("hexadecimal digits");
    }
    expect(fromHex("0xFF00")).toEqual(Uint8Array.of(255, 0));
  });
});
