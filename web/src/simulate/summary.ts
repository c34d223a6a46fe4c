import type { Simulation } from "./api.ts";

/** Agent at the end of a run. Money is in units of the scenario. */
export interface AgentFigures {
  name: string;
  kind: string;
  isHarmless: boolean;
  start: number;
  end: number;
  contributions: number;
  refunds: number;
  reports: number;
}

/** Figures of an ended run, as this page shows them. Accuracies are from 0 to 1. */
export interface Figures {
  initial: number;
  final: number;
  lowest: number;
  baseline: number;
  /** Number of test examples of which these accuracies are shares. */
  samples: number;
  /** Ends of the 95 % interval of the accuracy at the end; undefined without test examples. */
  interval: readonly [number, number] | undefined;
  /** Share of the most common class; undefined without test examples. */
  majority: number | undefined;
  contributions: number;
  transactions: number;
  days: number;
  digest: string;
  /** How the mechanism ended, in sentences; undefined if there is nothing to say. */
  outcome: string | undefined;
  end: string;
  agents: AgentFigures[];
}

type Json = Readonly<Record<string, unknown>>;

function part(of: Json, key: string): Json {
  const value = of[key];
  if (typeof value !== "object" || value === null)
    throw new Error(`the summary has no \`${key}\``);
  return value as Json;
}

function number(of: Json, key: string): number {
  const value = of[key];
  if (typeof value !== "number")
    throw new Error(`the summary has no number \`${key}\``);
  return value;
}

function text(of: Json, key: string): string {
  const value = of[key];
  if (typeof value !== "string")
    throw new Error(`the summary has no text \`${key}\``);
  return value;
}

function interval(of: unknown): readonly [number, number] | undefined {
  if (of === null) return undefined;
  const [lower, upper] = Array.isArray(of) ? (of as unknown[]) : [];
  if (typeof lower !== "number" || typeof upper !== "number")
    throw new Error("the summary has no two numbers `interval`");
  return [lower, upper];
}

/** Returns wei in units, to six decimals. */
function units(wei: string, unit: string): number {
  return Number((BigInt(wei) * 1_000_000n) / BigInt(unit)) / 1e6;
}

/** Reads the figures of an ended run; undefined if it has none. */
export function figuresOf({ summary }: Simulation): Figures | undefined {
  if (summary === null || summary === undefined) return undefined;
  const all = summary as Json;
  const [accuracy, details] = [part(all, "accuracy"), part(all, "details")];
  const evaluation = part(details, "evaluation");
  const unit = text(details, "unit_wei");
  const agents = details["agents"];
  if (!Array.isArray(agents)) throw new Error("the summary has no agents");
  return {
    initial: number(accuracy, "initial"),
    final: number(accuracy, "final"),
    baseline: number(accuracy, "baseline"),
    lowest: number(part(details, "accuracy"), "lowest"),
    samples: number(evaluation, "n"),
    interval: interval(evaluation["interval"]),
    majority:
      evaluation["majority"] === null
        ? undefined
        : number(evaluation, "majority"),
    contributions: number(all, "contributions"),
    transactions: number(all, "transactions"),
    days: number(all, "days"),
    digest: text(all, "digest"),
    outcome:
      details["outcome"] === undefined ? undefined : text(details, "outcome"),
    end: text(details, "end"),
    agents: (agents as Json[]).map((agent) => ({
      name: text(agent, "name"),
      kind: text(agent, "kind"),
      isHarmless: agent["harmless"] === true,
      start: units(text(agent, "start_wei"), unit),
      end: units(text(agent, "end_wei"), unit),
      contributions: number(agent, "contributions"),
      refunds: number(agent, "refunds"),
      reports: number(agent, "reports_alone") + number(agent, "late_claims"),
    })),
  };
}
