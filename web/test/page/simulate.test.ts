import { describe, expect, it } from "vitest";
import type {
  Scenario,
  ScenarioNumber,
  Simulation,
} from "../../src/simulate/api.ts";
import {
  fromShown,
  groupsOf,
  shownIn,
  toShown,
} from "../../src/simulate/numbers.ts";
import { figuresOf } from "../../src/simulate/summary.ts";

function number(path: string, rest: Partial<ScenarioNumber>): ScenarioNumber {
  return { path, unit: "plain", value: 1, least: 0, max: 1e9, ...rest };
}

describe("shownIn", () => {
  it("shows a duration in the largest unit that makes it at least one", () => {
    const units = [30, 600, 5_400, 86_400, 777_600].map(
      (value) => shownIn(number("run.limit", { unit: "seconds", value })).unit,
    );
    expect(units).toEqual(["seconds", "minutes", "hours", "days", "days"]);
  });

  it("comes back to the same value, without noise", () => {
    for (const [unit, value] of [
      ["seconds", 777_600],
      ["seconds", 90_061],
      ["share", 0.0001],
      ["share", 0.0241],
      ["money", 10_000],
    ] as const) {
      const shown = shownIn(number("a", { unit, value }));
      expect(fromShown(toShown(value, shown), shown)).toBe(value);
    }
    const share = shownIn(number("a", { unit: "share", value: 0.07 }));
    expect(toShown(0.07, share)).toBe(7);
  });
});

describe("groupsOf", () => {
  it("finds the agent of a number, whose name may have dots", () => {
    const agents = ["Good", "Good.er"].map((name) => ({
      name,
      kind: "honest",
      side: "honest",
      goal: "",
    }));
    const numbers = [
      "incentive.refund_wait",
      "agents.Good.er.mistakes",
      "agents.Good.deposit.mean",
      "run.limit",
    ].map((path) => number(path, {}));
    const groups = groupsOf({ agents, numbers } as unknown as Scenario);
    expect(
      groups.map(({ kind, agent, numbers }) => [
        kind,
        agent,
        numbers.map(({ key }) => key),
      ]),
    ).toEqual([
      ["rules", undefined, ["refund_wait"]],
      ["agent", "Good", ["deposit.mean"]],
      ["agent", "Good.er", ["mistakes"]],
      ["rest", undefined, ["run.limit"]],
    ]);
  });
});

describe("figuresOf", () => {
  const agent = {
    name: "Bad",
    kind: "flipper",
    harmless: false,
    start_wei: "10000000000000000000000",
    end_wei: "48000000000000000000",
    contributions: 100,
    refunds: 20,
    reports_alone: 3,
    late_claims: 4,
  };
  const summary = {
    contributions: 100,
    transactions: 120,
    accuracy: { initial: 0.5, final: 0.8, baseline: 0.9 },
    days: 8,
    digest: "00",
    details: {
      end: "settled",
      accuracy: { lowest: 0.4 },
      evaluation: { n: 20, interval: [0.5, 0.9], majority: 0.55 },
      agents: [agent],
      unit_wei: "1000000000000000000",
    },
  };

  it("reads money in units and adds up what was taken from others", () => {
    const figures = figuresOf({ summary } as unknown as Simulation);
    expect(figures?.agents).toEqual([
      {
        name: "Bad",
        kind: "flipper",
        isHarmless: false,
        start: 10_000,
        end: 48,
        contributions: 100,
        refunds: 20,
        reports: 7,
      },
    ]);
    expect(figures).toMatchObject({
      lowest: 0.4,
      outcome: undefined,
      samples: 20,
      interval: [0.5, 0.9],
      majority: 0.55,
    });
  });

  it("tells a summary of another form from none", () => {
    expect(figuresOf({ summary: null } as unknown as Simulation)).toBe(
      undefined,
    );
    const broken = { summary: { accuracy: 1 } } as unknown as Simulation;
    expect(() => figuresOf(broken)).toThrow("no `accuracy`");
  });
});
