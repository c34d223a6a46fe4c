import { describe, expect, it } from "vitest";
import {
  featuresOf,
  isEmpty,
  pictureOf,
  readNumbers,
} from "../../src/model/form.ts";
import { line, stroked } from "../../src/model/strokes.ts";
import { formOf } from "../../src/model/inputs.ts";
import { readEncoder } from "../../src/twin/index.ts";
import { model } from "./model.ts";
import { isAddress, routeOf } from "../../src/shell/routes.ts";

describe("routeOf", () => {
  it("finds the pages and nothing else", () => {
    const trainer = "0x3c831ca16e1173cfE5CE6a3c5988E9052A2a2f14";
    expect(routeOf("/")).toEqual({ page: "models" });
    expect(routeOf(`/m/${trainer}`)).toEqual({
      page: "model",
      trainer,
      tab: "try",
    });
    expect(routeOf("/help")).toEqual({ page: "help", topic: undefined });
    expect(routeOf("/help/gas")).toEqual({ page: "help", topic: "gas" });
    for (const path of [
      "/m",
      "/m/0x12",
      `/m/${trainer}/x`,
      `/m/${trainer}/try`,
      `/m/${trainer}/x/y`,
      "/help/x",
      "/x",
      "/help/gas/x",
    ]) {
      expect(routeOf(path)).toEqual({ page: "unknown", path });
    }
  });

  it("takes addresses by their form", () => {
    expect(isAddress(`0x${"a".repeat(40)}`)).toBe(true);
    expect(isAddress(`0x${"g".repeat(40)}`)).toBe(false);
    expect(isAddress(`0x${"a".repeat(41)}`)).toBe(false);
  });
});

describe("pictureOf", () => {
  const names = (rows: number, columns: number): string[] =>
    Array.from({ length: rows * columns }, (_, at) => {
      return `r${Math.floor(at / columns)}c${at % columns}`;
    });

  it("finds the size of a picture", () => {
    expect(pictureOf(names(8, 8))).toEqual({ rows: 8, columns: 8 });
    expect(pictureOf(names(2, 5))).toEqual({ rows: 2, columns: 5 });
  });

  it("refuses other columns", () => {
    expect(pictureOf([])).toBeUndefined();
    expect(pictureOf(["width", "height"])).toBeUndefined();
    expect(pictureOf([...names(2, 2)].reverse())).toBeUndefined();
    expect(pictureOf(["r9999c9999"])).toBeUndefined();
  });
});

describe("stroked on white", () => {
  it("darkens down to the ink", () => {
    const blank = Array.from({ length: 9 }, () => 255);
    const size = { columns: 3, ink: 0, paper: 255 };
    const drawn = stroked(blank, size, [{ x: 1.5, y: 1.5 }]);
    expect(drawn[4]).toBe(0);
    expect(drawn.every((value) => value >= 0 && value <= 255)).toBe(true);
  });
});

describe("given inputs", () => {
  it("are read as whole numbers", () => {
    expect(readNumbers("1, 2;3  -4")).toEqual([1, 2, 3, -4]);
    expect(readNumbers("")).toEqual([]);
    expect(readNumbers("1.5")).toBeUndefined();
    expect(readNumbers("x")).toBeUndefined();
  });

  it("are empty without a letter or a value", () => {
    expect(isEmpty({ text: " \n" })).toBe(true);
    expect(isEmpty({ text: "a" })).toBe(false);
    expect(isEmpty({ row: [] })).toBe(true);
    expect(isEmpty({ row: [null] })).toBe(false);
  });
});

describe("featuresOf", () => {
  it("takes indices as the file counts them", () => {
    const encoder = readEncoder({
      classifier: "naive-bayes",
      features: { indices: [3, 8, 40] },
    });
    const form = formOf(model({ features: 3 }), encoder);
    if (form.kind !== "indices") throw new Error("expected indices");
    expect(form.own?.ofFeatures).toEqual([3, 8, 40]);
    expect(featuresOf([40, 3, 5], form.own)).toEqual({
      features: [2, 0],
      lacking: 1,
    });
    expect(featuresOf([1, 2], undefined)).toEqual({
      features: [1, 2],
      lacking: 0,
    });
  });
});

describe("stroked", () => {
  it("gives ink to pixels near a line, and takes none away", () => {
    const blank = Array.from({ length: 64 }, () => 0);
    const size = { columns: 8, ink: 16, paper: 0 };
    const drawn = stroked(
      blank,
      size,
      line({ x: 2.5, y: 0.5 }, { x: 2.5, y: 7.5 }),
    );
    expect(drawn.filter((_, at) => at % 8 === 2)).toEqual(
      Array.from({ length: 8 }, () => 16),
    );
    expect(
      drawn.filter((_, at) => at % 8 === 6).every((value) => value === 0),
    ).toBe(true);
    const twice = stroked(
      drawn,
      size,
      line({ x: 0.5, y: 0.5 }, { x: 7.5, y: 0.5 }),
    );
    expect(
      twice.every((value, at) => value >= (drawn[at] ?? 0) && value <= 16),
    ).toBe(true);
  });
});
