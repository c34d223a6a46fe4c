/** Point on a board, in pixels of the picture from its upper left corner. */
export interface Point {
  x: number;
  y: number;
}

/** Distance from a stroke at which a pixel gets no ink, in pixels. */
const REACH = 1.1;
/** Distance of the points that stand for a line, in pixels. */
const STEP = 0.25;

/** Returns points on the line between two points. */
export function line(from: Point, to: Point): Point[] {
  const length = Math.hypot(to.x - from.x, to.y - from.y);
  const steps = Math.max(1, Math.ceil(length / STEP));
  return Array.from({ length: steps + 1 }, (_, step) => ({
    x: from.x + ((to.x - from.x) * step) / steps,
    y: from.y + ((to.y - from.y) * step) / steps,
  }));
}

/** Returns pixels, row by row, with the ink of a stroke: whole numbers between paper and ink. */
export function stroked(
  values: readonly number[],
  { columns, ink, paper }: { columns: number; ink: number; paper: number },
  points: readonly Point[],
): number[] {
  return values.map((value, at) => {
    const x = (at % columns) + 0.5;
    const y = Math.floor(at / columns) + 0.5;
    const distance = Math.min(
      ...points.map((point) => Math.hypot(point.x - x, point.y - y)),
    );
    const cover = Math.max(0, Math.min(1, 1.6 * (1 - distance / REACH)));
    const fresh = Math.round(paper + cover * (ink - paper));
    return ink > paper ? Math.max(value, fresh) : Math.min(value, fresh);
  });
}
