import { readFileSync } from "node:fs";

import { beforeAll, describe, expect, test } from "vitest";

import {
  type Encoded,
  type Field,
  InputError,
  type Table,
  UnusableError,
  encodeIndices,
  encodeLine,
  encodeNamed,
  encodeRow,
  encodeText,
  hash,
  nameOf,
  readEncoder,
  readTable,
  toHex,
  tokenFeatures,
  tokens,
  vectorOf,
} from "../src/twin/index.ts";
import { characters, toText } from "../src/twin/unicode.ts";
import { vectors } from "./vectors.ts";

interface Outcome {
  sample?: string;
  known?: number;
  clipped?: number;
  unseen?: number;
  error?: string;
}

/** Calls an encoder, and compares with an outcome of the vectors. */
function compare(encode: () => Encoded, expected: Outcome, of: string): void {
  if (expected.error !== undefined) {
    expect(encode, of).toThrow(InputError);
    return;
  }
  const { sample, known, clipped, unseen } = encode();
  expect(
    { sample: toHex(sample).slice(2), known, clipped, unseen },
    of,
  ).toEqual({
    sample: expected.sample,
    known: expected.known,
    clipped: expected.clipped,
    unseen: expected.unseen ?? 0,
  });
}

type Tokens = string[] | { count: number; "hash-of-lines": number };

const written = vectors<{
  texts: {
    about: string;
    text: string;
    simple: Tokens;
    unicode: Tokens;
    "unicode-with-pairs": Tokens;
  }[];
  hashes: { token: string; hash: number }[];
  encoders: { encoder: unknown; encoded: Outcome[] }[];
}>("texts.json");

describe("texts", () => {
  function shortened(all: string[]): Tokens {
    if (all.length <= 100) return all;
    return { count: all.length, "hash-of-lines": hash(all.join("\n")) };
  }

  test.each(written.texts)("tokens of $about", (one) => {
    const of = (tokenizer: "simple" | "unicode", wordPairs: boolean): Tokens =>
      shortened(tokens({ tokenizer, wordPairs }, one.text));
    expect(of("simple", false)).toEqual(one.simple);
    expect(of("unicode", false)).toEqual(one.unicode);
    expect(of("unicode", true)).toEqual(one["unicode-with-pairs"]);
  });

  test("tokens of texts by chance", () => {
    const { texts } = vectors<{ texts: [string, string[], string[]][] }>(
      "random-texts.json",
    );
    expect(texts.length).toBe(500);
    for (const [text, simple, unicode] of texts) {
      const of = (tokenizer: "simple" | "unicode"): string[] =>
        tokens({ tokenizer, wordPairs: false }, text);
      expect(of("simple"), JSON.stringify(text)).toEqual(simple);
      expect(of("unicode"), JSON.stringify(text)).toEqual(unicode);
    }
  });

  test("hashes", () => {
    for (const { token, hash: expected } of written.hashes) {
      expect(hash(token), token).toBe(expected);
    }
  });

  test("samples", () => {
    expect(written.encoders.length).toBeGreaterThan(6);
    for (const { encoder, encoded } of written.encoders) {
      const read = readEncoder(encoder);
      written.texts.forEach(({ about, text }, at) => {
        const expected = encoded[at];
        if (expected === undefined) throw new Error("a sample is missing");
        compare(() => encodeText(read, text), expected, about);
      });
    }
  });

  test("a token has its feature and the feature its name", () => {
    const words = readEncoder({
      classifier: "naive-bayes",
      features: { words: ["good", "film"] },
    });
    expect(tokenFeatures(words, "A good old FILM")).toEqual([
      { token: "good", feature: 0 },
      { token: "old", feature: undefined },
      { token: "film", feature: 1 },
    ]);
    expect([0, 1, 2].map((feature) => nameOf(words, feature))).toEqual([
      "good",
      "film",
      undefined,
    ]);
    const hashed = readEncoder({
      classifier: "naive-bayes",
      features: { hashed: 1000 },
    });
    expect(tokenFeatures(hashed, "foobar")).toEqual([
      { token: "foobar", feature: 720 },
    ]);
    expect(nameOf(hashed, 720)).toBe("#720");
  });

  test("halves of pairs of UTF-16 are characters that no word has", () => {
    const rules = { tokenizer: "simple", wordPairs: false } as const;
    expect(tokens(rules, "ab\ud800cd \udc00ef")).toEqual(["ab", "cd", "ef"]);
    expect(toText(characters("𠮷a"))).toBe("𠮷a");
  });
});

