/** Pictures as levels of grey, by integers alone (docs/spec.md, "Pictures"). */

import { InputError } from "./error.ts";

/** Form of the pictures that a model takes. */
export interface PictureForm {
  readonly width: number;
  readonly height: number;
  /** Number of levels of grey, 2 to 256. */
  readonly levels: number;
  /** `true` if white is 0 and black the largest level. */
  readonly ink: boolean;
}

/** Decoded picture. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  /** Red, green, blue and opacity of each pixel, row by row from the upper left. */
  readonly rgba: ArrayLike<number>;
}

/** Maximum number of pixels of a picture: all sums are exact below it. */
const MAX_PIXELS = 2 ** 25;

/** Returns the name of each pixel: `r` with its row and `c` with its column, from 0. */
export function pixelNames({ width, height }: PictureForm): string[] {
  return Array.from(
    { length: width * height },
    (_, pixel) => `r${Math.floor(pixel / width)}c${pixel % width}`,
  );
}

/**
 * Returns the levels of a picture at the size of a form, row by row.
 *
 * @throws InputError if the picture has no pixels, too many, or not four numbers for each.
 */
export function levelsOf(form: PictureForm, picture: Picture): number[] {
  const { width, height, rgba } = picture;
  const pixels = width * height;
  if (!(pixels >= 1 && pixels <= MAX_PIXELS) || rgba.length !== pixels * 4) {
    throw new InputError(
      `the picture has ${width}x${height} pixels and ${rgba.length} numbers, expected 1 to ${MAX_PIXELS} pixels of 4 numbers`,
    );
  }
  const across = overlaps(width, form.width);
  const down = overlaps(height, form.height);
  const max = 255 * pixels;
  return down.flatMap((rows) =>
    across.map((columns) => {
      let sum = 0;
      for (const [y, high] of rows) {
        for (const [x, wide] of columns) {
          sum += wide * high * grey(rgba, (y * width + x) * 4);
        }
      }
      const inked = form.ink ? max - sum : sum;
      return Math.floor((2 * (form.levels - 1) * inked + max) / (2 * max));
    }),
  );
}

/** Part of a line: a pixel, and the length that it shares with a pixel of the other size. */
type Overlap = readonly [pixel: number, length: number];

/** Returns, for each pixel of a line of `to`, the pixels of a line of `from` that it covers. */
function overlaps(from: number, to: number): Overlap[][] {
  return Array.from({ length: to }, (_, pixel) => {
    const [start, end] = [pixel * from, (pixel + 1) * from];
    const shared: Overlap[] = [];
    for (let at = Math.floor(start / to); at * to < end; at += 1) {
      const length = Math.min((at + 1) * to, end) - Math.max(at * to, start);
      shared.push([at, length]);
    }
    return shared;
  });
}

/** Returns the grey of a pixel before white, 0 to 255. */
function grey(rgba: ArrayLike<number>, at: number): number {
  const opacity = rgba[at + 3] ?? 255;
  const color = (offset: number): number => {
    const ahead = (rgba[at + offset] ?? 0) * opacity;
    return Math.floor((ahead + 255 * (255 - opacity) + 127) / 255);
  };
  const luma = 299 * color(0) + 587 * color(1) + 114 * color(2);
  return Math.floor((luma + 500) / 1000);
}
