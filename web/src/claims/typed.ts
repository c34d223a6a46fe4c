import type { Contribution } from "../api/client.ts";
import type { Given } from "../model/form.ts";
import { allOriginals, originalOf } from "../teach/originals.ts";

/** Returns contributions to a model as they were typed in this browser, by position. */
export function typedOf(
  trainer: string,
  contributions: readonly Contribution[],
): Map<number, string> {
  const own = trainer.toLowerCase();
  const known = new Set(
    allOriginals()
      .filter((one) => one.trainer === own)
      .map(({ by }) => by),
  );
  const typed = new Map<number, string>();
  for (const one of contributions) {
    if (!known.has(one.submission ?? one.transaction)) continue;
    const original = originalOf(trainer, one);
    if (original) typed.set(one.position, asText(original.given));
  }
  return typed;
}

function asText(given: Given): string {
  if ("text" in given) return given.text;
  if ("features" in given) return given.features.join(", ");
  return given.row.map((field) => String(field ?? "")).join(", ");
}
