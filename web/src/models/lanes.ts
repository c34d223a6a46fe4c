/** Runs tasks one after another in a few lanes, so that a long list does not flood the server. */
export function lanes(
  width: number,
): <T>(task: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (task) => {
    if (running >= width)
      await new Promise<void>((ready) => waiting.push(ready));
    else running += 1;
    try {
      return await task();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running -= 1;
    }
  };
}
