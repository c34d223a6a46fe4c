/** Compares predictions, samples and lessons with a running coordinator's, by chance. */

import { readFileSync } from "node:fs";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import {
  type Encoded,
  type Encoder,
  type Field,
  type Model,
  type ModelFacts,
  type Table,
  encodeDense16,
  encodeDense32,
  encodeNamed,
  encodeSparse,
  encodeText,
  encodingOf,
  fromHex,
  learn,
  maxPresent,
  predict,
  readEncoder,
  readModel,
  readParameters,
  readTable,
  toHex,
  writeModel,
} from "../../src/twin/index.ts";
import { type Chance, chance } from "./chance.ts";
import { type Coordinator, start } from "./coordinator.ts";

/** Number of samples of each learner in the contract's encoding. */
const SAMPLES = 2_000;
/** Number of texts or rows of each model. */
const INPUTS = 400;
/** Maximum number of inputs of a request. */
const PER_REQUEST = 500;
const SEED = Number(process.env["COTRAIN_FUZZ_SEED"] ?? 14);

/** Answer of the API to one input. */
interface Answer {
  label: number;
  score: number | null;
  known: number | null;
  clipped: number;
  unseen: number;
}

/** A model that is compared. */
interface Case {
  name: string;
  /** First line, and rows with the class first. */
  data: (random: Chance) => string;
  options: string[];
  /** An input as the API takes it. */
  input: (random: Chance) => Input;
}

type Input = { text: string } | { row: Record<string, Field> };

const WORDS =
  "good bad film plot actor great awful not very 10 été STRASSE Straße naïve ΟΔΟΣ İstanbul 我爱电影 映画 หนัง 👩‍🚀 don’t e-mail x_1 3.14 нет хорошо ½ 한국어 zzz qqq".split(
    " ",
  );
const JOINTS = [
  " ",
  " ",
  " ",
  ", ",
  "",
  "-",
  "'",
  "’",
  "\n",
  "\u00ad",
  "。",
  "\u0301",
];

function textBy(random: Chance): string {
  const count = random.below(12);
  return random
    .times(count, () => random.one(WORDS) + random.one(JOINTS))
    .join("");
}

function texts(classes: readonly string[]) {
  return (random: Chance): string => {
    const rows = random.times(60, () => {
      const label = random.one(classes);
      const words = random.times(6, () => random.one(WORDS)).join(" ");
      return `${label},${label === "a" ? "good" : "bad"} ${words} ${label}x`;
    });
    return ["label,text", ...rows].join("\n");
  };
}

const PORTS = ["C", "S", "Q", "", "?"];

function row(random: Chance): Record<string, Field> {
  return {
    age: random.one([null, "", 1, 38.5, "22", -1e6, 1e-7, random.below(80)]),
    fare: random.below(4_000) / 16 - 20,
    paid: random.one([true, false, "yes", "N", 1, 0]),
    port: random.one([...PORTS, "Z", null]),
  };
}

function rows(random: Chance): string {
  const all = random.times(80, () => {
    const age = random.one(["", String(random.below(80))]);
    const fare = random.below(4_000) / 16;
    const paid = random.one(["true", "false"]);
    const label = fare + (paid === "true" ? 60 : 0) > 130 ? "rich" : "poor";
    return [label, age, fare, paid, random.one(PORTS)].join(",");
  });
  return ["label,age,fare,paid,port", ...all].join("\n");
}

const OF_TEXTS = ["--text-column=text"];
const CASES: Case[] = [
  {
    name: "naive-bayes",
    data: texts(["a", "b", "c"]),
    options: [...OF_TEXTS, "--tokenizer=simple"],
    input: (random) => ({ text: textBy(random) }),
  },
  {
    name: "sparse-perceptron",
    data: texts(["a", "b"]),
    options: [...OF_TEXTS, "--tokenizer=unicode", "--word-pairs"],
    input: (random) => ({ text: textBy(random) }),
  },
  {
    name: "sparse-nearest-centroid",
    data: texts(["a", "b", "c", "d"]),
    options: [...OF_TEXTS, "--tokenizer=unicode", "--hashed=300"],
    input: (random) => ({ text: textBy(random) }),
  },
  {
    name: "dense-perceptron",
    data: rows,
    options: ["--missing=own"],
    input: (random) => ({ row: row(random) }),
  },
  {
    name: "dense-nearest-centroid",
    data: texts(["a", "b", "c"]),
    options: [...OF_TEXTS, "--encoder=table"],
    input: (random) => ({ text: textBy(random) }),
  },
];

