import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { open, useBrowser } from "../browser/browser.ts";
import { pagesOf } from "../browser/pages.ts";
import { injectWallet } from "../browser/wallet.ts";
import { cotrain, useWorld } from "../browser/world.ts";

const world = await useWorld();
const folder = process.env["SCREENSHOTS"] ?? "";
useBrowser();

/** Contributes as the command does, so that no page is empty. */
async function contribute(dev: number, ...args: string[]): Promise<void> {
  const common = ["--dev", String(dev), "--yes"];
  await cotrain(world.state, "contribute", ...args, ...common);
}

/** Returns a path as the name of a file. */
function nameOf(path: string): string {
  const { text, row, picture } = world.models;
  const named = path
    .replace(text, "text")
    .replace(row, "row")
    .replace(picture, "picture")
    .replace(world.market, "market");
  return named === "/" ? "models" : named.slice(1).replaceAll("/", "-");
}

it("takes each page at three widths, in light and dark colors", async () => {
  expect(folder, "SCREENSHOTS names no folder").not.toBe("");
  await mkdir(folder, { recursive: true });
  for (const [text, label] of [
    ["a warm and funny film", "positive"],
    ["dull, lifeless and too long", "negative"],
    ["a clever and moving story", "positive"],
    ["tedious", "positive"],
  ] as const)
    await contribute(5, "--model", "films", "--text", text, "--label", label);
  const row = ["--model", "plants", "--row", "21,red,true"];
  for (const label of ["tree", "herb"])
    await contribute(5, ...row, "--label", label);

  const views = [360, 768, 1280].flatMap((width) =>
    (["light", "dark"] as const).map((scheme) => ({ width, scheme })),
  );
  for (const view of views) {
    const { context, page } = await open(world.page, view);
    await injectWallet(context, world, { devIndex: 5 });
    await page.goto("/");
    await page.getByRole("button", { name: "Connect wallet" }).click();
    await page.getByRole("button", { name: "Test wallet" }).click();
    await page.waitForSelector("header >> text=0x");
    for (const [path, complete] of pagesOf(world)) {
      await page.goto(path);
      // With a wallet, a page may lack what tells that it is complete without one.
      const isWithout = complete.includes("There is no wallet");
      await page.waitForSelector(isWithout ? "main h1" : complete);
      await expect.poll(() => page.locator(".skeleton").count()).toBe(0);
      const file = `${nameOf(path)}-${view.width}-${view.scheme}.png`;
      await page.screenshot({ path: join(folder, file), fullPage: true });
    }
    await context.close();
  }
});
