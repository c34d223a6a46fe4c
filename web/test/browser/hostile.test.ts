import type { BrowserContext } from "playwright-core";
import { expect, it } from "vitest";
import { expectSound, open, useBrowser } from "./browser.ts";
import { cotrain, useWorld } from "./world.ts";

const world = await useWorld();
const { page: origin, models, market } = world;
useBrowser();

const MANY = 1 << 20;
/** Texts of megabytes, as an owner could write them who asks no program of this release. */
const hostile = {
  name: `<img src=x onerror="alert(1)">\u202e${"Z\u0351".repeat(MANY / 2)}`,
  description: `<script>alert(1)</script>\u2066${"x ".repeat(MANY / 2)}`,
  classNames: ["\u2067</span><b>bold", "W".repeat(MANY)],
};
/** Names in the card of a model of rows, and what stands in their place. */
const renamed = new Map([
  ["size", `<b>size</b>\u202e${"W".repeat(MANY)}`],
  // The order of the categories stays.
  ["red", `red<i>red</i>\u2067${"\u{1f600}".repeat(MANY / 2)}`],
]);
/** Maximum length of a page's text: there are many names in it, and all are cut. */
const BOUND = 12_000;

/** Changes what the coordinator answers of models, markets and cards; one is enough in a list. */
async function corrupt(context: BrowserContext): Promise<void> {
  const listed = /\/v1\/(models|markets)(\/0x[0-9a-fA-F]{40})?(\?|$)/;
  await context.route(listed, async (route) => {
    const response = await route.fetch();
    const body = (await response.json()) as { rows?: object[] };
    const json = body.rows
      ? {
          ...body,
          rows: body.rows.toSpliced(0, 1, { ...body.rows[0], ...hostile }),
        }
      : { ...body, ...hostile };
    await route.fulfill({ response, json });
  });
  await context.route(/\/card$/, async (route) => {
    const response = await route.fetch();
    const json: unknown = JSON.parse(await response.text(), (_, value) =>
      typeof value === "string" ? (renamed.get(value) ?? value) : value,
    );
    await route.fulfill({ response, json });
  });
}

/** Closes a context in which an answer may just be changed. */
async function leave(context: BrowserContext): Promise<void> {
  await context.unrouteAll({ behavior: "ignoreErrors" });
  await context.close();
}

/** Pages that show what owners wrote, each with a text of them that is there. */
const pages: readonly (readonly [string, string])[] = [
  ["/", '<img src=x onerror="alert(1)">\\u{202e}'],
  [`/m/${models.row}`, "<b>size</b>\\u{202e}WWW"],
  [`/m/${models.row}/teach`, "<b>size</b>\\u{202e}WWW"],
  [`/m/${models.row}/mine`, '<img src=x onerror="alert(1)">\\u{202e}'],
  [`/m/${models.row}/report`, '<img src=x onerror="alert(1)">\\u{202e}'],
  [`/m/${models.row}/host`, '<img src=x onerror="alert(1)">\\u{202e}'],
  ["/markets", '<img src=x onerror="alert(1)">\\u{202e}'],
  [`/markets/${market}`, '<img src=x onerror="alert(1)">\\u{202e}'],
];

it.each(pages)(
  "shows megabytes of hostile names as text: %s",
  async (path, said) => {
    const { context, page, watch } = await open(origin, {
      scheme: "light",
      width: 360,
    });
    await corrupt(context);
    await page.goto(path);
    const main = page.locator("main");
    await main.getByText(said).first().waitFor();
    const text = await main.innerText();
    expect(text.length).toBeLessThan(BOUND);
    expect(await page.title()).not.toMatch(/\u202e|Z{4}/);
    expect((await page.title()).length).toBeLessThan(200);
    // What can be read by no eye is bounded, too.
    const all = await page.evaluate(() => document.body.outerHTML.length);
    expect(all).toBeLessThan(20 * BOUND);
    expect(
      await page.locator("main b, main i, main img, main script").count(),
    ).toBe(0);
    await expectSound(page, watch);
    await leave(context);
  },
);

it("answers and adds examples in spite of hostile names of megabytes", async () => {
  const { context, page, watch } = await open(origin, {
    scheme: "dark",
    width: 360,
  });
  await corrupt(context);
  // The names of columns are in what others contributed, too.
  const args = ["--model", "plants", "--row", "22,red,true", "--label", "tree"];
  await cotrain(world.state, "contribute", ...args, "--dev", "1", "--yes");
  await page.goto(`/m/${models.row}`);
  await page.waitForSelector("text=/1 contribution$/");
  await page.locator("input[type=number]").first().fill("22");
  const reasons = page.locator("li .name");
  await expect
    .poll(async () => (await reasons.allInnerTexts()).join())
    .toContain("<b>size</b>\\u{202e}");
  const answer = await page.locator(".answer .class").innerText();
  expect(answer.length).toBeLessThan(100);
  await page.goto(`/m/${models.row}/teach`);
  await page.locator("input[type=number]").first().fill("22");
  await page.getByRole("radio").first().check();
  await page.getByRole("button", { name: "Add to the list" }).click();
  await page.waitForSelector("text=Added as example 1.");
  const text = await page.locator("main").innerText();
  expect(text.length).toBeLessThan(BOUND);
  expect(await page.locator("main b, main i").count()).toBe(0);
  expect(watch.noise).toEqual([]);
  await leave(context);
});
