import type { Market, Phase } from "./api.ts";

/** Steps of a market's life, in order. */
export const stepNames = [
  "lock",
  "draw",
  "show",
  "contribute",
  "reveal",
  "score",
  "collect",
] as const;

export type StepName = (typeof stepNames)[number];

/** `missed`: its time is over, so the market goes on no more. */
export type StepState = "done" | "now" | "next" | "missed";

/** Step of a market's life. */
export interface Step {
  name: StepName;
  state: StepState;
  /** Time of its end in Unix seconds: the deadline, or when it ended; undefined if not known. */
  time: number | undefined;
}

/** Step that a market is at in each phase. */
const AT: Readonly<Record<Phase, StepName>> = {
  created: "lock",
  committed: "draw",
  open: "contribute",
  revealing: "reveal",
  scoring: "score",
  settled: "collect",
  failed: "score",
  forfeited: "score",
};

/**
 * Returns `true` if a market can never open: the part was not drawn, or not shown, in time.
 *
 * The coordinator goes by the chain's next block, and so does this.
 */
export function isLost(market: Market): boolean {
  if (market.phase !== "committed") return false;
  const { drawUntil, revealUntil, drawnPart } = market;
  const isTooLateToDraw =
    drawnPart == null && drawUntil != null && market.block + 1 > drawUntil;
  return isTooLateToDraw || (revealUntil != null && market.time > revealUntil);
}

/** Returns `true` if a market ended without being settled. */
export function isBroken(market: Market): boolean {
  return (
    isLost(market) || market.phase === "failed" || market.phase === "forfeited"
  );
}

function stepAt(market: Market): StepName {
  const { phase } = market;
  if (phase === "failed" || phase === "forfeited") {
    if (market.closesAt == null)
      return market.drawnPart == null ? "draw" : "show";
    return market.scoringUntil == null ? "reveal" : "score";
  }
  return phase === "committed" && market.drawnPart != null ? "show" : AT[phase];
}

/** Returns all steps of a market's life, each with its state and its time. */
export function stepsOf(market: Market): Step[] {
  const at = stepNames.indexOf(stepAt(market));
  const isOver = isBroken(market);
  return stepNames.map((name, index) => {
    const state =
      index < at ? "done" : index > at ? "next" : isOver ? "missed" : "now";
    return { name, state, time: timeOf(market, name, state) };
  });
}

function timeOf(
  market: Market,
  name: StepName,
  state: StepState,
): number | undefined {
  const { closesAt, revealUntil, scoringUntil, terms } = market;
  switch (name) {
    case "lock":
      // Before the market opens, the deadline of the reveal counts from the commitments.
      return state === "done" && closesAt == null && revealUntil != null
        ? revealUntil - terms.revealWait
        : undefined;
    case "show":
      return state !== "done" && closesAt == null
        ? (revealUntil ?? undefined)
        : undefined;
    case "contribute":
      return closesAt ?? undefined;
    case "reveal":
      if (scoringUntil != null) return scoringUntil - terms.scoringWait;
      return closesAt != null && state !== "done"
        ? (revealUntil ?? closesAt + terms.revealWait)
        : undefined;
    case "score":
      return state === "now" || state === "missed"
        ? (scoringUntil ?? undefined)
        : undefined;
    default:
      return undefined;
  }
}

/** Returns the next time at which a market's phase changes by itself; undefined if there is none. */
export function nextChange(market: Market): number | undefined {
  switch (market.phase) {
    case "committed":
    case "revealing":
      return market.revealUntil == null ? undefined : market.revealUntil + 1;
    case "open":
      return market.closesAt ?? undefined;
    case "scoring":
      return market.scoringUntil == null ? undefined : market.scoringUntil + 1;
    default:
      return undefined;
  }
}

/** Returns the first block in which a part can be drawn; undefined before the commitments. */
export function earliestDraw(market: Market): number | undefined {
  // The hash of the block after the commitments is known for 256 blocks.
  return market.drawUntil == null ? undefined : market.drawUntil - 255;
}
