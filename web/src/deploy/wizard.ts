import type { Look, LookedColumn, PlanBody, Reading } from "./service.ts";
import { readEther } from "../text/money.ts";
import { faultOf, type Rules } from "./terms.ts";
import { deployWords } from "./words.ts";

type Type = keyof typeof deployWords.columns.types;
type Learner = keyof typeof deployWords.model.learners;

/** Choices of columns. */
export interface ColumnChoice {
  label: string;
  learns: "text" | "others";
  text: string;
  /** Type of each column that is not taken as it seems, by its name. */
  types: Record<string, Type>;
  missing: keyof typeof deployWords.columns.rules;
}

/** Time that somebody has typed: a number of units, each of so many seconds. */
export interface Wait {
  number: number | null;
  unit: string;
}

/** Choices of a model and its rules. */
export interface ModelChoice {
  name: string;
  description: string;
  share: string;
  learner: Learner;
  words: "frequent" | "hashed";
  features: number | null;
  pairs: boolean;
  stake: "deposit" | "points" | "market";
  /** Cost weight in ether, as typed. */
  weight: string;
  refund: Wait;
  owner: Wait;
  anyone: Wait;
  notice: Wait;
  /** Terms of a prediction market, if it is to be one. */
  market: MarketChoice;
}

/** Terms of a prediction market. */
export interface MarketChoice {
  /** Stake of an example in ether, as typed. */
  stake: string;
  open: Wait;
  reveal: Wait;
  score: Wait;
  contributions: number | null;
  passes: number | null;
}

/** Maximum number of classes of a model. */
export const MAX_CLASSES = 256;
/** Number of examples below which a class is hardly learned. */
const FEW = 5;
/** Names that a column of classes often has. */
const LABELS = /^(label|class|category|target|kind|species|sentiment|y)$/i;

/** Returns the choices that suit a table. */
export function freshColumns(look?: Look): ColumnChoice {
  const columns = look?.columns ?? [];
  const could = columns.filter(isLabel);
  const label =
    could.find(({ name }) => LABELS.test(name)) ??
    could.at(-1) ??
    columns.at(-1);
  const texts = textsOf(columns, label?.name);
  return {
    label: label?.name ?? "",
    learns: texts.length > 0 ? "text" : "others",
    text: texts[0]?.name ?? "",
    types: {},
    missing: "refuse",
  };
}

function isLabel({ looks, distinct }: LookedColumn): boolean {
  const few = distinct >= 2 && distinct <= 20;
  return looks === "categorical" || looks === "boolean" || few;
}

/** Returns the columns with texts, the one with the longest first. */
export function textsOf(
  columns: readonly LookedColumn[],
  label: string | undefined,
): LookedColumn[] {
  return columns
    .filter(({ name, looks }) => looks === "text" && name !== label)
    .sort((one, other) => other.length - one.length);
}

/** Time in which only authors can settle contributions without deposits, in seconds. */
const TIME_TO_COUNT = 8 * 86_400;

/** Returns the defaults of the command line, but that all examples are learned from. */
export function freshModel(): ModelChoice {
  return {
    name: "",
    description: "",
    share: "1",
    learner: "",
    words: "frequent",
    features: 2_000,
    pairs: false,
    stake: "deposit",
    weight: "0.000001",
    refund: { number: 1, unit: "86400" },
    owner: { number: 9, unit: "86400" },
    anyone: { number: 9, unit: "86400" },
    notice: { number: 0, unit: "3600" },
    market: {
      stake: "0.01",
      open: { number: 1, unit: "86400" },
      reveal: { number: 1, unit: "86400" },
      score: { number: 1, unit: "86400" },
      contributions: 1_000,
      passes: 10,
    },
  };
}

function secondsOf({ number, unit }: Wait): number {
  return Math.round((number ?? Number.NaN) * Number(unit));
}

/** Returns the rules that somebody has chosen. */
export function rulesOf(model: ModelChoice): Rules {
  const refund = secondsOf(model.refund);
  // No weight can be 0.
  const costWeight = readEther(model.weight) || undefined;
  // Without deposits, only one wait is asked for. Others could close contributions after the second,
  // so authors get time to have theirs counted before.
  if (model.stake === "points") {
    const late = refund + TIME_TO_COUNT;
    return {
      isPoints: true,
      costWeight,
      refund,
      owner: late,
      anyone: late,
      notice: 0,
    };
  }
  return {
    isPoints: false,
    costWeight,
    refund,
    owner: secondsOf(model.owner),
    anyone: secondsOf(model.anyone),
    notice: secondsOf(model.notice),
  };
}

