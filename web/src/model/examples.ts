import {
  encodeSparse,
  reasonsOf,
  widthOf,
  type Column,
  type Encoder,
  type Model as Twin,
} from "../twin/index.ts";
import type { Example, Form, Value } from "./form.ts";
import { pause } from "../shell/pause.ts";
import { words } from "../words.ts";
import { rounded } from "./inputs.ts";
import { answer, type Predictor } from "./predictor.ts";

/** Maximum number of features that are looked through for examples. */
const MAX_FEATURES = 4_096;
/** Maximum number of examples. */
const MAX_EXAMPLES = 10;
/** Longest time of one go at the features, in milliseconds. */
const MAX_TASK = 8;
/** Number of words of an example. */
const WORDS = 3;
/** One standard deviation in samples of a dense nearest centroid. */
const ONE_DEVIATION = 65_536;

/** Returns inputs to try, of a model of rows: what is typical of a class by the model itself. */
export function examplesOf(
  { twin, encoder }: Predictor,
  form: Form,
): Example[] {
  if (!encoder) return [];
  if (form.kind === "row") return typicalRows(twin, encoder);
  if (form.kind === "pixels") {
    return typicalRows(twin, encoder).map((example) => drawn(example, form));
  }
  return [];
}

/**
 * Returns texts to try: for each class the words that speak most for it. Of features that have no
 * words, it is plain sentences of which the model knows something.
 */
export async function textExamples(predictor: Predictor): Promise<Example[]> {
  const { twin, encoder } = predictor;
  if (!encoder) return [];
  if (encoder.extractor.sort === "words") return typicalTexts(twin, encoder);
  return words.tryIt.sentences.flatMap((text) => {
    const { reasons } = answer(predictor, { text });
    return reasons.length > 0 ? [{ given: { text }, label: undefined }] : [];
  });
}

/** Returns the value that a field begins with. */
export function start(field: {
  type: string;
  values: readonly string[];
  mayMiss: boolean;
  usual: number | undefined;
}): Value {
  if (field.type === "numeric")
    return field.usual ?? (field.mayMiss ? null : 0);
  if (field.mayMiss) return null;
  return field.type === "boolean" ? false : (field.values[0] ?? "");
}

/** Returns for each class the words that speak most for it. Now and then it lets others work. */
async function typicalTexts(twin: Twin, encoder: Encoder): Promise<Example[]> {
  if (encoder.extractor.sort !== "words") return [];
  const found = new Map<number, { word: string; weight: number }[]>();
  const known = encoder.extractor.words.slice(0, MAX_FEATURES);
  let begun = performance.now();
  // The last words may be reserved ones, of which the model has no example.
  for (const [feature, word] of known.entries()) {
    if (performance.now() - begun > MAX_TASK) {
      await pause();
      begun = performance.now();
    }
    const { label, against, features } = reasonsOf(
      twin,
      encodeSparse([feature]),
    );
    const weight = features[0]?.weight ?? 0;
    const of = weight > 0 ? label : against;
    if (of === undefined || weight === 0) continue;
    const others = found.get(of) ?? [];
    others.push({ word, weight: Math.abs(weight) });
    found.set(of, others);
  }
  return [...found.entries()]
    .sort(([a], [b]) => a - b)
    .slice(0, MAX_EXAMPLES)
    .map(([label, ofClass]) => {
      const strongest = ofClass
        .sort((a, b) => b.weight - a.weight)
        .slice(0, WORDS);
      return {
        given: { text: strongest.map(({ word }) => word).join(" ") },
        label,
      };
    });
}

/** Returns the row nearest to the mean of each class of a dense nearest centroid. */
function typicalRows(twin: Twin, encoder: Encoder): Example[] {
  const { state } = twin;
  const { extractor, dense } = encoder;
  if (state.sort !== "sums" || !dense || extractor.sort !== "columns")
    return [];
  const { mean, deviation } = dense.scaling;
  const { headers, lanes, stride } = state.of;
  return headers.slice(0, MAX_EXAMPLES).flatMap((header, label) => {
    if (header.samples === 0) return [];
    const numbers = mean.map((center, feature) => {
      const sum = Number(lanes[label * stride + feature] ?? 0n);
      return (
        (sum / header.samples / ONE_DEVIATION) * (deviation[feature] ?? 1) +
        center
      );
    });
    let at = 0;
    const row = extractor.columns.map((column) => {
      const own = numbers.slice(at, at + widthOf(column));
      at += own.length;
      return valueOf(column, own);
    });
    return [{ given: { row }, label }];
  });
}

/** Returns the value whose numbers are nearest to those of a column. */
function valueOf(column: Column, numbers: readonly number[]): Value {
  const [first = 0] = numbers;
  if (column.type === "numeric") return rounded(first);
  if (column.type === "boolean") return first >= 0.5;
  // After the known texts may come the one for all others, and that for a missing value.
  const known = numbers.slice(0, column.values.length);
  const highest = known.indexOf(Math.max(...known));
  return column.values[highest] ?? null;
}

/** Returns a picture with whole numbers between paper and ink. */
function drawn(
  example: Example,
  { ink, paper }: { ink: number; paper: number },
): Example {
  if (!("row" in example.given)) return example;
  const [low, high] = [Math.min(ink, paper), Math.max(ink, paper)];
  const row = example.given.row.map((value) =>
    Math.min(high, Math.max(low, Math.round(Number(value)))),
  );
  return { ...example, given: { row } };
}
