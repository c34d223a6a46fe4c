/** A task that is done again and again as things change. */
export interface Renewal {
  /** Asks for the task soon. What is asked meanwhile is done once. */
  ask: () => void;
  /** Asks for the task at once, or as soon as it has ended if it runs. */
  now: () => void;
  /** Does the task no more. */
  stop: () => void;
}

/**
 * Gathers calls for a task: it begins after a pause in milliseconds, runs once at a time, and once
 * more if it was asked for while it ran. So a busy model floods neither page nor coordinator, and
 * an old answer never overwrites a newer one.
 *
 * A task that failed returns the time after which it may be done again, in milliseconds. It is done
 * then, and not before.
 */
export function renewal(
  task: () => Promise<number | void>,
  pause: number,
): Renewal {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isRunning = false;
  let isWanted = false;
  let isStopped = false;

  function ask(): void {
    if (isStopped) return;
    if (isRunning) isWanted = true;
    else timer ??= setTimeout(() => void run(), pause);
  }

  function now(): void {
    if (isStopped) return;
    clearTimeout(timer);
    if (isRunning) isWanted = true;
    else void run();
  }

  async function run(): Promise<void> {
    timer = undefined;
    isRunning = true;
    let wait: number | void;
    try {
      wait = await task();
    } finally {
      isRunning = false;
    }
    if (isStopped || (wait === undefined && !isWanted)) return;
    isWanted = false;
    timer = setTimeout(() => void run(), Math.max(pause, wait ?? 0));
  }

  function stop(): void {
    isStopped = true;
    clearTimeout(timer);
  }

  return { ask, now, stop };
}
