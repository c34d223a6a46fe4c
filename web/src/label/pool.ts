import { split } from "../text/tables.ts";
import { labelWords } from "./words.ts";

const words = labelWords.faults;

/** Maximum size of a file, in bytes. */
export const MAX_FILE = 16_000_000;
/** Maximum number of rows of a pool. */
export const MAX_ROWS = 20_000;
/** Maximum number of different texts of a column from which the model learns. */
export const MAX_CATEGORIES = 50;
/** Sizes of pictures by their longer side, in pixels. */
const [LEAST_SIDE, MAX_SIDE] = [4, 64] as const;

/** Part that a column plays. */
export type Use = "number" | "category" | "shown" | "off" | "label";

/** Rows to label, as they are kept in this browser. */
export interface Pool {
  id: string;
  name: string;
  header: readonly string[];
  rows: readonly (readonly string[])[];
  uses: readonly Use[];
  /** `true` if numbers have a decimal comma. */
  isComma: boolean;
  /** Pixels of a side if the number columns are a square picture. */
  side?: number;
}

/** Number of a row that the model gets, and how it is made of a column. */
export type Feature =
  | { column: string; kind: "number"; mean: number; deviation: number }
  | { column: string; kind: "pixel"; max: number }
  | { column: string; kind: "category"; value: string };

/** Numbers of all rows. */
export interface Numbers {
  features: readonly Feature[];
  rows: readonly (readonly number[])[];
}

/** Reads a number of a cell; undefined if it is none. */
export function readNumber(cell: string, isComma: boolean): number | undefined {
  const text = isComma ? cell.trim().replace(",", ".") : cell.trim();
  if (text === "") return undefined;
  const number = Number(text);
  return Number.isFinite(number) && Math.abs(number) < 1e100
    ? number
    : undefined;
}

/**
 * Reads a table: the first line names the columns unless all of its cells are numbers.
 *
 * @throws Error with words for people.
 */
export function readPool(id: string, name: string, text: string): Pool {
  const { lines, faults, separator } = split(text);
  const fault = faults[0];
  if (fault) throw new Error(words.line(fault.line, fault.text));
  const isComma =
    separator !== "," &&
    lines.some(({ cells }) =>
      cells.some((cell) => /^\s*[-+]?\d+,\d+\s*$/.test(cell)),
    );
  const first = lines[0]?.cells ?? [];
  const hasHeader = first.some(
    (cell) => readNumber(cell, isComma) === undefined,
  );
  const header = hasHeader
    ? first.map((cell, at) => cell.trim() || words.column(at + 1))
    : first.map((_, at) => words.column(at + 1));
  const body = hasHeader ? lines.slice(1) : lines;
  const width = header.length;
  const wrong = body.find(({ cells }) => cells.length !== width);
  if (wrong)
    throw new Error(
      words.line(wrong.number, words.width(wrong.cells.length, width)),
    );
  if (body.length < 2) throw new Error(words.fewRows(body.length));
  if (body.length > MAX_ROWS)
    throw new Error(words.manyRows(body.length, MAX_ROWS));
  const twice = header.find((one, at) => header.indexOf(one) !== at);
  if (twice !== undefined) throw new Error(words.twice(twice));
  const rows = body.map(({ cells }) => cells);
  const uses = header.map((_, at) => guessUse(header, rows, at, isComma));
  const pool: Pool = { id, name, header, rows, uses, isComma };
  const side = sideOf(pool);
  const isPicture =
    side !== undefined &&
    header.filter((name) => /^(px|pix|pixel|p)[ _]?\d/i.test(name)).length >=
      side * side;
  return isPicture ? { ...pool, side } : pool;
}

function guessUse(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  at: number,
  isComma: boolean,
): Use {
  const cells = rows.map((row) => row[at] ?? "");
  const full = cells.filter((cell) => cell.trim() !== "");
  if (/^(class|label|target)$/i.test(header[at] ?? "")) {
    // A model that gets the answer as a number would learn nothing else.
    return full.length > 0 && full.length < cells.length ? "label" : "off";
  }
  if (full.length === 0) return "off";
  if (full.every((cell) => readNumber(cell, isComma) !== undefined))
    return "number";
  const distinct = new Set(full).size;
  return distinct <= MAX_CATEGORIES && distinct < cells.length / 2
    ? "category"
    : "shown";
}

/** Returns the uses that a column can have. */
export function usesOf(pool: Pool, at: number): Use[] {
  const cells = pool.rows.map((row) => row[at] ?? "");
  const full = cells.filter((cell) => cell.trim() !== "");
  const isNumber = full.every(
    (cell) => readNumber(cell, pool.isComma) !== undefined,
  );
  const isCategory = new Set(full).size <= MAX_CATEGORIES;
  return [
    ...(isNumber && full.length > 0 ? (["number"] as const) : []),
    ...(isCategory && full.length > 0 ? (["category"] as const) : []),
    "shown",
    "off",
    "label",
  ];
}

/** Returns the side of the square that the number columns can be; undefined if they are none. */
export function sideOf({ uses }: Pick<Pool, "uses">): number | undefined {
  const count = uses.filter((use) => use === "number").length;
  const side = Math.round(Math.sqrt(count));
  return side * side === count && side >= LEAST_SIDE && side <= MAX_SIDE
    ? side
    : undefined;
}