/** Returns why no model can be made of the choices; undefined if one can. */
export function faultIn(
  look: Look,
  choice: ColumnChoice,
  model: ModelChoice,
): string | undefined {
  const words = deployWords.columns;
  const label = look.columns.find(({ name }) => name === choice.label);
  if (label && label.distinct > MAX_CLASSES)
    return words.manyClasses(label.distinct);
  if (label && label.distinct < 2) return words.oneClass;
  const others = look.columns.filter(({ name }) => name !== choice.label);
  if (choice.learns === "text" && choice.text === "") return words.noText;
  const used = others.filter(({ name }) => choice.types[name] !== "ignored");
  if (used.length === 0) return words.noOther;
  if (model.name.trim() === "") return deployWords.model.faults.name;
  return model.stake === "market"
    ? faultOfMarket(termsOf(model.market))
    : faultOf(rulesOf(model));
}

/** Returns the terms of a market as the API takes them; the stake is missing if it is none. */
export function termsOf(
  market: MarketChoice,
): Omit<Required<MarketTerms>, "stake"> & { stake: string | undefined } {
  return {
    stake: readEther(market.stake)?.toString(),
    participation: secondsOf(market.open),
    revealWait: secondsOf(market.reveal),
    scoringWait: secondsOf(market.score),
    mostContributions: market.contributions ?? Number.NaN,
    mostPasses: market.passes ?? Number.NaN,
  };
}

type MarketTerms = NonNullable<PlanBody["market"]>;

/** Returns why the contract would refuse terms of a market; undefined if it would not. */
function faultOfMarket(terms: ReturnType<typeof termsOf>): string | undefined {
  const { faults } = deployWords.model.market;
  const isIn = (number: number | null | undefined, max: number): boolean =>
    Number.isInteger(number) && (number ?? 0) >= 1 && (number ?? 0) <= max;
  const { participation, revealWait, scoringWait } = terms;
  if (terms.stake === undefined) return faults.stake;
  const waits = [participation, revealWait, scoringWait];
  if (!waits.every((wait) => isIn(wait, 2 ** 32 - 1))) return faults.waits;
  if (!isIn(terms.mostContributions, 2 ** 32 - 1)) return faults.contributions;
  return isIn(terms.mostPasses, 2 ** 16 - 1) ? undefined : faults.passes;
}

/** Returns what a plan says of money and waits. */
function incentiveOf(model: ModelChoice): Partial<PlanBody> {
  if (model.stake === "market") {
    const { stake, ...terms } = termsOf(model.market);
    return { market: stake === undefined ? terms : { ...terms, stake } };
  }
  const rules = rulesOf(model);
  return {
    points: rules.isPoints,
    waits: {
      refund: rules.refund,
      ownerClaim: rules.owner,
      anyAddressClaim: rules.anyone,
      reportNotice: rules.notice,
    },
    ...(rules.isPoints || rules.costWeight === undefined
      ? {}
      : { costWeight: rules.costWeight.toString() }),
  };
}

/** Returns the classes that have few examples. */
export function rareClasses(look: Look, label: string): string[] {
  const column = look.columns.find(({ name }) => name === label);
  if (!column || column.distinct > column.common.length) return [];
  return column.common.flatMap(({ value, rows }) =>
    rows < FEW ? [value] : [],
  );
}

/** Returns the body of a plan without its file. */
export function bodyOf(
  choice: ColumnChoice,
  model: ModelChoice,
  reading: Reading,
): Omit<PlanBody, "file"> {
  const isText = choice.learns === "text";
  const types = Object.entries(choice.types).filter(
    ([name, type]) => type !== "" && name !== choice.label,
  );
  const isHashed = isText && model.words === "hashed";
  return {
    reading,
    name: model.name.trim(),
    description: model.description.trim(),
    label: choice.label,
    initial: Number(model.share),
    wordPairs: isText && model.pairs,
    ...incentiveOf(model),
    ...(isText ? { text: choice.text } : {}),
    ...(!isText && types.length > 0
      ? { types: Object.fromEntries(types) as NonNullable<PlanBody["types"]> }
      : {}),
    ...(!isText && choice.missing !== "refuse"
      ? { missing: choice.missing }
      : {}),
    ...(model.learner === "" ? {} : { learner: model.learner }),
    ...(isText && model.features !== null
      ? { [isHashed ? "hashed" : "features"]: model.features }
      : {}),
  };
}
