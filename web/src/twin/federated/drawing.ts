/** Drawn digits as levels of grey, in the form of the embedded digits: they fill their 8 rows. */

/** Point of a stroke, in whole units of the board from its upper left corner. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Pixels of a side of the raster, of a block of it, and of a picture. */
const [GRID, BLOCK, SIDE] = [32, 4, 8] as const;
/** Radius of the pen, in pixels of the raster: the ink of the embedded digits is as wide. */
const PEN = 1.8;

/** Number of levels that a picture has. */
export const PIXELS = SIDE * SIDE;
/** Level of a block that is all ink. */
export const INK = BLOCK * BLOCK;

/**
 * Returns the levels of grey of some strokes, row by row: 0 is paper, and 16 is ink.
 *
 * The longer side of the strokes fills the raster. Along the other one, the center of the ink's mass
 * is moved to the middle, by whole pixels. A level counts the pixels of ink of a block.
 */
export function levelsOfStrokes(
  strokes: readonly (readonly Point[])[],
): Uint8Array {
  const levels = new Uint8Array(PIXELS);
  const ink = inked(placed(strokes));
  const [right, down] = [shift(ink, 1, GRID), shift(ink, GRID, 1)];
  for (let y = 0; y + down < GRID; y += 1) {
    for (let x = 0; x + right < GRID; x += 1) {
      const row = Math.floor((y + down) / BLOCK);
      const at = row * SIDE + Math.floor((x + right) / BLOCK);
      levels[at] = (levels[at] ?? 0) + (ink[y * GRID + x] ?? 0);
    }
  }
  return levels;
}

/** Moves strokes to the corner of the raster, and scales them so that the pen just stays in it. */
function placed(strokes: readonly (readonly Point[])[]): Point[][] {
  const all = strokes.flat();
  const least = (of: (point: Point) => number): number =>
    all.reduce((least, point) => Math.min(least, of(point)), Infinity);
  const [left, top] = [least((it) => it.x), least((it) => it.y)];
  const [right, bottom] = [-least((it) => -it.x), -least((it) => -it.y)];
  const size = Math.max(right - left, bottom - top, 1);
  const scale = (GRID - 2 * PEN) / size;
  return strokes.map((points) =>
    points.map(({ x, y }) => ({
      x: PEN + (x - left) * scale,
      y: PEN + (y - top) * scale,
    })),
  );
}

/** Returns 1 for each pixel whose center is within the pen's radius of a stroke, and 0 for others. */
function inked(strokes: readonly (readonly Point[])[]): Uint8Array {
  const ink = new Uint8Array(GRID * GRID);
  for (const points of strokes) {
    for (const [index, from] of points.entries()) {
      const to = points[index + 1] ?? from;
      if (to === from && points.length > 1) continue;
      for (let at = 0; at < ink.length; at += 1)
        if (isNear(from, to, (at % GRID) + 0.5, Math.floor(at / GRID) + 0.5))
          ink[at] = 1;
    }
  }
  return ink;
}

/** Returns `true` if a place is within the pen's radius of a line. */
function isNear(from: Point, to: Point, x: number, y: number): boolean {
  const [across, down] = [to.x - from.x, to.y - from.y];
  const length = across * across + down * down;
  const along = (x - from.x) * across + (y - from.y) * down;
  const share = length > 0 ? Math.max(0, Math.min(1, along / length)) : 0;
  const dx = from.x + share * across - x;
  const dy = from.y + share * down - y;
  return dx * dx + dy * dy <= PEN * PEN;
}

/**
 * Returns the number of pixels by which ink is moved along a direction, so that its center of mass is
 * in the middle and all of it stays in the raster.
 */
function shift(ink: Uint8Array, step: number, other: number): number {
  let [count, sum, last] = [0, 0, 0];
  for (let along = 0; along < GRID; along += 1) {
    for (let line = 0; line < GRID; line += 1) {
      if ((ink[along * step + line * other] ?? 0) === 0) continue;
      count += 1;
      sum += along;
      last = along;
    }
  }
  const wanted = Math.floor((count * (GRID / 2) - sum) / Math.max(1, count));
  return Math.max(0, Math.min(wanted, GRID - 1 - last));
}
