import { expect, test } from "vitest";

import {
  type Picture,
  type PictureForm,
  encodePicture,
  encodeRow,
  fromHex,
  levelsOf,
  nameOf,
  readEncoder,
  toHex,
} from "../src/twin/index.ts";
import { vectors } from "./vectors.ts";

const written = vectors<{
  pictures: {
    width: number;
    height: number;
    rgba: string;
    grey: number[];
    scaled: {
      form: Omit<PictureForm, "ink"> & { ink?: boolean };
      levels: number[];
    }[];
  }[];
  encoders: {
    encoder: unknown;
    encoded: { sample: string; known: number; clipped: number }[];
  }[];
}>("pictures.json");

const pictures = written.pictures.map(({ width, height, rgba }): Picture => ({
  width,
  height,
  rgba: fromHex(rgba),
}));

test("levels of pictures", () => {
  expect(pictures.length).toBeGreaterThan(4);
  written.pictures.forEach(({ width, height, grey, scaled }, at) => {
    const picture = pictures[at];
    if (picture === undefined) throw new Error("a picture is missing");
    const same = { width, height, levels: 256, ink: false };
    expect(levelsOf(same, picture)).toEqual(grey);
    for (const { form, levels } of scaled) {
      expect(levelsOf({ ink: false, ...form }, picture)).toEqual(levels);
    }
  });
});

test("samples of pictures", () => {
  expect(written.encoders.length).toBe(3);
  for (const { encoder, encoded } of written.encoders) {
    const read = readEncoder(encoder);
    const samples = pictures.map((picture) => {
      const { sample, known, clipped } = encodePicture(read, picture);
      return { sample: toHex(sample).slice(2), known, clipped };
    });
    expect(samples).toEqual(encoded);
  }
});

const card = (form: unknown) => ({
  classifier: "naive-bayes",
  features: { pictures: form },
});

test("a row of levels is a picture, too", () => {
  const encoder = readEncoder(card({ width: 2, height: 2, levels: 2 }));
  expect(toHex(encodeRow(encoder, [0, 1, "1", 0]).sample)).toBe("0x00010002");
  expect(nameOf(encoder, 2)).toBe("r1c0");
  for (const row of [
    [0, 1, 2, 0],
    [0, -1, 0, 0],
    [0, 1, 0],
  ]) {
    expect(() => encodeRow(encoder, row)).toThrow("expected");
  }
});

test.each([
  [{ width: 0, height: 1, levels: 2 }, "the width"],
  [{ width: 300, height: 300, levels: 2 }, "300x300"],
  [{ width: 2, height: 2, levels: 257 }, "the levels"],
  [{ width: 2, height: 2, levels: 3 }, "not of 3"],
  [{ width: 2, height: 2, levels: 2, ink: 1 }, "ink"],
])("%j is refused", (form, told) => {
  expect(() => readEncoder(card(form))).toThrow(told);
});

test("a picture of one line is read on a form of one line across it", () => {
  const length = 2 ** 21;
  const rgba = new Uint8Array(4 * length).fill(255);
  for (const [tall, wide] of [
    [1, 65_536],
    [65_536, 1],
  ] as const) {
    const form = { width: wide, height: tall, levels: 3, ink: false };
    const picture = {
      width: tall === 1 ? 1 : length,
      height: wide === 1 ? 1 : length,
      rgba,
    };
    expect(new Set(levelsOf(form, picture))).toEqual(new Set([2]));
  }
});

test("a picture without its numbers is refused", () => {
  const form = { width: 1, height: 1, levels: 2, ink: false };
  for (const [width, height, length] of [
    [0, 0, 0],
    [1, 1, 3],
    [2 ** 20, 2 ** 20, 4],
  ] as const) {
    const picture = { width, height, rgba: new Uint8Array(length) };
    expect(() => levelsOf(form, picture)).toThrow("expected 1 to");
  }
});
