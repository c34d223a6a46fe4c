import type { Model } from "../api/client.ts";

const ALL = "cotrain-names";
const SOME = "cotrain-names-of";
/** Maximum number of models that are remembered. */
const MAX = 200;

function stored(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    // A browser can forbid storage; then choices last until the page is closed.
    return null;
  }
}

function store(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // See above.
  }
}

let all = $state(stored(ALL) === "all");
let some = $state.raw<readonly string[]>(
  (stored(SOME) ?? "").split(" ").filter((part) => part !== ""),
);

/** Contract whose owner wrote names: a model or a market. */
export type Named = Pick<Model, "chainId" | "trainer" | "verified">;

function keyOf(model: Named): string {
  return `${model.chainId}:${model.trainer}`;
}

/** Returns `true` if the user shows the names of all models. */
export const showsAll = (): boolean => all;

/** Shows the names of all models, or hides those of unknown code. */
export function showAll(shown: boolean): void {
  all = shown;
  store(ALL, shown ? "all" : "known");
}

/** Shows the names of a model, now and later. */
export function showNamesOf(model: Named): void {
  some = [...some.filter((key) => key !== keyOf(model)), keyOf(model)].slice(
    -MAX,
  );
  store(SOME, some.join(" "));
}

/** Returns `true` if the names that the model's owner wrote may be shown. */
export function mayShow(model: Named): boolean {
  return model.verified || all || some.includes(keyOf(model));
}