describe("rows", () => {
  const { tables, libsvm, typed } = vectors<{
    tables: { encoder: unknown; rows: (Outcome & { row: number[] })[] }[];
    libsvm: { encoder: unknown; lines: (Outcome & { line: string })[] }[];
    typed: { encoder: unknown; rows: (Outcome & { row: Field[] })[] }[];
  }>("rows.json");

  test("numbers and typed columns", () => {
    expect([tables.length, typed.length]).toEqual([3, 3]);
    for (const { encoder, rows } of [...tables, ...typed]) {
      const read = readEncoder(encoder);
      for (const { row, ...expected } of rows) {
        compare(() => encodeRow(read, row), expected, JSON.stringify(row));
      }
    }
  });

  test("lines of libsvm", () => {
    expect(libsvm.length).toBe(2);
    for (const { encoder, lines } of libsvm) {
      const read = readEncoder(encoder);
      for (const { line, ...expected } of lines) {
        compare(() => encodeLine(read, line), expected, line);
      }
    }
  });

  const columns = readEncoder({
    classifier: "naive-bayes",
    features: { columns: ["a", "b", "c"] },
    reserved: 1,
  });

  test("names of columns in any order", () => {
    const named = (row: Record<string, Field>): string =>
      toHex(encodeNamed(columns, new Map(Object.entries(row))).sample);
    expect(named({ b: 1, a: 0 })).toBe("0x0001");
    expect(named({ c: 1, a: 0, b: 0 })).toBe("0x0002");
    expect(() => named({ a: 1 })).toThrow("has no b");
    expect(() => named({ a: 1, b: 1, d: 1 })).toThrow("has d");
    expect(nameOf(columns, 2)).toBe("c");
  });

  test("indices that count from 0", () => {
    const zero = readEncoder({
      classifier: "naive-bayes",
      features: { indices: [5, 1] },
      "zero-based": true,
    });
    expect(toHex(encodeIndices(zero, [[0, 1]]).sample)).toBe("0x0001");
    expect(nameOf(zero, 0)).toBe("4");
    expect(() => encodeIndices(zero, [[-1, 1]])).toThrow("from 0");
    expect(() => encodeLine(zero, "4:1 4:1")).toThrow("twice");
  });

  test("an example of another sort is refused", () => {
    expect(() => encodeText(columns, "a")).toThrow("did not learn from texts");
    expect(() => encodeIndices(columns, [])).toThrow("a row of a table");
  });
});

describe("word vectors", () => {
  const { sha256, texts } = vectors<{
    sha256: string;
    texts: {
      text: string;
      numbers: number[];
      known: number;
      unknown: number;
    }[];
  }>("word-vectors.json");
  const packed = readFileSync(
    new URL("../../crates/learning/data/words-128.cotvec.gz", import.meta.url),
  );
  let table: Table;
  beforeAll(async () => {
    table = await readTable(packed);
  });

  test("the embedded table has the SHA-256 of the vectors", () => {
    expect(table.sha256).toBe(sha256);
    expect(table.dimensions).toBe(128);
    expect(table.notice).toContain("Apache");
  });

  test("numbers of texts", () => {
    expect(texts.length).toBeGreaterThan(5);
    for (const { text, numbers, known, unknown } of texts) {
      const found = vectorOf(table, text);
      expect(found.numbers, text).toEqual(numbers);
      expect([found.known, found.unknown], text).toEqual([known, unknown]);
      expect(found.words.length).toBeGreaterThanOrEqual(known);
    }
  });

  test("an encoder needs its own table", () => {
    const card = (sha256: string) => ({
      classifier: "dense-nearest-centroid",
      features: { vectors: { sha256, dimensions: 128 } },
      scaling: {
        mean: new Array<number>(128).fill(0),
        deviation: new Array<number>(128).fill(65_536),
      },
    });
    const own = readEncoder(card(sha256));
    const { sample, known } = encodeText(own, "a good film", table);
    const { numbers } = vectorOf(table, "a good film");
    expect([sample.length, known]).toEqual([512, 3]);
    expect(new DataView(sample.buffer).getInt32(4)).toBe(numbers[1]);
    expect(() => encodeText(own, "a good film")).toThrow(sha256);
    const other = readEncoder(card("0".repeat(64)));
    expect(() => encodeText(other, "a", table)).toThrow(
      "table of word vectors",
    );
  });

  test("damaged tables are refused", async () => {
    await expect(readTable(packed.subarray(0, 1_000))).rejects.toThrow(
      "damaged",
    );
    const small = Uint8Array.from([
      ...new TextEncoder().encode("cotvec\0\u0001"),
      ...[0, 2, 2, 0, 0, 0, 1, 0, 0, 0, 0, 2, 0x67, 0x6f],
      ...new Array<number>(513).fill(1),
    ]);
    expect(vectorOf(await readTable(small), "GO no").numbers).toEqual([
      23_108, 23_108,
    ]);
    const changed = (at: number, byte: number): Uint8Array => {
      const bytes = small.slice();
      bytes[at] = byte;
      return bytes;
    };
    for (const [bytes, told] of [
      [small.subarray(0, 300), "ends too early"],
      [Uint8Array.from([...small, 0]), "follow"],
      [changed(0, 0), "no such table"],
      [changed(7, 2), "newer version"],
      [changed(9, 0), "dimensions"],
      [changed(9, 3), "do not consist"],
      [changed(14, 0), "pieces"],
      [changed(20, 0x47), "in no text"],
      [changed(20, 0xff), "not UTF-8"],
    ] as const) {
      await expect(readTable(bytes), told).rejects.toThrow(told);
    }
  });
});

