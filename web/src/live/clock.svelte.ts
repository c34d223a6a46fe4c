/** Interval at which relative times are renewed, in milliseconds. */
const TICK = 5_000;

/** The chain's time when it was last heard, with the time of this page's own timer. */
let heard = $state.raw<{ chain: number; timer: number } | undefined>();
let timer = $state(performance.now());

/** Notes the chain's time, in Unix seconds, as the coordinator has just told it. */
export function hear(chain: number): void {
  timer = performance.now();
  heard = { chain, timer };
}

/**
 * Returns the chain's time in Unix seconds, undefined until it was heard.
 *
 * The computer's clock has no part in it: only the time since the last answer is measured here.
 */
export function now(): number | undefined {
  return heard && Math.floor(heard.chain + (timer - heard.timer) / 1000);
}

/** Renews relative times. Returns how to stop. */
export function start(): () => void {
  const id = setInterval(() => (timer = performance.now()), TICK);
  return () => clearInterval(id);
}
