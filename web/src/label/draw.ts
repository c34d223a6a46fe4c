/** Returns numbers from 0 to below 1 that a seed decides (mulberry32). */
export function chance(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Returns up to `count` of the items, drawn without putting back; the order is random, too. */
export function drawn<T>(
  items: readonly T[],
  count: number,
  seed: number,
): T[] {
  const next = chance(seed);
  const rest = [...items];
  const size = Math.min(count, rest.length);
  for (let at = 0; at < size; at += 1) {
    const other = at + Math.floor(next() * (rest.length - at));
    [rest[at], rest[other]] = [rest[other] as T, rest[at] as T];
  }
  return rest.slice(0, size);
}
