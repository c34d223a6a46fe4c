import { words } from "../words.ts";

/** Line of a table. Lines count from 1. */
export interface Line {
  number: number;
  cells: string[];
}

/** Line that cannot be used, with the reason in words. */
export interface Fault {
  line: number;
  text: string;
}

const SEPARATORS = ["\t", ";", ","] as const;

/** Splits a text into lines and cells, as RFC 4180 says. The separator is the first that splits a line. */
export function split(text: string): {
  lines: Line[];
  faults: Fault[];
  separator: string;
} {
  const clean = text.replace(/^\ufeff/, "");
  const first = clean.split(/\r?\n/).find((line) => line.trim() !== "") ?? "";
  const separator =
    SEPARATORS.find((one) => cellsOf(first, 0, one).cells.length > 1) ?? ",";
  const lines: Line[] = [];
  const faults: Fault[] = [];
  let [at, number] = [0, 1];
  while (at < clean.length) {
    const { cells, end, isOpen } = cellsOf(clean, at, separator);
    const raw = clean.slice(at, end);
    if (isOpen) faults.push({ line: number, text: words.table.openQuote });
    else if (raw.trim() !== "") lines.push({ number, cells });
    number += raw.split("\n").length;
    at = end + 1;
  }
  return { lines, faults, separator };
}

/** Reads the cells of a line. `end` is the index of the line break behind it. */
function cellsOf(
  text: string,
  from: number,
  separator: string,
): { cells: string[]; end: number; isOpen: boolean } {
  const cells: string[] = [];
  let cell = "";
  let isQuoted = false;
  let at = from;
  for (; at < text.length; at += 1) {
    const char = text[at] ?? "";
    if (isQuoted) {
      if (char !== '"') cell += char;
      else if (text[at + 1] === '"') {
        cell += char;
        at += 1;
      } else isQuoted = false;
    } else if (char === '"' && cell === "") isQuoted = true;
    else if (char === separator) {
      cells.push(cell);
      cell = "";
    } else if (char === "\n") break;
    else if (char !== "\r") cell += char;
  }
  cells.push(cell);
  return { cells, end: at, isOpen: isQuoted };
}