/** Returns a sample of a model in the contract's encoding. */
function sampleBy(random: Chance, { parameters }: Model): Uint8Array {
  const { learner, features } = parameters;
  const encoding = encodingOf(learner);
  if (encoding === "sparse") {
    const often = random.one([2, 5, 30]);
    const present = Array.from({ length: features }, (_, feature) => feature)
      .filter(() => random.below(often) === 0)
      .slice(0, maxPresent(parameters));
    return encodeSparse(present);
  }
  const bits = encoding === "dense16" ? 16 : 32;
  const number = (): number => {
    const sign = random.one([-1, 1]);
    const size = 2 ** random.below(bits) * random.one([1, 0.7, 0.3]);
    return Math.min(sign * Math.floor(size), 2 ** (bits - 1) - 1);
  };
  const numbers = random.times(features, () =>
    Math.max(number(), -(2 ** (bits - 1))),
  );
  return bits === 16 ? encodeDense16(numbers) : encodeDense32(numbers);
}

let started: Coordinator | undefined;
let table: Table;

beforeAll(async () => {
  const file = "../../../crates/learning/data/words-128.cotvec.gz";
  table = await readTable(readFileSync(new URL(file, import.meta.url)));
  started = await start();
});

afterAll(async () => {
  await started?.stop();
});

function coordinator(): Coordinator {
  if (started === undefined) throw new Error("no coordinator is started");
  return started;
}

/** Returns the API's answers to many inputs. */
async function answers(
  path: string,
  inputs: readonly unknown[],
): Promise<Answer[]> {
  const all: Answer[] = [];
  for (let at = 0; at < inputs.length; at += PER_REQUEST) {
    const { predictions } = await coordinator().post<{ predictions: Answer[] }>(
      `${path}/predict`,
      inputs.slice(at, at + PER_REQUEST),
    );
    all.push(...predictions);
  }
  return all;
}

function encode(encoder: Encoder, input: Input): Encoded {
  return "text" in input
    ? encodeText(encoder, input.text, table)
    : encodeNamed(encoder, new Map(Object.entries(input.row)));
}

/** Compares the samples and predictions of inputs, and the number of different answers. */
async function compareInputs(
  path: string,
  model: Model,
  encoder: Encoder,
  inputs: readonly Input[],
): Promise<void> {
  const theirs = await answers(path, inputs);
  inputs.forEach((input, at) => {
    const { sample, known, clipped, unseen } = encode(encoder, input);
    const ours = { ...predict(model, sample), known, clipped, unseen };
    expect(ours, JSON.stringify(input)).toEqual(only(theirs[at]));
  });
  expect(new Set(theirs.map(({ label }) => label)).size).toBeGreaterThan(1);
}

function only(answer: Answer | undefined): Answer {
  if (answer === undefined) throw new Error("an answer is missing");
  const { label, score, known, clipped, unseen } = answer;
  return { label, score, known, clipped, unseen };
}

async function compareSamples(
  path: string,
  model: Model,
  random: Chance,
): Promise<void> {
  const samples = random.times(SAMPLES, () => sampleBy(random, model));
  const inputs = samples.map((sample) => ({ sample: toHex(sample) }));
  const theirs = await answers(path, inputs);
  expect(theirs.length).toBe(SAMPLES);
  samples.forEach((sample, at) => {
    const { label, score } = only(theirs[at]);
    expect(predict(model, sample), toHex(sample)).toEqual({ label, score });
  });
}

describe.each(CASES)("$name", ({ name, data, options, input }) => {
  test("predictions, samples and lessons are the coordinator's", async () => {
    const random = chance(SEED);
    const learner = [`--learner=${name}`, "--initial=0.8"];
    const rows = data(random);
    const trainer = await coordinator().deploy(name, rows, [
      ...learner,
      ...options,
    ]);
    const path = `/v1/models/${trainer}`;
    const parameters = readParameters(
      await coordinator().get<ModelFacts>(path),
    );
    expect(parameters.learner).toBe(name);
    const read = async (): Promise<Model> =>
      readModel(parameters, await coordinator().bytes(`${path}/weights`));
    const model = await read();
    const { encoder: card } = await coordinator().get<{ encoder: unknown }>(
      `${path}/card`,
    );
    const encoder = readEncoder(card);
    const inputs = random.times(INPUTS, () => input(random));
    await compareInputs(path, model, encoder, inputs);
    await compareSamples(path, model, random);

    // Lessons: more rows of the same kind, taught to the contract.
    const columns = options.filter((it) => it.startsWith("--text-column"));
    columns.push("--allow-clipped");
    const more = data(random).split("\n").slice(0, 31).join("\n");
    await coordinator().contribute(trainer, more, columns);
    const { rows: lessons } = await coordinator().get<{
      rows: { label: number; sample: string }[];
    }>(`${path}/contributions`);
    expect(lessons.length).toBe(30);
    for (const { label, sample } of lessons) {
      learn(model, { label, sample: fromHex(sample) });
    }
    expect(toHex(writeModel(model))).toBe(toHex(writeModel(await read())));
    await compareInputs(path, model, encoder, inputs);
  });
});
