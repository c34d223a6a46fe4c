import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { renewal } from "../../src/live/renewal.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Returns a task that counts its runs, and ends each by `end`. */
function task(): {
  runs: () => number;
  run: () => Promise<void>;
  end: () => void;
} {
  let runs = 0;
  let end = (): void => undefined;
  const run = (): Promise<void> => {
    runs += 1;
    return new Promise((ended) => (end = ended));
  };
  return { runs: () => runs, run, end: () => end() };
}

it("gathers calls, and runs once at a time", async () => {
  const { runs, run, end } = task();
  const { ask } = renewal(run, 100);
  ask();
  ask();
  expect(runs()).toBe(0);
  await vi.advanceTimersByTimeAsync(100);
  expect(runs()).toBe(1);
  // It still runs, so what is asked now comes after it, once.
  ask();
  ask();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(runs()).toBe(1);
  end();
  await vi.advanceTimersByTimeAsync(99);
  expect(runs()).toBe(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(runs()).toBe(2);
  end();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(runs()).toBe(2);
});

it("does again what failed, and not before it may", async () => {
  let runs = 0;
  const { ask, stop } = renewal(async () => {
    runs += 1;
    return runs === 1 ? 2_000 : undefined;
  }, 100);
  ask();
  await vi.advanceTimersByTimeAsync(100);
  expect(runs).toBe(1);
  ask();
  await vi.advanceTimersByTimeAsync(1_999);
  expect(runs).toBe(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(runs).toBe(2);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(runs).toBe(2);
  stop();
});

it("begins at once if it is asked to, and not twice", async () => {
  const { runs, run, end } = task();
  const { ask, now } = renewal(run, 100);
  ask();
  now();
  expect(runs()).toBe(1);
  now();
  expect(runs()).toBe(1);
  end();
  await vi.advanceTimersByTimeAsync(100);
  expect(runs()).toBe(2);
  end();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(runs()).toBe(2);
});

it("stops, also while it runs", async () => {
  const { runs, run, end } = task();
  const { ask, stop } = renewal(run, 100);
  ask();
  await vi.advanceTimersByTimeAsync(100);
  ask();
  stop();
  end();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(runs()).toBe(1);
});
