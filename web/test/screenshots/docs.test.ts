import { join } from "node:path";
import type { Page } from "playwright-core";
import { it } from "vitest";
import { open, useBrowser } from "../browser/browser.ts";
import { injectWallet } from "../browser/wallet.ts";
import { useWorld } from "../browser/world.ts";

const world = await useWorld();
const { text } = world.models;
const folder = join("..", "docs", "pictures");
const width = 1100;
useBrowser();

/** Opens a path for a picture of the page as it is seen, from its top. */
async function opened(path: string): Promise<{
  page: Page;
  take: (name: string, height: number) => Promise<void>;
}> {
  const { context, page } = await open(world.page, { scheme: "light", width });
  await injectWallet(context, world, { devIndex: 5 });
  await page.goto(path);
  return {
    page,
    take: async (name, height) => {
      await page.setViewportSize({ width, height });
      await page.mouse.move(0, 0);
      await page.evaluate(() => {
        if (document.activeElement instanceof HTMLElement)
          document.activeElement.blur();
        scrollTo(0, 0);
      });
      await page.screenshot({ path: join(folder, name) });
      await context.close();
    },
  };
}

it("takes the page of a model", async () => {
  const { page, take } = await opened(`/m/${text}`);
  const input = page.getByLabel("Your text");
  await input.fill("a warm, moving and funny film, if a bit slow");
  await page.getByRole("button", { name: "Compare with the contract" }).click();
  await page.waitForSelector("text=The coordinator computes the same class");
  await take("page.png", 860);
});

it("takes the page that teaches a model", async () => {
  const { page, take } = await opened(`/m/${text}/teach`);
  for (const [example, label] of [
    ["a tedious and hollow thriller", "negative"],
    ["clever, moving and warm", "positive"],
  ] as const) {
    await page.getByLabel("Your text").fill(example);
    await page.getByRole("radio", { name: label }).check();
    await page.getByRole("button", { name: "Add to the list" }).click();
    await page.getByText("Added as example").waitFor();
  }
  const main = page.locator("main");
  await main.getByRole("button", { name: "Test wallet" }).click();
  await page.waitForSelector("text=Network’s fee, about 0");
  await take("teach.png", 960);
});
