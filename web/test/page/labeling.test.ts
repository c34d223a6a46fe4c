import { beforeEach, describe, expect, it, vi } from "vitest";
import { Failure } from "../../src/api/client.ts";
import { readPool } from "../../src/label/pool.ts";
import { chosen, fresh, type Labeling } from "../../src/label/state.ts";
import { withoutRunes } from "./tabs.ts";

const service = vi.hoisted(() => {
  // The client asks for it when it is loaded.
  Reflect.set(globalThis, "location", { origin: "http://localhost" });
  return {
    quote: vi.fn(),
    open: vi.fn(),
    teach: vi.fn(),
    choose: vi.fn(),
    predict: vi.fn(),
    close: vi.fn(),
  };
});
const kept = vi.hoisted((): Labeling[] => []);
const options = {
  learner: "logistic",
  strategy: "margin",
  rule: "none",
  units: 1_000,
  batch: 4,
  look: 50,
  every: 4,
  seed: 7,
} as const;
const begun = (): Labeling =>
  fresh("a", "pool", 40, ["no", "yes"], options, [], 0);
vi.mock("../../src/label/service.ts", () => service);
vi.mock("../../src/label/store.ts", () => ({
  keep: (labeling: Labeling) => Promise.resolve(void kept.push(labeling)),
}));

describe("Running", () => {
  const text = `x,y\n${Array.from({ length: 40 }, (_, at) => `${at},${at % 7}`).join("\n")}`;
  const units = { charged: 1, spent: 20, left: 980 };

  beforeEach(() => {
    withoutRunes();
    kept.length = 0;
    vi.useRealTimers();
    for (const one of Object.values(service)) one.mockReset();
    service.quote.mockResolvedValue({
      bounds: {
        features: 9,
        classes: 9,
        rows: 500,
        numbers: 5_000,
        call: 100,
        units: 1e6,
      },
    });
    service.open.mockResolvedValue({ session: "s", token: "t", units });
    service.teach.mockResolvedValue({ units, advice: undefined });
    service.choose.mockImplementation((_, __, ___, count: number) =>
      Promise.resolve({
        units,
        rows: Array.from({ length: count }, (_, at) => at),
      }),
    );
    service.predict.mockImplementation((_, __, rows: unknown[]) =>
      Promise.resolve({
        units,
        guesses: rows.map(() => ({ label: 1, share: 0.7 })),
      }),
    );
  });

  async function started(labeling: Labeling) {
    const { Running } = await import("../../src/label/labeling.svelte.ts");
    const running = new Running(readPool("a", "pool", text), labeling);
    running.start();
    await vi.waitFor(() => expect(running.isBusy).toBe(false));
    return running;
  }

  it("keeps a key before it asks, and repeats it after a reload", async () => {
    service.choose.mockRejectedValueOnce(new Failure("away", "no answer"));
    const running = await started(begun());
    expect(running.trouble).toMatchObject({ kind: "wait" });
    running.stop();
    const pending = kept.at(-1)?.pending;
    expect(service.choose.mock.calls[0]?.[1]).toBe(pending?.key);
    const again = await started(kept.at(-1) as Labeling);
    expect(service.choose.mock.calls[1]).toEqual(service.choose.mock.calls[0]);
    expect(service.open).toHaveBeenCalledTimes(1);
    expect(again.labeling.queue).toHaveLength(4);
    expect(again.labeling.pending).toBeUndefined();
    again.stop();
  });

  it("opens no other session by itself, and teaches it all labels on demand", async () => {
    const running = await started(begun());
    const told = new Failure("unknown-session", "it is gone");
    service.teach.mockRejectedValueOnce(told);
    for (let at = 0; at < 5; at += 1) {
      running.answer(at % 2);
      await vi.waitFor(() => expect(running.isBusy).toBe(false));
    }
    await vi.waitFor(() => expect(running.trouble).toEqual({ kind: "gone" }));
    await vi.waitFor(() => expect(running.isBusy).toBe(false));
    expect(running.labeling.session).toBeUndefined();
    expect(running.spent).toBe(20);
    running.stop();
    const reloaded = await started(running.labeling);
    expect(reloaded.trouble).toEqual({ kind: "gone" });
    expect(service.open).toHaveBeenCalledTimes(1);
    reloaded.renew(500);
    await vi.waitFor(() => expect(reloaded.isBusy).toBe(false));
    expect(service.open.mock.calls[1]?.[0]).toMatchObject({ units: 480 });
    expect(reloaded.labeling.taught).toBe(3);
    expect(reloaded.spent).toBe(40);
    expect(reloaded.trouble).toBeUndefined();
    reloaded.stop();
  });

  it("tells the price that is too high, and goes on with the rows that are there", async () => {
    service.choose.mockRejectedValueOnce(
      new Failure("out-of-units", "no", undefined, { price: 30, left: 4 }),
    );
    const labeling = chosen(begun(), [1, 2, 3]);
    const running = await started({
      ...labeling,
      session: { id: "s", token: "t" },
    });
    expect(running.trouble).toEqual({ kind: "units", price: 30 });
    running.answer(1);
    expect(running.labeling.answers).toHaveLength(1);
    running.stop();
  });

  it("waits as long as the coordinator says, and then goes on", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    service.open.mockRejectedValueOnce(
      new Failure("too-many-own-sessions", "close one", 60),
    );
    const { Running } = await import("../../src/label/labeling.svelte.ts");
    const running = new Running(readPool("a", "pool", text), begun());
    running.start();
    await vi.advanceTimersByTimeAsync(1);
    expect(running.trouble).toMatchObject({ kind: "wait" });
    await vi.advanceTimersByTimeAsync(59_000);
    expect(service.open).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(service.open).toHaveBeenCalledTimes(2);
    expect(running.trouble).toBeUndefined();
    expect(running.labeling.queue).toHaveLength(4);
    running.stop();
  });
});
