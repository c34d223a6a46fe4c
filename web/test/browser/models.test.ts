import { expect, it } from "vitest";
import { open, useBrowser } from "./browser.ts";
import { useWorld } from "./world.ts";

const { page: origin, models } = await useWorld();
useBrowser();

it("finds, orders and opens models", async () => {
  const { context, page, watch } = await open(origin);
  await page.goto("/");
  const names = page.locator("article h2");
  await page.waitForSelector("text=3 models");
  await page.getByLabel("Sort by").selectOption("name");
  expect(await names.allInnerTexts()).toEqual(["digits", "films", "plants"]);
  await page.getByLabel("Search").fill("TREE");
  await page.waitForSelector("text=1 of 3 models");
  expect(await names.allInnerTexts()).toEqual(["plants"]);
  await page.getByLabel("Search").fill("nothing at all");
  await page.waitForSelector("text=No model matches the search.");
  await page.getByLabel("Search").fill("");
  await page.getByRole("link", { name: "films" }).click();
  await page.waitForURL(`${origin}/m/${models.text}`);
  // The new page's content has the focus, and the history leads back.
  await expect
    .poll(() => page.evaluate(() => document.activeElement?.tagName))
    .toBe("MAIN");
  await page.goBack();
  await page.waitForSelector("text=3 models");
  expect(watch.noise).toEqual([]);
  await context.close();
});

it("shows the list as it was left, on coming back and after a reload", async () => {
  const { context, page } = await open(origin, { scheme: "light", width: 360 });
  await page.goto("/");
  await page.getByLabel("Sort by").selectOption("name");
  await page.getByLabel("Search").fill("s");
  await page.waitForURL("/?search=s&order=name");
  await page.getByRole("link", { name: "plants" }).click();
  await page.waitForSelector("h1:has-text('plants')");
  expect(await page.evaluate(() => window.scrollY)).toBe(0);
  const place = (): Promise<number> =>
    page
      .getByRole("link", { name: "plants" })
      .evaluate((link) => link.getBoundingClientRect().top);
  await page.goBack();
  await page.waitForURL("/?search=s&order=name");
  const seen = await place();
  expect(seen).toBeGreaterThan(0);
  expect(seen).toBeLessThan(800);
  expect(await page.evaluate(() => window.scrollY)).toBeGreaterThan(0);
  const list = async (): Promise<unknown> => ({
    search: await page.getByLabel("Search").inputValue(),
    order: await page.getByLabel("Sort by").inputValue(),
    names: await page.locator("article h2").allInnerTexts(),
  });
  const left = await list();
  expect(left).toEqual({
    search: "s",
    order: "name",
    names: ["digits", "films", "plants"],
  });
  await page.reload();
  await page.waitForSelector("text=3 models");
  expect(await list()).toEqual(left);
  await expect.poll(place).toBe(seen);
  // The link to the list is one to the whole of it.
  await page.getByRole("link", { name: "Models", exact: true }).click();
  await page.waitForURL("/");
  expect(await page.getByLabel("Search").inputValue()).toBe("");
  await context.close();
});

it("loads more once, in pages as long as the coordinator likes", async () => {
  const { context, page } = await open(origin);
  const all = (await (await fetch(`${origin}/v1/models`)).json()) as {
    rows: { trainer: string }[];
  };
  const asked: string[] = [];
  await page.route(/\/v1\/models(\?|$)/, async (route) => {
    const { searchParams } = new URL(route.request().url());
    if (searchParams.has("limit")) return route.continue();
    const after = searchParams.get("after");
    asked.push(after ?? "");
    const from = all.rows.findIndex(({ trainer }) => trainer === after) + 1;
    const rows = all.rows.slice(from, from + 1);
    await route.fulfill({ json: { rows, next: from < 2 ? "more" : null } });
  });
  await page.goto("/");
  const more = page.getByRole("button", { name: "Load more" });
  await page.waitForSelector("text=cover the 1 model loaded so far");
  // Another reading at the same time, as after an event.
  await page.evaluate(() =>
    document
      .querySelectorAll<HTMLButtonElement>("main p > button")
      .forEach((button) => {
        button.click();
        button.click();
      }),
  );
  await page.waitForSelector("text=cover the 2 models loaded so far");
  await more.click();
  await page.waitForSelector("text=/^3 models$/");
  expect(await more.count()).toBe(0);
  expect(await page.locator("article").count()).toBe(3);
  await context.close();
});

