import { DEVELOPMENT } from "../chain/development.ts";
import { nameOf, PATIENCE, type Tracked } from "./stages.ts";
import { words } from "../words.ts";
import { walletWords } from "./words.ts";

/** Number of blocks after which people may call a transaction done. */
const DEEP = 12;

/** Returns how far a transaction has come, in words. */
export function describe(tracked: Tracked): string {
  const { stage, nonce, expected, chainId, isSettled } = tracked;
  const say = walletWords.stages;
  if (expected !== undefined) return walletWords.gap(nonce, expected);
  if (typeof stage === "object") {
    if (stage.state === "reverted") return say.reverted(stage.text);
    const of = chainId === DEVELOPMENT ? 1 : DEEP;
    return say.included(
      words.block(Number(stage.block)),
      stage.confirmations,
      of,
    );
  }
  if (stage === "replaced" && !isSettled) return say.replacedBySome;
  return stage === "not-seen" ? say[stage](PATIENCE / 60_000) : say[stage];
}

/** Returns the look of a stage: as a success, a failure, a warning, or none of these. */
export function toneOf({ stage, expected }: Tracked): string {
  if (expected !== undefined) return "warn";
  switch (nameOf(stage)) {
    case "included":
      return "good";
    case "reverted":
      return "bad";
    case "sent":
    case "seen":
    case "canceled":
      return "";
    default:
      return "warn";
  }
}
