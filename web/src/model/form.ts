import type { Input } from "../api/client.ts";
import type { PictureForm } from "../twin/index.ts";

/** Column of a row, as a form asks for it. */
export interface Field {
  name: string;
  type: "numeric" | "boolean" | "categorical";
  /** Known texts of a categorical column. */
  values: readonly string[];
  /** `true` if other texts of a categorical column count, too. */
  takesOthers: boolean;
  /** `true` if the value may be missing. */
  mayMiss: boolean;
  /** Usual value of a numeric column, if the card tells it. */
  usual: number | undefined;
}

/** Value of a field: null is a missing one. */
export type Value = number | boolean | string | null;

/** Indices of a file: those of the features in order, and the feature of each. */
export interface OwnIndices {
  ofFeatures: readonly number[];
  features: ReadonlyMap<number, number>;
}

/** Form of a model's inputs. */
export type Form =
  | { kind: "text" }
  | { kind: "row"; fields: readonly Field[] }
  | {
      kind: "pixels";
      rows: number;
      columns: number;
      /** Level of a pixel that is drawn, and of one that is not. */
      ink: number;
      paper: number;
      /** Rule by which a file becomes a picture; undefined if the card has none. */
      file: PictureForm | undefined;
    }
  | {
      kind: "indices";
      features: number;
      /** Indices as the owner's file counts them, if the card tells them. */
      own?: OwnIndices;
    }
  | { kind: "numbers"; features: number };

/** Input as a person gives it. */
export type Given =
  | { text: string }
  | { row: readonly Value[] }
  | { features: readonly number[] };

/** Input to try with one click. */
export interface Example {
  given: Given;
  /** Class that it is typical of; undefined if of none. */
  label: number | undefined;
}

const PIXEL = /^r(\d+)c(\d+)$/;

/** Size of a picture whose pixels, row by row, are the columns; undefined if they are none. */
export function pictureOf(
  names: readonly string[],
): { rows: number; columns: number } | undefined {
  const match = PIXEL.exec(names.at(-1) ?? "");
  if (!match) return undefined;
  const rows = Number(match[1]) + 1;
  const columns = Number(match[2]) + 1;
  if (rows * columns !== names.length || rows > 64 || columns > 64)
    return undefined;
  const fits = names.every(
    (name, at) => name === `r${Math.floor(at / columns)}c${at % columns}`,
  );
  return fits ? { rows, columns } : undefined;
}

/** Returns `true` if nothing was given. */
export function isEmpty(given: Given): boolean {
  if ("text" in given) return given.text.trim() === "";
  if ("row" in given) return given.row.length === 0;
  return given.features.length === 0;
}

/** Reads whole numbers separated by commas or blanks; undefined if the text is none. */
export function readNumbers(text: string): number[] | undefined {
  const parts = text.split(/[\s,;]+/).filter((part) => part !== "");
  const numbers = parts.map(Number);
  return numbers.every(Number.isSafeInteger) ? numbers : undefined;
}

/** Returns the features of a file's own indices, and the number of those that the model lacks. */
export function featuresOf(
  indices: readonly number[],
  own: OwnIndices | undefined,
): { features: number[]; lacking: number } {
  if (!own) return { features: [...indices], lacking: 0 };
  const features = indices.flatMap((index) => own.features.get(index) ?? []);
  return { features, lacking: indices.length - features.length };
}

/** Returns an input as the API takes it. */
export function asInput(given: Given): Input {
  if ("text" in given) return { text: given.text };
  if ("row" in given) return { row: [...given.row] };
  return { features: [...given.features] };
}
