import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Submission } from "../../src/api/client.ts";
import { model } from "./model.ts";
import { stubStore, tellStorage, withoutRunes } from "./tabs.ts";

withoutRunes();
Reflect.set(globalThis, "location", { origin: "http://a" });
const { Drafts } = await import("../../src/teach/drafts.svelte.ts");

let values: Map<string, string>;
let window: EventTarget;

beforeEach(() => {
  values = stubStore();
  window = new EventTarget();
  vi.stubGlobal("window", window);
});

const example = (text: string) => ({ given: { text }, label: 1 });

describe("Drafts in two tabs", () => {
  const films = model();
  const texts = ({ list }: InstanceType<typeof Drafts>) =>
    list.map(({ given }) => ("text" in given ? given.text : ""));

  it("keep what the other tab has added", () => {
    const [one, other] = [new Drafts(films), new Drafts(films)];
    other.add([example("a"), example("b")]);
    one.type({ text: "c" }, undefined);
    expect(texts(new Drafts(films))).toEqual(["a", "b"]);
    one.add([example("d")]);
    expect(texts(one)).toEqual(["a", "b", "d"]);
    expect(texts(new Drafts(films))).toEqual(["a", "b", "d"]);
  });

  it("never bring back what the other tab has sent", () => {
    const one = new Drafts(films);
    one.add([example("a"), example("b")]);
    const other = new Drafts(films);
    const stop = one.follow();
    other.remove(new Set([other.list[0]?.id ?? ""]));
    tellStorage(window, [...values.keys()][0] ?? "");
    expect(texts(one)).toEqual(["b"]);
    stop();
    other.remove(new Set(other.list.map(({ id }) => id)));
    one.want(one.list[0]?.id ?? "", true);
    expect(texts(new Drafts(films))).toEqual([]);
  });

  it("last until the page is closed if the browser stores nothing", () => {
    vi.stubGlobal("localStorage", {
      getItem: () => null,
      setItem: () => {
        throw new Error("full");
      },
    });
    const one = new Drafts(films);
    one.add([example("a")]);
    one.add([example("b")]);
    expect(one.isKept).toBe(false);
    expect(texts(one)).toEqual(["a", "b"]);
  });
});

describe("signed batches in two tabs", () => {
  const { trainer, chainId } = model();
  const [first, second] = ["a", "b"].map(
    (digit) => `0x${digit.repeat(64)}` as const,
  ) as [`0x${string}`, `0x${string}`];
  const batch = (id: `0x${string}`) => ({
    ...{ id, trainer, chainId, count: 1 },
    account: `0x${"1".repeat(40)}`,
  });
  const taken = async (): Promise<Submission> =>
    ({ status: "waiting" }) as Submission;
  const tab = async () => {
    vi.resetModules();
    return import("../../src/teach/relayed.svelte.ts");
  };

  it("keep those of the other tab", async () => {
    const [one, other] = [await tab(), await tab()];
    const away = Promise.reject(new Error("away"));
    await expect(other.submit(batch(first), () => away)).rejects.toThrow();
    await one.submit(batch(second), taken);
    const ids = (await tab()).relayedTo(chainId, trainer).map(({ id }) => id);
    expect(ids).toEqual([second, first]);
    one.dismiss(second);
    const [left, ...rest] = (await tab()).relayedTo(chainId, trainer);
    expect(left).toMatchObject({ id: first, isUnsure: true });
    expect(rest).toEqual([]);
  });

  it("tell which drafts they have, or may have", async () => {
    const page = await tab();
    const drafts = (id: string) => ({ drafts: [id] });
    const none = Promise.reject(new Error("away"));
    const unsure = page.submit({ ...batch(first), ...drafts("x") }, () => none);
    await expect(unsure).rejects.toThrow();
    await page.submit({ ...batch(second), ...drafts("y") }, taken);
    const of = (await tab()).draftsIn(chainId, trainer);
    expect([[...of.unsure], [...of.taken]]).toEqual([["x"], ["y"]]);
    // The answer came late, after the page was loaded anew.
    await (await tab()).submit({ ...batch(first), ...drafts("x") }, taken);
    const later = (await tab()).draftsIn(chainId, trainer);
    expect([[...later.unsure], [...later.taken]]).toEqual([[], ["x", "y"]]);
  });
});
