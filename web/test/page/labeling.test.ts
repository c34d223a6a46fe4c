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
    buy: vi.fn(),
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

  /** Answer that asks for a payment. */
  const unpaid = (error?: string) =>
    new Failure("payment-required", "pay", undefined, {
      accepts: [],
      ...(error === undefined ? {} : { error }),
    });
  const opened = (): unknown[][] => service.open.mock.calls;

  it("asks what an opening costs, and pays once over a reload while it is not decided", async () => {
    service.open.mockRejectedValueOnce(unpaid());
    const running = await started(begun());
    expect(running.trouble).toMatchObject({ kind: "payment" });
    service.open.mockRejectedValueOnce(
      new Failure("payment-pending", "not decided", 60),
    );
    running.pay("signed");
    await vi.waitFor(() =>
      expect(running.trouble).toMatchObject({ kind: "wait", isPaid: true }),
    );
    running.stop();
    const again = await started(kept.at(-1) as Labeling);
    // Body, key and payment are the same.
    expect(opened()[2]).toEqual(opened()[1]);
    expect(opened()[1]?.[1]).toMatchObject({ header: "signed" });
    expect(again.labeling).toMatchObject({
      account: "t",
      session: { id: "s" },
    });
    expect(again.labeling.payment).toBeUndefined();
    expect(again.labeling.queue).toHaveLength(4);
    again.stop();
  });

  it("asks for another signature of the same transfer if one was refused", async () => {
    service.open.mockRejectedValueOnce(unpaid());
    const running = await started(begun());
    const nonce = running.labeling.payment?.nonce;
    service.open.mockRejectedValueOnce(unpaid("insufficient_funds"));
    running.pay("signed");
    await vi.waitFor(() =>
      expect(running.trouble).toMatchObject({ kind: "payment", reason: "pay" }),
    );
    expect(running.labeling.payment?.header).toBeUndefined();
    expect(running.labeling.payment?.nonce).toBe(nonce);
    running.stop();
  });

  it("begins no other purchase by itself after a payment that was used before", async () => {
    service.open.mockRejectedValueOnce(unpaid());
    const running = await started(begun());
    service.open.mockRejectedValueOnce(new Failure("payment-conflict", "used"));
    running.pay("signed");
    await vi.waitFor(() =>
      expect(running.trouble).toMatchObject({ kind: "refused" }),
    );
    expect(service.open).toHaveBeenCalledTimes(2);
    running.stop();
  });

  it("proves units that were paid for by their token in the next session", async () => {
    const paid: Labeling = {
      ...chosen(begun(), [1, 2, 3]),
      session: { id: "s", token: "t" },
      account: "t",
      units: { spent: 30, left: 70 },
    };
    service.choose.mockRejectedValueOnce(
      new Failure("unknown-session", "gone"),
    );
    const running = await started(paid);
    expect(running.trouble).toEqual({ kind: "gone" });
    expect([running.spent, running.left]).toEqual([30, 70]);
    service.open.mockResolvedValueOnce({
      session: "next",
      token: null,
      units: { charged: 10, spent: 40, left: 60 },
    });
    running.renew(1_000);
    await vi.waitFor(() => expect(running.isBusy).toBe(false));
    expect(opened()[0]?.[2]).toBe("t");
    expect(running.labeling.session).toEqual({ id: "next", token: "t" });
    running.stop();
  });

  it("buys units for the session, and goes on", async () => {
    const paid: Labeling = {
      ...chosen(begun(), [1, 2, 3]),
      session: { id: "s", token: "t" },
      account: "t",
      units: { spent: 30, left: 4 },
    };
    service.choose.mockRejectedValueOnce(
      new Failure("payment-required", "pay", undefined, { price: 30 }),
    );
    const running = await started(paid);
    expect(running.trouble).toEqual({ kind: "units", price: 30 });
    service.buy.mockRejectedValueOnce(unpaid());
    running.buy(500);
    await vi.waitFor(() =>
      expect(running.trouble).toMatchObject({ kind: "payment" }),
    );
    service.buy.mockResolvedValueOnce({ units: { ...units, left: 504 } });
    running.pay("signed");
    await vi.waitFor(() => expect(running.trouble).toBeUndefined());
    expect(service.buy.mock.calls[1]?.[0]).toMatchObject({
      call: "units",
      session: "s",
      units: 500,
      header: "signed",
    });
    await vi.waitFor(() => expect(running.labeling.queue).toHaveLength(7));
    expect(running.labeling.payment).toBeUndefined();
    running.stop();
  });
});
