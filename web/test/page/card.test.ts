import { beforeEach, describe, expect, it, vi } from "vitest";

// The coordinator's client needs the page's address.
vi.stubGlobal("location", { origin: "http://localhost" });
const { Card } = await import("../../src/model/source.ts");

const path = "/v1/models/0x1/card";
/** Words of the card that the coordinator has, and the tags that it was asked with. */
let words: string[];
let asked: (string | null)[];
let isAway: boolean;

beforeEach(() => {
  [words, asked, isAway] = [["good"], [], false];
  vi.stubGlobal("fetch", (_: string, { headers }: { headers: Headers }) => {
    if (isAway) return Promise.reject(new TypeError("away"));
    const given = headers.get("if-none-match");
    const etag = `"${words.join()}"`;
    asked.push(given);
    if (given === etag)
      return Promise.resolve(new Response(null, { status: 304 }));
    const encoder = { classifier: "naive-bayes", features: { words } };
    const body = JSON.stringify({ encoder });
    return Promise.resolve(new Response(body, { headers: { etag } }));
  });
});

describe("Card", () => {
  it("is read again once it may be another one, and is the same object if it is not", async () => {
    const card = new Card(path);
    const first = await card.read(true);
    expect(first.unreadable).toBeUndefined();
    expect(await card.read(true)).toBe(first);
    expect(asked).toEqual([null]);
    card.doubt();
    expect(await card.read(true)).toBe(first);
    words = ["good", "bad"];
    card.doubt();
    const second = await card.read(true);
    expect(second.encoder).not.toEqual(first.encoder);
    expect(asked).toEqual([null, '"good"', '"good"']);
  });

  it("is in doubt until it could be read", async () => {
    const card = new Card(path);
    const first = await card.read(true);
    [words, isAway] = [["other"], true];
    card.doubt();
    await expect(card.read(true)).rejects.toThrow("does not answer");
    isAway = false;
    expect(await card.read(true)).not.toBe(first);
  });

  it("is not asked for if the model has no encoder", async () => {
    const card = new Card(path);
    const none = await card.read(false);
    card.doubt();
    expect(await card.read(false)).toBe(none);
    expect(asked).toEqual([]);
    card.doubt();
    expect((await card.read(true)).encoder).toBeDefined();
  });
});
