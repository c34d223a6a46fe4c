import type { Pool } from "./pool.ts";
import { labelWords } from "./words.ts";

/** Pixels of a side of the pictures. */
const SIDE = 8;

/** Returns the pictures that come with the page. */
export async function digitsPool(id: string): Promise<Pool> {
  const { default: pictures } = await import("./digits.json");
  const header = Array.from({ length: SIDE * SIDE }, (_, at) => `px${at}`);
  return {
    id,
    name: labelWords.data.digitsName,
    header,
    rows: pictures.map((levels) =>
      Array.from(levels, (level) => String(Number.parseInt(level, 17))),
    ),
    uses: header.map(() => "number"),
    isComma: false,
    side: SIDE,
  };
}

/** Names of the classes of the pictures. */
export const digitClasses = Array.from({ length: 10 }, (_, at) => String(at));
