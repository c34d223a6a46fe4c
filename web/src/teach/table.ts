import type { Model } from "../api/client.ts";
import {
  featuresOf,
  readNumbers,
  type Form,
  type Given,
  type Value,
} from "../model/form.ts";
import { split, type Fault, type Line } from "../text/tables.ts";
import type { Encoder } from "../twin/index.ts";
import { teachWords as words } from "./words.ts";

/** Maximum number of lines that are read. */
export const MAX_LINES = 500;

/** Example of a table. */
export interface TableRow {
  given: Given;
  label: number;
}

/** What a model's tables have. */
export interface Shape {
  /** Names of the classes by label; labels alone count if it is empty. */
  classes: readonly string[];
  /** Number of classes. */
  count: number;
  form: Form;
  /** Columns of a row, in order. */
  columns: readonly { name: string; isNumeric: boolean }[];
}

/** Returns what tables of a model have. `isShown` is false if the names of its classes are hidden. */
export function shapeOf(
  model: Pick<Model, "classNames" | "classes">,
  form: Form,
  encoder: Encoder | undefined,
  isShown: boolean,
): Shape {
  const extractor = encoder?.extractor;
  const columns =
    extractor?.sort === "columns"
      ? extractor.columns.map(({ name, type }) => ({
          name,
          isNumeric: type === "numeric",
        }))
      : [];
  const classes = isShown ? model.classNames : [];
  return { classes, count: model.classes, form, columns };
}

/**
 * Reads examples: a line each, with the class in one column. The first line may name the columns.
 * The class column is the one with that name, or else the one whose cells are classes.
 */
export function readTable(
  text: string,
  shape: Shape,
): { rows: TableRow[]; faults: Fault[] } {
  const { lines, faults } = split(text);
  const rows: TableRow[] = [];
  const at = classColumn(lines, shape);
  if (typeof at === "string") {
    const text =
      at === "several" ? words.table.severalClasses : words.table.noClass;
    if (lines.length > 0) faults.unshift({ line: lines[0]?.number ?? 1, text });
    return { rows, faults };
  }
  const [first] = lines;
  const hasHeader =
    first !== undefined &&
    labelOf(first.cells[at] ?? "", shape) === undefined &&
    (isHeader(first, shape) ||
      lines
        .slice(1)
        .some(({ cells }) => labelOf(cells[at] ?? "", shape) !== undefined));
  const header = hasHeader ? first.cells.map((cell) => cell.trim()) : undefined;
  const width = lines[0]?.cells.length ?? 0;
  const body = hasHeader ? lines.slice(1) : lines;
  for (const { number, cells } of body.slice(0, MAX_LINES)) {
    try {
      if (cells.length !== width)
        throw new Error(words.table.width(cells.length, width));
      const cell = cells[at] ?? "";
      const label = labelOf(cell, shape);
      if (label === undefined) throw new Error(words.table.unknownClass(cell));
      rows.push({ given: givenOf(cells, at, header, shape), label });
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      faults.push({ line: number, text });
    }
  }
  const beyond = body[MAX_LINES];
  if (beyond)
    faults.push({ line: beyond.number, text: words.table.tooMany(MAX_LINES) });
  return { rows, faults: faults.sort((a, b) => a.line - b.line) };
}

function isHeader({ cells }: Line, { columns }: Shape): boolean {
  return columns.some(({ name }) => cells.some((cell) => cell.trim() === name));
}

/** Returns the class that a cell names, by its name or its number. */
function labelOf(cell: string, shape: Shape): number | undefined {
  const named = namedBy(cell, shape);
  if (named !== undefined) return named;
  const number = cell.trim();
  // Numbers are classes only if the names are no numbers themselves.
  const isNumbered = !shape.classes.some((one) => /^\d+$/.test(one.trim()));
  return isNumbered && /^\d{1,3}$/.test(number) && Number(number) < shape.count
    ? Number(number)
    : undefined;
}

