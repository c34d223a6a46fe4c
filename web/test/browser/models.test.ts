import { expect, inject, it } from "vitest";
import { open, useBrowser } from "./browser.ts";

const { page: origin, models } = inject("world");
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
  await page.route(/\/v1\/models(\?|\/0x[0-9a-fA-F]{40}$)/, async (route) => {
    const answer = await route.fetch();
    const body = (await answer.json()) as { rows?: object[] };
    const changed = body.rows
      ? { ...body, rows: body.rows.map((row) => ({ ...row, ...hostile })) }
      : { ...body, ...hostile };
    await route.fulfill({ response: answer, json: changed });
  });
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
  await page.route(/\/v1\/models\?/, (route) => route.fulfill(answer));
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
