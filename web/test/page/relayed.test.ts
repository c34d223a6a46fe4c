import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { model } from "./model.ts";
import { stubStore, withoutRunes } from "./tabs.ts";

const page = vi.hoisted(() => ({
  asked: [] as string[],
  answers: new Map<string, object>(),
  tell: (_?: object): void => undefined,
}));
vi.mock("../../src/api/client.ts", () => ({
  Failure: class extends Error {},
  getSubmission: (id: string) => {
    page.asked.push(id);
    return Promise.resolve(page.answers.get(id));
  },
}));
vi.mock("../../src/live/events.svelte.ts", () => ({
  listen: (listener: typeof page.tell) => {
    page.tell = listener;
    return () => undefined;
  },
}));
withoutRunes();
const { chainId, trainer } = model();
const [young, old] = ["a", "b"].map((digit) => `0x${digit.repeat(64)}`);

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it("asks for settled batches for some blocks, and gathers events", async () => {
  const rest = { chainId, count: 1, isUnsure: false, wasRolledBack: false };
  const batch = (id: string | undefined, block: number) => ({
    ...{ id, block, ...rest, trainer: trainer.toLowerCase(), account: "0x" },
    ...{ sentAt: Date.now(), state: "included" },
  });
  const list = [batch(young, 100), batch(old, 10)];
  stubStore().set("cotrain-submissions", JSON.stringify(list));
  vi.stubGlobal("window", new EventTarget());
  page.answers.set(young ?? "", { status: "included", block: 100 });
  const { follow } = await import("../../src/teach/relayed.svelte.ts");
  let head = 105;
  const stop = follow(chainId, trainer, () => head);
  await vi.advanceTimersByTimeAsync(0);
  expect(page.asked).toEqual([young]);
  for (let events = 0; events < 20; events += 1) page.tell({ trainer });
  await vi.advanceTimersByTimeAsync(1_000);
  expect(page.asked).toEqual([young, young]);
  head = 200;
  page.tell({ trainer });
  await vi.advanceTimersByTimeAsync(100_000);
  expect(page.asked).toHaveLength(2);
  stop();
});
