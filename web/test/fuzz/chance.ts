/** Choices by chance, the same for the same seed. */

/** Source of choices. */
export interface Chance {
  /** Returns a whole number below a bound. */
  below(bound: number): number;
  /** Returns one of a list. */
  one<T>(of: readonly T[]): T;
  /** Returns so many results of a function. */
  times<T>(count: number, make: () => T): T[];
}

/** Returns choices by the generator mulberry32. */
export function chance(seed: number): Chance {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  const below = (bound: number): number => next() % bound;
  return {
    below,
    one(of) {
      const found = of[below(of.length)];
      if (found === undefined) throw new Error("an empty list");
      return found;
    },
    times: (count, make) => Array.from({ length: count }, make),
  };
}
