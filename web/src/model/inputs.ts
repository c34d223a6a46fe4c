import { widthOf, type Encoder } from "../twin/index.ts";
import { words } from "../words.ts";
import { pictureOf, type Field, type Form } from "./form.ts";
import type { Model } from "../api/client.ts";

/** Maximum number of fields of a form. */
const MAX_FIELDS = 500;

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
    case "columns": {
      const { picture, columns } = extractor;
      return picture
        ? text.pictures(picture.width, picture.height)
        : text.columns(columns.length);
    }
    case "indices":
      return text.indices(extractor.indices.length);
  }
}

/** Returns the form for a model's inputs. */
export function formOf(
  model: Pick<Model, "encoding" | "features">,
  encoder: Encoder | undefined,
): Form {
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
      const names = extractor.columns.map((column) => column.name);
      const size = pictureOf(names);
      if (size) {
        const file = extractor.picture;
        return { kind: "pixels", ...size, ...levelsOf(encoder), file };
      }
      // So many fields fit no form; the row can still be given as the contract takes it.
      if (names.length > MAX_FIELDS) return raw;
      return { kind: "row", fields: fieldsOf(encoder) };
    }
    case "indices": {
      if (raw.kind !== "indices") return raw;
      const ofFeatures = extractor.indices.map(
        (index) => index + extractor.first,
      );
      const features = new Map(ofFeatures.map((index, at) => [index, at]));
      return { ...raw, own: { ofFeatures, features } };
    }
  }
}

/** Returns the levels of a drawn pixel and of one that is not. */
function levelsOf({ extractor, dense }: Encoder): {
  ink: number;
  paper: number;
} {
  const form = extractor.sort === "columns" ? extractor.picture : undefined;
  if (form) {
    const [low, high] = [0, form.levels - 1];
    return form.ink ? { ink: high, paper: low } : { ink: low, paper: high };
  }
  if (!dense) return { ink: 1, paper: 0 };
  // A table of pixels does not say its levels: a power of two above the usual values is likely.
  const { mean, deviation } = dense.scaling;
  const usual = mean.map((value, at) => value + (deviation[at] ?? 0) / 2);
  return { ink: 2 ** Math.ceil(Math.log2(Math.max(1, ...usual))), paper: 0 };
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

/** Returns a number with three significant digits. */
export function rounded(value: number): number {
  return Number(value.toPrecision(3));
}
