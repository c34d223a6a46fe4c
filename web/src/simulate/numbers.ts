import type { Scenario, ScenarioNumber } from "./api.ts";

/** Unit in which a form shows a number: its name, and the value that one of it has for the API. */
export interface Shown {
  unit: string;
  size: number;
}

const DURATIONS: readonly (readonly [string, number])[] = [
  ["days", 86_400],
  ["hours", 3_600],
  ["minutes", 60],
  ["seconds", 1],
];

/** Returns the unit to show a number in: a duration in the largest unit that makes it at least one. */
export function shownIn({ unit, value }: ScenarioNumber): Shown {
  switch (unit) {
    case "seconds": {
      const fits = DURATIONS.find(([, size]) => value >= size);
      const [name, size] = fits ?? ["seconds", 1];
      return { unit: name, size };
    }
    case "share":
      return { unit: "%", size: 0.01 };
    case "money":
      return { unit: "units", size: 1 };
    default:
      return { unit: "", size: 1 };
  }
}

/** Returns a value of the API in the unit of a form, without the noise of binary fractions. */
export function toShown(value: number, { size }: Shown): number {
  return Number((value / size).toPrecision(12));
}

/** Returns a value of a form in the unit of the API. What is shown in minutes or more has whole seconds. */
export function fromShown(value: number, { size }: Shown): number {
  return size > 1
    ? Math.round(value * size)
    : Number((value * size).toPrecision(12));
}

/** Group of numbers in a form. */
export interface Group {
  /** Name of the agent; undefined for the group of no agent. */
  agent: string | undefined;
  kind: "rules" | "agent" | "rest";
  numbers: { number: ScenarioNumber; key: string }[];
}

/** Returns the numbers of a scenario by what they belong to: payment, each agent, all others. */
export function groupsOf(scenario: Scenario): Group[] {
  const rules: Group = { agent: undefined, kind: "rules", numbers: [] };
  const rest: Group = { agent: undefined, kind: "rest", numbers: [] };
  const agents = new Map<string, Group>(
    scenario.agents.map(({ name }) => [
      name,
      { agent: name, kind: "agent", numbers: [] },
    ]),
  );
  for (const number of scenario.numbers) {
    const { path } = number;
    // A name may contain dots, so the longest one that fits counts.
    const name = [...agents.keys()]
      .filter((name) => path.startsWith(`agents.${name}.`))
      .sort((a, b) => b.length - a.length)[0];
    const of = name === undefined ? undefined : agents.get(name);
    if (of) {
      of.numbers.push({ number, key: path.slice(`agents.${name}.`.length) });
    } else if (path.startsWith("incentive.")) {
      rules.numbers.push({ number, key: path.slice("incentive.".length) });
    } else {
      rest.numbers.push({ number, key: path });
    }
  }
  return [rules, ...agents.values(), rest].filter(
    ({ numbers }) => numbers.length > 0,
  );
}
