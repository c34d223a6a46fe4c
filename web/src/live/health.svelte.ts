import { ask, failure, Failure, listModels } from "../api/client.ts";

import { pause } from "../shell/pause.ts";

/** Interval between two questions, in milliseconds. */
const INTERVAL = 4_000;
/** Number of blocks from which on a lag is told. */
const TOLD = 2;
/** Time in which a page that shows a model tells the chain, in milliseconds. */
const SHOWN = 1_000;

/** State of the coordinator. */
export type Health =
  | { state: "asking" }
  | { state: "ready"; head: number | undefined; behind: number }
  | { state: "not-ready"; reason: string }
  | { state: "away"; since: number };

let health = $state.raw<Health>({ state: "asking" });
let chain = $state<number | undefined>();
let head = $state<number | undefined>();
/** Rises each time that the coordinator comes back. */
let returns = $state(0);

/** Returns the state of the coordinator. */
export const currentHealth = (): Health => health;
/** Returns the id of the chain, undefined until a model told it. */
export const chainId = (): number | undefined => chain;
/** Returns the newest known block. */
export const newestBlock = (): number | undefined => head;
/** Returns how often the coordinator has come back. */
export const comebacks = (): number => returns;

/** Notes the chain that a model is on. */
export function noteChain(id: number): void {
  chain = id;
}

/** Returns `true` if a lag is worth telling. */
export function lags(health: Health): boolean {
  return health.state === "ready" && health.behind >= TOLD;
}

async function look(): Promise<Health> {
  try {
    const response = await ask("/health/ready");
    const body: unknown = await response.json();
    if (!response.ok) {
      const { message } = failure(response, body);
      return { state: "not-ready", reason: message };
    }
    return standing(body);
  } catch (error) {
    const isAway = error instanceof Failure && error.kind === "away";
    if (!isAway)
      return { state: "not-ready", reason: "its answer cannot be read" };
    return health.state === "away"
      ? health
      : { state: "away", since: Date.now() };
  }
}

/** Reads the newest block and the largest lag of all models. */
function standing(body: unknown): Health {
  const ready = body as { head?: number | null; models?: { behind: number }[] };
  const behind = Math.max(
    0,
    ...(ready.models ?? []).map((model) => model.behind),
  );
  return { state: "ready", head: ready.head ?? undefined, behind };
}

/** Finds out which chain it is, for pages that show no model. */
async function findChain(): Promise<void> {
  await pause(SHOWN);
  if (chain !== undefined) return;
  const found = await listModels(1).catch(() => undefined);
  chain ??= found?.rows[0]?.chainId;
}

/** Asks again and again while the page is visible. Returns how to stop. */
export function start(): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let stopped = false;
  const next = async (): Promise<void> => {
    clearTimeout(timer);
    if (!document.hidden) {
      const found = await look();
      if (stopped) return;
      const wasAway = health.state === "away" || health.state === "not-ready";
      health = found;
      if (found.state === "ready") {
        head = found.head ?? head;
        if (wasAway) returns += 1;
        if (chain === undefined) void findChain();
      }
    }
    clearTimeout(timer);
    timer = setTimeout(() => void next(), INTERVAL);
  };
  const seen = (): void => {
    if (!document.hidden) void next();
  };
  document.addEventListener("visibilitychange", seen);
  void next();
  return () => {
    stopped = true;
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", seen);
  };
}