describe("cards", () => {
  const good = {
    classifier: "dense-perceptron",
    features: { columns: ["x", "y"] },
    scaling: { mean: [0, 1], deviation: [1, 2] },
    bounds: { "largest-number": 100, "largest-squared-length": "20000" },
    constant: 100,
  };

  test("a good one is read", () => {
    expect(readEncoder(good).dense?.bounds).toEqual({
      maxNumber: 100,
      maxSquaredLength: 20_000n,
    });
  });

  const words = { classifier: "naive-bayes", features: { words: ["ab"] } };
  const table = (column: unknown) => ({
    classifier: "naive-bayes",
    features: { table: [column] },
  });
  test.each([
    [null, "no object"],
    [{}, "its learner"],
    [{ ...words, more: 1 }, "the key more"],
    [{ ...words, classifier: "oracle" }, "its learner"],
    [{ ...words, tokenizer: "Unicode" }, "its tokenizer"],
    [{ ...words, reserved: 1 }, "reserves 1 of 1"],
    [{ ...words, "zero-based": true }, "counts indices"],
    [{ ...words, scaling: good.scaling }, "no numbers"],
    [{ ...words, constant: 1 }, "no constant"],
    [{ ...words, features: {} }, "exactly one"],
    [{ ...words, features: { words: [] } }, "0 features"],
    [{ ...words, features: { words: ["ab", "ab"] } }, "twice"],
    [{ ...words, features: { words: [1] } }, "no text"],
    [{ ...words, features: { hashed: 1 } }, "expected 2 to 65536"],
    [{ ...words, features: { hashed: 9, words: ["a"] } }, "exactly one"],
    [{ ...words, features: { indices: [0] } }, "expected 1"],
    [{ ...words, features: { indices: [2, 2] } }, "twice"],
    [{ ...good, scaling: undefined }, "its scaling"],
    [{ ...good, scaling: { mean: [0], deviation: [1] } }, "of 2 features"],
    [{ ...good, scaling: { mean: [0, 0], deviation: [1, 0] } }, "above 0"],
    [{ ...good, constant: 101 }, "leaves nothing"],
    [
      { ...good, bounds: { ...good.bounds, "largest-number": 40_000 } },
      "40000",
    ],
    [
      { ...good, bounds: { ...good.bounds, "largest-squared-length": "1e9" } },
      "expected 1 to 30000",
    ],
    [{ ...good, features: { columns: ["x", "x"] } }, "twice"],
    [{ ...good, tokenizer: "unicode" }, "rules for texts"],
    [table({ name: "a", type: "date" }), "type of a column"],
    [table({ name: "a", type: "categorical" }), "no category"],
    [
      table({ name: "a", type: "categorical", values: ["b", "a"] }),
      "not in order",
    ],
    [table({ name: "a", type: "numeric", values: ["b"] }), "not categorical"],
    [
      table({ name: "a", type: "boolean", missing: { mean: 2 } }),
      "cannot stand",
    ],
    [
      table({ name: "a", type: "numeric", missing: { mean: 1, own: 2 } }),
      "exactly one rule",
    ],
  ])("%j is refused", (card, told) => {
    expect(() => readEncoder(card)).toThrow(UnusableError);
    expect(() => readEncoder(card)).toThrow(told);
  });

  test("names that ask for a lot of memory", () => {
    const values = Array.from({ length: 100 }, (_, value) =>
      String(value + 100),
    );
    const long = (length: number): unknown =>
      table({ name: "n".repeat(length), type: "categorical", values });
    const longest = Math.floor((16 * 2 ** 20 - 300) / 100);
    expect(() => readEncoder(long(longest))).not.toThrow();
    expect(() => readEncoder(long(longest + 1))).toThrow("bytes long");
  });
});
