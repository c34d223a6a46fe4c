import { describe, expect, test } from "vitest";

import {
  type Evidence,
  type Fraction,
  type Model,
  type Parameters,
  copyModel,
  decide,
  fromHex,
  learnBatch,
  parseBatch,
  predict,
  readModel,
  reasonsOf,
  score,
  toHex,
  writeModel,
} from "../src/twin/index.ts";
import { outcome, vectors } from "./vectors.ts";

type WrittenFraction = [string, string, number] | null;

interface Step {
  predict?: string;
  learn?: string;
  error?: string;
  label?: number;
  score?: number | null;
  evidence?:
    | { kind: "votes"; one: string; zero: string }
    | { kind: "scores" | "squared-distances"; classes: WrittenFraction[] };
  changed?: number;
}

interface Written {
  about: string;
  parameters: Record<string, unknown>;
  words: string;
  steps: Step[];
  wordsAfter: string;
}

/** Reads parameters as the vectors have them: integers beyond 53 bits as digits. */
function parametersOf(written: Record<string, unknown>): Parameters {
  const { intercept, bounds, ...rest } = written;
  const { maxNumber, maxSquaredLength } = (bounds ?? {}) as Record<
    string,
    string | number
  >;
  return {
    ...rest,
    ...(intercept === undefined
      ? {}
      : { intercept: BigInt(String(intercept)) }),
    ...(bounds === undefined
      ? {}
      : {
          bounds: {
            maxNumber: Number(maxNumber),
            maxSquaredLength: BigInt(maxSquaredLength ?? 0),
          },
        }),
  } as Parameters;
}

function writtenEvidence(evidence: Evidence): Step["evidence"] {
  if (evidence.kind === "votes") {
    const { kind, one, zero } = evidence;
    return { kind, one: String(one), zero: String(zero) };
  }
  const written = (fraction: Fraction | undefined): WrittenFraction =>
    fraction === undefined
      ? null
      : [
          String(fraction.numerator),
          String(fraction.denominator),
          fraction.exponent,
        ];
  return { kind: evidence.kind, classes: evidence.classes.map(written) };
}

const { models } = vectors<{ models: Written[] }>("learners.json");

/** Sum of the reasons of a prediction, and the exact difference that it stands for. */
function explained(model: Model, sample: Uint8Array) {
  const reasons = reasonsOf(model, sample);
  const sum = reasons.features.reduce(
    (sum, it) => sum + it.weight,
    reasons.rest,
  );
  return { reasons, sum };
}

describe("a model of the vectors", () => {
  test("there are models of all learners", () => {
    const learners = new Set(
      models.map((model) => model.parameters["learner"]),
    );
    expect(learners.size).toBe(5);
    expect(models.length).toBeGreaterThan(40);
  });

  test.each(models)(
    "$parameters.learner: $about",
    ({ parameters, words, steps, wordsAfter }) => {
      const model = readModel(parametersOf(parameters), fromHex(words));
      expect(toHex(writeModel(model))).toBe(`0x${words}`);
      for (const step of steps) {
        if (step.learn !== undefined) {
          const batch = fromHex(step.learn);
          const before = toHex(writeModel(model));
          const done = outcome(() => learnBatch(model, batch));
          if (step.error !== undefined) {
            expect(done).toEqual({ error: step.error });
            expect(toHex(writeModel(model))).toBe(before);
          } else {
            expect(done).toEqual({ value: step.changed });
          }
          continue;
        }
        const sample = fromHex(step.predict ?? "");
        const done = outcome(() => predict(model, sample));
        if (step.error !== undefined) {
          expect(done).toEqual({ error: step.error });
          continue;
        }
        // The score is equal to the last bit.
        expect(done).toEqual({
          value: { label: step.label, score: step.score },
        });
        const evidence = decide(model, sample).evidence;
        expect(writtenEvidence(evidence)).toEqual(step.evidence);
        expect(score(evidence, step.label ?? 0)).toBe(step.score);
      }
      expect(toHex(writeModel(model))).toBe(`0x${wordsAfter}`);
    },
  );

  test("a copy learns apart from the model", () => {
    for (const { parameters, words, steps } of models) {
      const model = readModel(parametersOf(parameters), fromHex(words));
      const copy = copyModel(model);
      for (const { learn, error } of steps) {
        if (learn !== undefined && error === undefined) {
          learnBatch(copy, fromHex(learn));
        }
      }
      expect(toHex(writeModel(model))).toBe(`0x${words}`);
    }
  });

  test("weights of another size are refused", () => {
    const [first] = models;
    if (first === undefined) throw new Error("no vectors");
    const bytes = fromHex(first.words).subarray(1);
    const parameters = parametersOf(first.parameters);
    expect(() => readModel(parameters, bytes)).toThrow("31 bytes, expected 32");
  });

  test("reasons of a perceptron add up to its sum", () => {
    let seen = 0;
    for (const { parameters, words, steps } of models) {
      if (!String(parameters["learner"]).endsWith("perceptron")) continue;
      const model = readModel(parametersOf(parameters), fromHex(words));
      for (const step of steps) {
        if (step.predict === undefined || step.error !== undefined) continue;
        const sample = fromHex(step.predict);
        const evidence = decide(model, sample).evidence;
        if (evidence.kind !== "votes") throw new Error("no votes");
        const { reasons, sum } = explained(model, sample);
        const difference = Number(evidence.one - evidence.zero);
        const exact = reasons.label === 1 ? difference : -difference;
        expect(sum).toBeCloseTo(
          exact,
          -Math.log10(Math.abs(exact) * 1e-12 + 1e-9),
        );
        expect(sum).toBeGreaterThanOrEqual(0);
        seen += 1;
      }
    }
    expect(seen).toBeGreaterThan(50);
  });

  test("reasons of other learners add up to the difference from the second class", () => {
    let seen = 0;
    for (const { parameters, words, steps } of models) {
      if (String(parameters["learner"]).endsWith("perceptron")) continue;
      // Learn first, so that no words are such as no lessons make.
      const read = parametersOf(parameters);
      const model = readModel(read, new Uint8Array(words.length / 2));
      for (const step of steps) {
        if (step.error !== undefined) continue;
        if (step.learn !== undefined) {
          const items = parseBatch(fromHex(step.learn));
          if (items.length > 0) learnBatch(model, fromHex(step.learn));
          continue;
        }
        const sample = fromHex(step.predict ?? "");
        const { reasons, sum } = explained(model, sample);
        const evidence = decide(model, sample).evidence;
        if (evidence.kind === "votes" || reasons.against === undefined)
          continue;
        const of = (label: number | undefined): number => {
          const fraction = evidence.classes[label ?? -1];
          if (fraction === undefined) throw new Error("no such class");
          const value =
            Number(fraction.numerator) / Number(fraction.denominator);
          return evidence.kind === "scores"
            ? Math.log(value) + fraction.exponent * Math.LN2
            : value;
        };
        const [own, other] = [of(reasons.label), of(reasons.against)];
        const exact = evidence.kind === "scores" ? own - other : other - own;
        const scale = Math.max(Math.abs(own), Math.abs(other), 1);
        expect(Math.abs(sum - exact) / scale).toBeLessThan(1e-9);
        seen += 1;
      }
    }
    expect(seen).toBeGreaterThan(40);
  });
});
