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
  const max = 255 * pixels;
  return sumsOf(form, picture).map((sum) => {
    const inked = form.ink ? max - sum : sum;
    return Math.floor((2 * (form.levels - 1) * inked + max) / (2 * max));
  });
}

/** Returns the sum of grey in each pixel of a form, each grey times the area that it shares. */
function sumsOf(form: PictureForm, { width, height, rgba }: Picture): number[] {
  const greys = new Uint8Array(width * height);
  // The direction first that leaves less to do for the other: a picture may be one pixel wide.
  if (form.width * height <= form.height * width) {
    for (let at = 0; at < greys.length; at += 1) greys[at] = grey(rgba, at * 4);
    const across = shared(greys, height, width, form.width);
    return Array.from(shared(across, form.width, height, form.height));
  }
  for (let x = 0, at = 0; x < width; x += 1) {
    for (let y = 0; y < height; y += 1, at += 1) {
      greys[at] = grey(rgba, (y * width + x) * 4);
    }
  }
  const down = shared(greys, width, height, form.height);
  const turned = shared(down, form.height, width, form.width);
  return Array.from(
    { length: turned.length },
    (_, at) =>
      turned[(at % form.width) * form.height + Math.floor(at / form.width)] ??
      0,
  );
}

/**
 * Returns the sums of each line of `length` numbers over `to` equal parts, where a number counts by
 * the length that it shares with a part. Its lines are the parts: the picture is turned.
 */
function shared(
  values: ArrayLike<number>,
  lines: number,
  length: number,
  to: number,
): Float64Array {
  const sums = new Float64Array(to * lines);
  for (let part = 0; part < to; part += 1) {
    const [start, end] = [part * length, (part + 1) * length];
    for (let at = Math.floor(start / to); at * to < end; at += 1) {
      const own = Math.min((at + 1) * to, end) - Math.max(at * to, start);
      for (let line = 0; line < lines; line += 1) {
        const index = part * lines + line;
        sums[index] =
          (sums[index] ?? 0) + own * (values[line * length + at] ?? 0);
      }
    }
  }
  return sums;
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
