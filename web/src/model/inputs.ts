import type { Column, Encoder } from "../twin/index.ts";
import { words } from "../words.ts";
import { pictureOf, type Field, type Form } from "./form.ts";
import type { Model } from "../api/client.ts";

/** Returns what a model takes, in words. */
export function inputOf(encoder: Encoder | undefined): string {
  const text = words.parameters.inputs;
  if (!encoder) return text.raw;
  const { extractor } = encoder;
  switch (extractor.sort) {
    case "words":
      return text.words(extractor.words.length);
    case "hashed":
      return text.hashed(extractor.count);
    case "vectors":
      return text.vectors(extractor.dimensions);
    case "columns":
      return text.columns(extractor.columns.length);
    case "indices":
      return text.indices(extractor.indices.length);
  }
}

/** Returns the form for a model's inputs. */
export function formOf(model: Model, encoder: Encoder | undefined): Form {
  const raw: Form =
    model.encoding === "sparse"
      ? { kind: "indices", features: model.features }
      : { kind: "numbers", features: model.features };
  if (!encoder) return raw;
  const { extractor } = encoder;
  switch (extractor.sort) {
    case "words":
    case "hashed":
    case "vectors":
      return { kind: "text" };
    case "columns": {
      const picture = pictureOf(extractor.columns.map((column) => column.name));
      if (picture) return { kind: "pixels", ...picture, ink: inkOf(encoder) };
      return { kind: "row", fields: fieldsOf(encoder) };
    }
    case "indices":
      return raw;
  }
}

/** Returns the value of a full pixel: the power of two above the usual values. */
function inkOf({ dense }: Encoder): number {
  if (!dense) return 1;
  const { mean, deviation } = dense.scaling;
  const high = Math.max(
    1,
    ...mean.map((value, at) => value + (deviation[at] ?? 0) / 2),
  );
  return 2 ** Math.ceil(Math.log2(high));
}

function fieldsOf(encoder: Encoder): Field[] {
  const { extractor, dense } = encoder;
  if (extractor.sort !== "columns") return [];
  let feature = 0;
  return extractor.columns.map((column) => {
    const mean = dense?.scaling.mean[feature];
    feature += widthOf(column);
    return {
      name: column.name,
      type: column.type,
      values: column.values,
      takesOthers: column.other,
      mayMiss: column.missing !== undefined,
      usual:
        column.type === "numeric" && mean !== undefined
          ? rounded(mean)
          : undefined,
    };
  });
}

/** Returns the number of features of a column. */
export function widthOf({ type, values, other, missing }: Column): number {
  const own = missing?.rule === "own" ? 1 : 0;
  return own + (type === "categorical" ? values.length + (other ? 1 : 0) : 1);
}

/** Returns a number with three significant digits. */
export function rounded(value: number): number {
  return Number(value.toPrecision(3));
}
