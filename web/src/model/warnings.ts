import { DEVELOPMENT } from "../chain/development.ts";
import type { Contribution, Model } from "../api/client.ts";
import { shareOf } from "../text/numbers.ts";
import { words } from "../words.ts";

/** What warnings are decided by. */
export interface Facts {
  model: Model;
  /** Loaded contributions; undefined until they are. */
  contributions: readonly Contribution[] | undefined;
  /** Number of contributions when the accuracy was last measured, if it was and that is known. */
  measuredAt: number | undefined;
}

/** Warning with its text. */
export interface Warning {
  id: string;
  text: string;
  /** `true` if it should make people think twice; else it is a remark. */
  isGrave: boolean;
}

/** Wait for a refund below which hardly anybody can check a contribution, in seconds. */
const SHORT_WAIT = 600;
/** Time for a refund before the owner may take a deposit below which authors must be quick, in seconds. */
const SHORT_WINDOW = 86_400;
/** Number of contributions after a measurement from which on it is old. */
const OLD = 500;
/** Number of contributions from which on it matters who made them. */
const SEVERAL = 10;

const text = words.warnings;

/** Rules in the order in which their warnings are shown; a rule returns a text if it applies. */
const rules: readonly (readonly [
  string,
  boolean,
  (facts: Facts) => string | undefined,
])[] = [
  [
    "unknown-code",
    true,
    ({ model }) => (model.verified ? undefined : text["unknown-code"]),
  ],
  [
    "guessing",
    true,
    ({ model: { measured, classes } }) =>
      measured && measured.correct * classes <= measured.samples
        ? text.guessing(shareOf(measured.correct, measured.samples))
        : undefined,
  ],
  [
    "owner-races",
    true,
    ({ model: { waits, incentive } }) => {
      const window = waits.ownerClaim - waits.refund;
      const hasMoney = incentive.kind !== "points";
      return hasMoney && window < SHORT_WINDOW
        ? text["owner-races"](window)
        : undefined;
    },
  ],
  [
    "short-wait",
    true,
    ({ model: { waits } }) =>
      waits.refund < SHORT_WAIT ? text["short-wait"](waits.refund) : undefined,
  ],
  [
    "owner-only",
    true,
    ({ model, contributions }) =>
      isOneAuthor(contributions) && contributions?.[0]?.author === model.owner
        ? text["owner-only"]
        : undefined,
  ],
  [
    "one-author",
    true,
    ({ model, contributions }) =>
      isOneAuthor(contributions) && contributions?.[0]?.author !== model.owner
        ? text["one-author"]
        : undefined,
  ],
  [
    "not-measured",
    false,
    ({ model }) => (model.measured ? undefined : text["not-measured"]),
  ],
  [
    "old-measure",
    false,
    ({ model, measuredAt }) => {
      const since =
        measuredAt === undefined ? 0 : model.contributions - measuredAt;
      return since >= OLD ? text["old-measure"](since) : undefined;
    },
  ],
  [
    "no-encoder",
    false,
    ({ model }) => (model.encodes ? undefined : text["no-encoder"]),
  ],
  [
    "development-chain",
    false,
    ({ model }) =>
      model.chainId === DEVELOPMENT ? text["development-chain"] : undefined,
  ],
];

function isOneAuthor(
  contributions: readonly Contribution[] | undefined,
): boolean {
  if (!contributions || contributions.length < SEVERAL) return false;
  return contributions.every(
    ({ author }) => author === contributions[0]?.author,
  );
}

/** Returns the warnings that apply to a model. */
export function warningsOf(facts: Facts): Warning[] {
  return rules.flatMap(([id, isGrave, rule]) => {
    const text = rule(facts);
    return text === undefined ? [] : [{ id, text, isGrave }];
  });
}
