/** A task that is done again and again as things change. */
export interface Renewal {
  /** Asks for the task soon. What is asked meanwhile is done once. */
  ask: () => void;
  /** Does the task no more. */
  stop: () => void;
}

/**
 * Gathers calls for a task: it begins after a pause in milliseconds, runs once at a time, and once
 * more if it was asked for while it ran. So a busy model floods neither page nor coordinator, and
 * an old answer never overwrites a newer one.
 */
export function renewal(task: () => Promise<void>, pause: number): Renewal {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isRunning = false;
  let isWanted = false;
  let isStopped = false;

  function ask(): void {
    if (isStopped) return;
    if (isRunning) isWanted = true;
    else timer ??= setTimeout(() => void run(), pause);
  }

  async function run(): Promise<void> {
    timer = undefined;
    isRunning = true;
    try {
      await task();
    } finally {
      isRunning = false;
    }
    if (!isWanted) return;
    isWanted = false;
    ask();
  }

  function stop(): void {
    isStopped = true;
    clearTimeout(timer);
  }

  return { ask, stop };
}