/** Returns the indices of the columns that are shown as values: pixels are shown as a picture. */
export function valuesOf({
  uses,
  side,
}: Pick<Pool, "uses" | "side">): number[] {
  return [...uses.keys()].filter((at) => {
    const use = uses[at];
    const isNumber = use === "number" && side === undefined;
    return isNumber || use === "shown" || use === "category";
  });
}

/** Returns the index of the column with labels; -1 if there is none. */
export function labelColumn({ uses }: Pick<Pool, "uses">): number {
  return uses.indexOf("label");
}

/** Returns the different labels of the label column, in the order of their numbers or letters. */
export function namesIn(pool: Pool): string[] {
  const at = labelColumn(pool);
  if (at < 0) return [];
  const names = new Set(pool.rows.map((row) => (row[at] ?? "").trim()));
  names.delete("");
  return [...names].sort((one, other) =>
    one.localeCompare(other, "en", { numeric: true }),
  );
}

/** Returns the rows that have a label in the file already, each with its class. */
export function givenIn(
  pool: Pool,
  classes: readonly string[],
): [row: number, label: number][] {
  const at = labelColumn(pool);
  if (at < 0) return [];
  return pool.rows.flatMap((row, index): [number, number][] => {
    const label = classes.indexOf((row[at] ?? "").trim());
    return label < 0 ? [] : [[index, label]];
  });
}

/** Rounds to as many digits as a body of the API has room for. */
function short(number: number): number {
  return Number(number.toPrecision(6));
}

/**
 * Returns the numbers of all rows. Columns of numbers get the mean 0 and the standard deviation 1, and
 * a missing number is the mean. Pixels are divided by the highest of all. Each text of a category is a
 * number of its own, which is 1 or 0.
 */
export function numbersOf(pool: Pool): Numbers {
  const parts = pool.uses.flatMap((use, at) => {
    if (use !== "number" && use !== "category") return [];
    const column = pool.header[at] ?? "";
    const cells = pool.rows.map((row) => row[at] ?? "");
    return [{ column, use, cells }];
  });
  const read = parts.map(({ use, cells }) =>
    use === "number"
      ? cells.map((cell) => readNumber(cell, pool.isComma))
      : undefined,
  );
  let max = 0;
  if (pool.side !== undefined)
    for (const column of read)
      for (const number of column ?? []) max = Math.max(max, number ?? 0);
  const features: Feature[] = [];
  const columns: number[][] = [];
  parts.forEach(({ column, cells }, at) => {
    const numbers = read[at];
    if (numbers && pool.side !== undefined) {
      features.push({ column, kind: "pixel", max: max || 1 });
      columns.push(numbers.map((number) => short((number ?? 0) / (max || 1))));
    } else if (numbers) {
      const { mean, deviation } = spread(numbers);
      features.push({ column, kind: "number", mean, deviation });
      columns.push(
        numbers.map((number) =>
          number === undefined || deviation === 0
            ? 0
            : short((number - mean) / deviation),
        ),
      );
    } else {
      const values = [...new Set(cells.map((cell) => cell.trim()))].sort();
      for (const value of values.filter((value) => value !== "")) {
        features.push({ column, kind: "category", value });
        columns.push(cells.map((cell) => (cell.trim() === value ? 1 : 0)));
      }
    }
  });
  const rows = pool.rows.map((_, row) =>
    columns.map((column) => column[row] ?? 0),
  );
  return { features, rows };
}

function spread(numbers: readonly (number | undefined)[]): {
  mean: number;
  deviation: number;
} {
  const known = numbers.filter((number) => number !== undefined);
  const count = Math.max(1, known.length);
  const mean = known.reduce((sum, number) => sum + number, 0) / count;
  const square = known.reduce((sum, number) => sum + (number - mean) ** 2, 0);
  const deviation = Math.sqrt(square / count);
  return Number.isFinite(mean + deviation)
    ? { mean, deviation }
    : { mean: 0, deviation: 0 };
}

/** Returns a cell as RFC 4180 writes it. */
function cellOf(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Returns all columns of the labeled rows as a table, with the label as the last one. */
export function labelsFile(
  pool: Pool,
  classes: readonly string[],
  labels: readonly (readonly [row: number, label: number])[],
): string {
  const own = labelColumn(pool);
  const name = own < 0 ? freeName(pool.header) : (pool.header[own] ?? "");
  const others = [...pool.header.keys()].filter((at) => at !== own);
  const head = [...others.map((at) => pool.header[at] ?? ""), name];
  const lines = labels.map(([row, label]) => [
    ...others.map((at) => pool.rows[row]?.[at] ?? ""),
    classes[label] ?? "",
  ]);
  return `${[head, ...lines].map((line) => line.map(cellOf).join(",")).join("\r\n")}\r\n`;
}

function freeName(header: readonly string[]): string {
  const names = ["label", "class", "label of the row"];
  return names.find((name) => !header.includes(name)) ?? `label ${Date.now()}`;
}

/** Returns how a row of the file becomes the numbers that the model takes, for other programs. */
export function columnsFile(
  { features }: Numbers,
  classes: readonly string[],
): string {
  return `${JSON.stringify({ classes, features }, undefined, 2)}\n`;
}
