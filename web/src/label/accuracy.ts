import type { Answer } from "./state.ts";

/** Number of last answers that a point of the chart covers. */
export const WINDOW = 20;
/** Number of standard deviations of an interval that has 95 % of the chance. */
const Z = 1.96;

/** Guesses that were made before the labels were known. */
export interface Guesses {
  right: number;
  of: number;
}

/** Point of the chart: the share of right guesses of the last ones. */
export interface Point {
  /** Number of all answers so far. */
  answers: number;
  share: number;
}

function guessed(
  answers: readonly Answer[],
  isRandom: boolean,
): { at: number; isRight: boolean }[] {
  return answers.flatMap((answer, at) =>
    answer.isRandom !== isRandom ||
    answer.guess === undefined ||
    answer.label === undefined
      ? []
      : [{ at: at + 1, isRight: answer.guess === answer.label }],
  );
}

/** Counts the right guesses of random rows, or of chosen ones. */
export function guessesOf(
  answers: readonly Answer[],
  isRandom: boolean,
): Guesses {
  const all = guessed(answers, isRandom);
  return { right: all.filter((one) => one.isRight).length, of: all.length };
}

/** Returns the points of random rows, or of chosen ones, each over the last guesses. */
export function pointsOf(
  answers: readonly Answer[],
  isRandom: boolean,
): Point[] {
  const all = guessed(answers, isRandom);
  return all.map(({ at }, index) => {
    const last = all.slice(Math.max(0, index + 1 - WINDOW), index + 1);
    const right = last.filter((one) => one.isRight).length;
    return { answers: at, share: right / last.length };
  });
}

/** Returns between which shares the true one is with a chance of 95 % (Wilson 1927). */
export function interval({ right, of }: Guesses): [number, number] {
  if (of === 0) return [0, 1];
  const share = right / of;
  const square = Z ** 2 / of;
  const middle = (share + square / 2) / (1 + square);
  const half =
    (Z * Math.sqrt((share * (1 - share)) / of + square / (4 * of))) /
    (1 + square);
  return [Math.max(0, middle - half), Math.min(1, middle + half)];
}