it("opens a model by its address, or says why not", async () => {
  const { context, page } = await open(origin);
  await page.goto("/");
  const address = page.getByLabel("Address of its trainer");
  const refusal = page.locator("#refusal");
  await address.fill("0x12");
  await page.keyboard.press("Enter");
  await expect
    .poll(() => refusal.innerText())
    .toContain("This has 4 characters.");
  await address.fill(`0x${"7".repeat(40)}`);
  await page.keyboard.press("Enter");
  await expect
    .poll(() => refusal.innerText())
    .toContain("does not follow that model");
  // With a wrong checksum, the coordinator's reason is shown.
  await address.fill(
    models.text.replace(/[a-f]/, (digit) => digit.toUpperCase()),
  );
  await page.keyboard.press("Enter");
  await expect.poll(() => refusal.innerText()).toContain("checksum");
  await address.fill(models.row.toLowerCase());
  await page.keyboard.press("Enter");
  await page.waitForSelector("h1:has-text('plants')");
  await context.close();
});

it("hides and tames what strangers wrote", async () => {
  const { context, page, watch } = await open(origin, {
    scheme: "light",
    width: 360,
  });
  const hostile = {
    verified: false,
    name: `<img src=x onerror="alert(1)">\u202e${"Z\u0351".repeat(3_000)}`,
    description: `<script>alert(1)</script> ${"x".repeat(100_000)}`,
    classNames: ["\u2067</span><b>bold", "W".repeat(50_000)],
  };
  await page.route(
    /\/v1\/models(\/0x[0-9a-fA-F]{40})?(\?|$)/,
    async (route) => {
      const answer = await route.fetch();
      const body = (await answer.json()) as { rows?: object[] };
      const changed = body.rows
        ? { ...body, rows: body.rows.map((row) => ({ ...row, ...hostile })) }
        : { ...body, ...hostile };
      await route.fulfill({ response: answer, json: changed });
    },
  );
  await page.goto("/");
  await page.waitForSelector("text=Name hidden");
  expect(await page.locator("main").innerText()).not.toContain("onerror");
  await page.getByLabel("Search").fill("onerror");
  await page.waitForSelector("text=No model matches the search.");
  await page.getByLabel("Search").fill("");
  await page.getByRole("button", { name: "Show all names" }).click();
  await page.waitForSelector("text=onerror");
  const check = async (): Promise<void> => {
    const text = await page.locator("main").innerText();
    expect(text).toContain('<img src=x onerror="alert(1)">\\u{202e}');
    expect(text).toContain("\\u{2067}</span><b>bold");
    expect(text.length).toBeLessThan(8_000);
    expect(await page.locator("main img, main script, main b").count()).toBe(0);
    const width = await page.evaluate(
      () => document.documentElement.scrollWidth,
    );
    expect(width).toBeLessThanOrEqual(360);
  };
  await check();
  await page.goto(`/m/${models.text}`);
  await page.waitForSelector("textarea");
  await page.locator("textarea").fill("a warm and funny film");
  await page.waitForSelector("text=Why");
  await check();
  expect(watch.noise).toEqual([]);
  await context.close();
});

it("tells an empty list, a refusal and a limit", async () => {
  const { context, page } = await open(origin);
  let answer: {
    status: number;
    headers?: Record<string, string>;
    json: object;
  } = {
    status: 200,
    json: { rows: [], next: null },
  };
  await page.route(/\/v1\/models(\?|$)/, (route) => route.fulfill(answer));
  await page.goto("/");
  await page.waitForSelector("text=This coordinator follows no model yet.");
  const detail = "the store does not answer";
  answer = { status: 503, json: { type: "/problems/unavailable", detail } };
  await page.reload();
  await page.waitForSelector(`text=${detail}`);
  answer = {
    status: 429,
    headers: { "retry-after": "7" },
    json: { type: "/problems/rate-limited", detail: "too many" },
  };
  await page.getByRole("button", { name: "Try again" }).click();
  await page.waitForSelector("text=Try again in 7 seconds.");
  answer = { status: 200, json: { rows: [], next: null } };
  await page.getByRole("button", { name: "Try again" }).click();
  await page.waitForSelector("text=This coordinator follows no model yet.");
  await context.close();
});
