import { beforeEach, describe, expect, it, vi } from "vitest";
import {
  allOriginals,
  exported,
  forget,
  imported,
  keep,
  moveTo,
  originalOf,
  type Original,
} from "../../src/teach/originals.ts";

const trainer = "0x3C831ca16e1173cfE5CE6a3c5988E9052A2a2f14";
const [sent, faster] = [`0x${"ab".repeat(32)}`, `0x${"cd".repeat(32)}`];

function original(index: number, changes: Partial<Original> = {}): Original {
  return {
    trainer: trainer.toLowerCase(),
    by: sent,
    index,
    given: { text: `text ${index}` },
    label: 1,
    sample: `0x000${index}`,
    ...changes,
  };
}

function contribution(position: number, sample: string) {
  return { transaction: sent, position, firstPosition: 7, sample, label: 1 };
}

beforeEach(() => {
  const values = new Map<string, string>();
  vi.stubGlobal("localStorage", {
    getItem: (key: string) => values.get(key) ?? null,
    setItem: (key: string, value: string) => values.set(key, value),
  });
});

describe("originalOf", () => {
  it("finds an original by its sample, else by its index", () => {
    expect(keep([original(0), original(1)])).toBe(true);
    const at = (position: number, sample: string): unknown =>
      originalOf(trainer, contribution(position, sample))?.given;
    expect(at(8, "0x0001")).toEqual({ text: "text 1" });
    expect(at(7, "0x0009")).toEqual({ text: "text 0" });
    expect(at(9, "0x0009")).toBeUndefined();
  });

  it("finds it by the signed batch, too", () => {
    keep([original(0, { by: faster })]);
    const relayed = { ...contribution(30, "0x0000"), submission: faster };
    expect(originalOf(trainer, relayed)?.label).toBe(1);
    expect(originalOf(trainer, contribution(30, "0x0000"))).toBeUndefined();
  });

  it("finds it after the wallet has sent the transaction faster", () => {
    keep([original(0, { sending: "a" }), original(1, { sending: "b" })]);
    expect(moveTo("a", faster)).toBe(true);
    const found = { ...contribution(7, "0x0000"), transaction: faster };
    expect(originalOf(trainer, found)?.given).toEqual({ text: "text 0" });
  });
});

describe("imported", () => {
  it("reads what was exported", () => {
    keep([original(0), original(1, { given: { row: [1, null, "red"] } })]);
    const file = exported(trainer);
    forget(trainer);
    expect(allOriginals()).toEqual([]);
    expect(imported(file)).toBe(2);
    expect(imported(file)).toBe(2);
    expect(allOriginals()).toHaveLength(2);
  });

  it("refuses other files, and leaves out what is no original", () => {
    expect(() => imported("{")).toThrow("no JSON");
    expect(() => imported("[]")).toThrow("does not begin");
    const form = "cotrain-originals/1";
    const rows = [original(0, { by: "0x12" }), { given: 1 }, null];
    expect(imported(JSON.stringify({ form, originals: rows }))).toBe(0);
  });

  it("refuses what it has no room for, and loses nothing", () => {
    keep([original(0)]);
    const form = "cotrain-originals/1";
    const many = Array.from({ length: 5_000 }, (_, index) =>
      original(index, { by: faster, sample: "0x00" }),
    );
    const file = JSON.stringify({ form, originals: many });
    expect(() => imported(file)).toThrow("no room");
    expect(keep(many)).toBe(false);
    expect(allOriginals()).toEqual([original(0)]);
    forget(trainer);
    expect(imported(file)).toBe(5_000);
    expect(keep([original(0)])).toBe(false);
  });
});
