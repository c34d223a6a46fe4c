import { expect, inject, it } from "vitest";
import { open, useBrowser } from "./browser.ts";
import { end, start } from "./world.ts";

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
  const hide = (isHidden: boolean): Promise<void> =>
    page.evaluate((value) => {
      Object.defineProperty(document, "hidden", { value, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }, isHidden);
  await hide(true);
  await expect.poll(() => closed).toBe(1);
  await hide(false);
  await expect.poll(() => opened).toBe(2);
  await context.close();
});

it("outlasts a coordinator that is killed and comes back", async () => {
  const { context, page } = await open(world.page);
  await page.goto(`/m/${world.models.text}`);
  const input = page.getByLabel("Your text");
  await input.fill("a warm and funny film");
  await end(world, "SIGKILL");
  await page.waitForSelector("text=The coordinator does not answer since");
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
