import { Failure } from "../api/client.ts";

/** Time after which a failed reading is tried again if the coordinator names none, in milliseconds. */
const USUAL = 10_000;

/** Trouble of the last reading of what is shown already. */
export type Trouble = { kind: "limited"; seconds: number } | { kind: "failed" };

let trouble = $state.raw<Trouble | undefined>();

/** Returns the trouble of the last reading; undefined if it went well. */
export const rereading = (): Trouble | undefined => trouble;

/** Notes that what is shown is new. */
export function readWell(): void {
  trouble = undefined;
}

/**
 * Notes that what is shown could not be read anew. Returns the time after which to try again, in
 * milliseconds.
 */
export function readBadly(causes: readonly unknown[]): number {
  const wait = waitOf(causes);
  const isLimited = causes.some(
    (cause) => cause instanceof Failure && cause.kind === "rate-limited",
  );
  trouble = isLimited
    ? { kind: "limited", seconds: Math.ceil(wait / 1000) }
    : { kind: "failed" };
  return wait;
}

/**
 * Returns the time after which what failed for the first time may be tried again, in milliseconds;
 * undefined if the coordinator named none.
 */
export function allowedAfter(cause: unknown): number | undefined {
  const isLimited = cause instanceof Failure && cause.wait !== undefined;
  return isLimited ? waitOf([cause]) : undefined;
}

function waitOf(causes: readonly unknown[]): number {
  const waits = causes.map((cause) =>
    cause instanceof Failure && cause.wait !== undefined
      ? cause.wait * 1000
      : USUAL,
  );
  return Math.max(...waits);
}
