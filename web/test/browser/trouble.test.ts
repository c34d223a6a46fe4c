import type { Page } from "playwright-core";
import { expect, inject, it } from "vitest";
import { open, useBrowser } from "./browser.ts";
import { cotrain, end, start } from "./world.ts";

const world = inject("world");
useBrowser();

it("tells a coordinator that is not ready or behind", async () => {
  const { context, page } = await open(world.page);
  let answer: { status: number; json: object } = {
    status: 503,
    json: { type: "/problems/not-ready", detail: "the node does not answer" },
  };
  await page.route("**/health/ready", (route) => route.fulfill(answer));
  await page.goto("/");
  await page.waitForSelector(
    "text=The coordinator is not ready: the node does not answer.",
  );
  answer = {
    status: 200,
    json: { leader: true, head: 99, models: [{ behind: 7 }] },
  };
  await page.waitForSelector(
    "text=The coordinator is 7 blocks behind the chain.",
  );
  await page.waitForSelector("text=block 99");
  answer = {
    status: 200,
    json: { leader: true, head: 99, models: [{ behind: 0 }] },
  };
  await expect
    .poll(() => page.locator(".line p").count(), { timeout: 10_000 })
    .toBe(0);
  await context.close();
});

function hide(page: Page, isHidden: boolean): Promise<void> {
  return page.evaluate((value) => {
    Object.defineProperty(document, "hidden", { value, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  }, isHidden);
}

it("holds one stream, and none while it is hidden", async () => {
  const { context, page } = await open(world.page);
  let [opened, closed] = [0, 0];
  const isStream = (url: string): boolean =>
    new URL(url).pathname === "/v1/events/stream";
  page.on("request", (request) => {
    if (isStream(request.url())) opened += 1;
  });
  page.on("requestfailed", (request) => {
    if (isStream(request.url())) closed += 1;
  });
  await page.goto(`/m/${world.models.text}`);
  await page.waitForSelector("textarea");
  await page.getByRole("link", { name: "Models", exact: true }).click();
  await page.waitForSelector("text=3 models");
  expect([opened, closed]).toEqual([1, 0]);
  await hide(page, true);
  await expect.poll(() => closed).toBe(1);
  await hide(page, false);
  await expect.poll(() => opened).toBe(2);
  await context.close();
});

it("reads anew what came while it was hidden, before the first event", async () => {
  const { context, page } = await open(world.page);
  await page.goto(`/m/${world.models.row}`);
  await page.waitForSelector("text=Nobody has contributed yet.");
  await hide(page, true);
  const args = ["--model", "plants", "--row", "22,red,true"];
  args.push("--label", "tree", "--dev", "1", "--yes");
  await cotrain(world.state, "contribute", ...args);
  // Its event has passed before the page is seen again.
  await expect
    .poll(async () => {
      const path = `/v1/events?trainer=${world.models.row}`;
      return (await fetch(world.page + path)).text();
    })
    .toContain('"contributed"');
  await hide(page, false);
  await page.waitForSelector("text=/1 contribution$/");
  await context.close();
});

it("compares anew while the model learns, and tells no difference", async () => {
  const { context, page } = await open(world.page);
  let asked = 0;
  await page.route("**/predict", async (route) => {
    asked += 1;
    const response = await route.fetch();
    const json = (await response.json()) as { block: number };
    const label = { label: 1, class: "positive", score: 0.9 };
    const other = { ...json, block: json.block + 1, predictions: [label] };
    await route.fulfill({ response, json: asked === 1 ? other : json });
  });
  await page.goto(`/m/${world.models.text}`);
  await page.getByLabel("Your text").fill("dull");
  await page.getByRole("button", { name: "Compare with the contract" }).click();
  await page.waitForSelector("text=The coordinator computes the same class");
  expect(asked).toBe(2);
  await context.close();
});

it("tells a model that the coordinator does not follow", async () => {
  const { context, page } = await open(world.page);
  await page.goto(`/m/0x${"0".repeat(39)}1`);
  await page.waitForSelector("h1:has-text('This model is not followed here')");
  await page.getByRole("link", { name: "Go to the models" }).click();
  await page.waitForSelector("text=3 models");
  await context.close();
});

it("outlasts a coordinator that is killed and comes back", async () => {
  const { context, page } = await open(world.page);
  await page.goto(`/m/${world.models.text}`);
  const input = page.getByLabel("Your text");
  await input.fill("a warm and funny film");
  await end(world, "SIGKILL");
  await page.waitForSelector("text=The coordinator has not answered since");
  // The model is in the page, so it goes on answering.
  await input.fill("dull");
  expect(await page.locator(".answer .class").innerText()).toBe("negative");
  await page.getByRole("button", { name: "Compare with the contract" }).click();
  await page.waitForSelector("text=The coordinator does not answer.");
  await start(world.state, world.ports);
  await expect
    .poll(() => page.locator(".line p").count(), { timeout: 40_000 })
    .toBe(0);
  expect(await input.inputValue()).toBe("dull");
  await page.getByRole("button", { name: "Compare with the contract" }).click();
  await page.waitForSelector("text=The coordinator computes the same class");
  await context.close();
});