/** Returns the class that a cell names by its name. */
function namedBy(cell: string, { classes }: Shape): number | undefined {
  const name = cell.trim();
  const exact = classes.indexOf(name);
  if (exact >= 0) return exact;
  const lower = name.toLowerCase();
  const alike = classes.findIndex((one) => one.trim().toLowerCase() === lower);
  return alike >= 0 && name !== "" ? alike : undefined;
}

/** Names of the class column, in lower case. */
const CLASS_COLUMN: readonly string[] = ["class", "label"];

/**
 * Returns the index of the class column: the one with such a name, or else the one with by far the
 * most classes. It is "none" without any, and "several" if another one has more than half as many:
 * a wrong class costs a deposit.
 */
function classColumn(
  lines: readonly Line[],
  shape: Shape,
): number | "none" | "several" {
  const head = lines[0]?.cells ?? [];
  // A column with a name of the model's own is never that of the class.
  const own = new Set(shape.columns.map(({ name }) => name));
  const isHead = !head.some(
    (cell) => /\D/.test(cell.trim()) && namedBy(cell, shape) !== undefined,
  );
  const named = [...head.keys()].filter((at) => {
    const name = (head[at] ?? "").trim();
    return CLASS_COLUMN.includes(name.toLowerCase()) && !own.has(name);
  });
  if (isHead && named.length === 1) return named[0] ?? "none";
  const width = Math.max(0, ...lines.map(({ cells }) => cells.length));
  const counts = (find: typeof labelOf): number[] =>
    Array.from({ length: width }, (_, at) =>
      own.has(head[at]?.trim() ?? "")
        ? 0
        : lines.filter(
            ({ cells }) => find(cells[at] ?? "", shape) !== undefined,
          ).length,
    );
  const all = counts(labelOf);
  const most = Math.max(0, ...all);
  if (most === 0) return "none";
  const isMany = (count: number): boolean => 2 * count > most;
  const many = [...all.keys()].filter((at) => isMany(all[at] ?? 0));
  if (many.length === 1) return many[0] ?? "none";
  // A feature can look like the number of a class, and hardly like its name.
  const names = counts(namedBy);
  const [first, second] = many.filter((at) => isMany(names[at] ?? 0));
  return first === undefined || second !== undefined ? "several" : first;
}

function givenOf(
  cells: readonly string[],
  at: number,
  header: readonly string[] | undefined,
  { form, columns }: Shape,
): Given {
  const rest = cells.filter((_, index) => index !== at);
  switch (form.kind) {
    case "text": {
      if (rest.length !== 1) throw new Error(words.table.oneText(rest.length));
      const text = rest[0] ?? "";
      if (text.trim() === "") throw new Error(words.table.emptyText);
      return { text };
    }
    case "indices":
    case "numbers": {
      const numbers = readNumbers(rest.join(" "));
      if (!numbers) throw new Error(words.table.noNumbers);
      // Indices that the model lacks say nothing to it, as unknown words of a text.
      const own = form.kind === "indices" ? form.own : undefined;
      return { features: featuresOf(numbers, own).features };
    }
    case "row":
    case "pixels": {
      const names = header?.filter((_, index) => index !== at);
      const isNamed = names?.some((name) =>
        columns.some((column) => column.name === name),
      );
      const extra = isNamed
        ? names?.find((name) => !columns.some((one) => one.name === name))
        : undefined;
      if (extra !== undefined) throw new Error(words.table.extraColumn(extra));
      if (!isNamed && rest.length !== columns.length)
        throw new Error(words.table.columns(rest.length, columns.length));
      const row = columns.map(({ name, isNumeric }, index): Value => {
        const from = isNamed ? (names?.indexOf(name) ?? -1) : index;
        if (from < 0) throw new Error(words.table.noColumn(name));
        const cell = (rest[from] ?? "").trim();
        if (cell === "") return null;
        return isNumeric && Number.isFinite(Number(cell)) ? Number(cell) : cell;
      });
      return { row };
    }
  }
}
