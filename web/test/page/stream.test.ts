import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Hub, type Told } from "../../src/live/stream.ts";

/** A stream that tells what the test wants. */
class Source {
  static readonly OPEN = 1;
  static readonly CLOSED = 2;
  static all: Source[] = [];
  readyState = 0;
  onopen = (): void => undefined;
  onerror = (): void => undefined;
  readonly url: string;
  readonly #heard = new Map<string, (message: object) => void>();

  constructor(url: string) {
    this.url = url;
    Source.all.push(this);
  }

  addEventListener(kind: string, hear: (message: object) => void): void {
    this.#heard.set(kind, hear);
  }

  close(): void {
    this.readyState = Source.CLOSED;
  }

  open(): void {
    this.readyState = Source.OPEN;
    this.onopen();
  }

  tell(id: number): void {
    const message = { data: `event ${id}`, lastEventId: `${id}` };
    this.#heard.get("contributed")?.(message);
  }
}

const open = (): Source[] =>
  Source.all.filter(({ readyState }) => readyState !== Source.CLOSED);

function newest(): Source {
  const source = Source.all.at(-1);
  if (!source) throw new Error("no stream was opened");
  return source;
}

let told: Record<string, string[]>;
let hub: Hub<string>;

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("EventSource", Source);
  Source.all = [];
  told = {};
  hub = new Hub((tab: string, what: Told) =>
    (told[tab] ??= []).push(what.kind === "event" ? what.data : what.kind),
  );
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** Returns what a tab was told since the last look. */
function heard(tab: string): string[] {
  const all = told[tab] ?? [];
  told[tab] = [];
  return all;
}

const see = (tab: string, isVisible = true): void =>
  hub.hear(tab, { kind: "here", isVisible });

it("holds one stream while a tab is seen, and goes on after the last event", () => {
  see("a");
  see("b");
  expect(open().length).toBe(1);
  expect(newest().url).toBe("/v1/events/stream");
  newest().open();
  newest().tell(7);
  expect(heard("a")).toEqual(["open", "event 7"]);
  expect(heard("b")).toEqual(["open", "event 7"]);
  see("a", false);
  expect(open().length).toBe(1);
  hub.hear("b", { kind: "left" });
  expect(open()).toEqual([]);
  see("a");
  expect(newest().url).toBe("/v1/events/stream?after=7");
  newest().open();
  expect(heard("a")).toEqual(["open"]);
});

it("tells a tab what it missed, or that it missed something", () => {
  see("a");
  see("b");
  see("b", false);
  newest().open();
  newest().tell(1);
  newest().tell(2);
  heard("b");
  see("b");
  expect(heard("b")).toEqual(["open", "event 1", "event 2"]);
  see("b", false);
  for (let id = 3; id < 200; id += 1) newest().tell(id);
  see("b");
  expect(heard("b")).toEqual(["open", "gap"]);
  // A tab that comes now may have read its data before the last event, but not long before.
  see("c");
  expect(heard("c").at(-1)).toBe("event 199");
  vi.advanceTimersByTime(6_000);
  see("d");
  expect(heard("d")).toEqual(["open"]);
});

it("tells of a gap if there is no event to go on from", () => {
  see("a");
  newest().open();
  see("a", false);
  see("a");
  newest().open();
  expect(heard("a")).toEqual(["open", "open", "gap"]);
});

it("starts anew once for all tabs that notice a comeback", () => {
  see("a");
  see("b");
  newest().open();
  newest().tell(9);
  hub.hear("a", { kind: "restart" });
  hub.hear("b", { kind: "restart" });
  expect(Source.all.length).toBe(2);
  expect(newest().url).toBe("/v1/events/stream");
  newest().open();
  expect(heard("b")).toEqual(["open", "event 9", "open", "gap"]);
});

it("tries again after an answer that is no stream, ever more slowly", () => {
  see("a");
  newest().readyState = Source.CLOSED;
  newest().onerror();
  expect(heard("a")).toEqual(["stopped"]);
  vi.advanceTimersByTime(1_999);
  see("a");
  expect(Source.all.length).toBe(1);
  vi.advanceTimersByTime(1);
  expect(Source.all.length).toBe(2);
  newest().readyState = Source.CLOSED;
  newest().onerror();
  see("a");
  vi.advanceTimersByTime(3_999);
  expect(Source.all.length).toBe(2);
  vi.advanceTimersByTime(1);
  expect(Source.all.length).toBe(3);
  newest().open();
  expect(heard("a").at(-1)).toBe("gap");
});

it("holds no stream for tabs that give no sign", () => {
  see("a");
  vi.advanceTimersByTime(20_000);
  see("a");
  vi.advanceTimersByTime(20_000);
  expect(open().length).toBe(1);
  vi.advanceTimersByTime(40_000);
  expect(open()).toEqual([]);
  see("a");
  expect(open().length).toBe(1);
});
