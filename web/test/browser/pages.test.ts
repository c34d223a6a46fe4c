import { describe, expect, inject, it } from "vitest";
import { expectSound, open, useBrowser } from "./browser.ts";

const { page: origin, models, market } = inject("world");
useBrowser();

const widths = [360, 768, 1280];

/** Pages, each with what tells that it is complete. */
const pages: readonly (readonly [string, string])[] = [
  ["/", "text=3 models"],
  [`/m/${models.text}`, "h2:has-text('Accuracy') ~ figure canvas"],
  [`/m/${models.row}`, "legend:has-text('Your row')"],
  [`/m/${models.picture}`, "svg[role=application]"],
  [`/m/${models.text}/mine`, "text=There is no wallet in this browser."],
  [`/m/${models.text}/report`, "h2:has-text('How a report works')"],
  ["/me", "text=There is no wallet in this browser."],
  ["/markets", "article h2:has-text('test of plants')"],
  [`/markets/${market}`, "h2:has-text('Terms')"],
  [`/m/${models.text}/teach`, "h2:has-text('What you sent')"],
  [`/m/${models.row}/teach`, "legend:has-text('Your row')"],
  [`/m/${models.picture}/teach`, "svg[role=application]"],
  ["/deploy", "h2:has-text('A table of examples')"],
  [`/m/${models.text}/host`, "h2:has-text('Settings') ~ dl"],
  ["/simulate", "h2:has-text('Numbers')"],
  ["/help", "h1:has-text('Help')"],
  ["/help/public", "h1:has-text('Is my text public?')"],
  ["/m/0x12", "h1:has-text('There is no such page')"],
];

describe.each(pages)("%s", (path, complete) => {
  it.each(widths)(
    "is sound at %d px, in light and dark colors",
    async (width) => {
      const view = { scheme: "light", width } as const;
      const { context, page, watch } = await open(origin, view);
      await page.goto(path);
      await page.waitForSelector(complete);
      await expectSound(page, watch);
      // To load it once more in the other colors would take most of the time of all tests.
      await page.emulateMedia({ colorScheme: "dark" });
      await expectSound(page, watch);
      await context.close();
    },
  );

  it("is sound with forced colors and reduced motion, and has room for large text", async () => {
    const { context, page, watch } = await open(
      origin,
      { scheme: "dark", width: 768 },
      { forcedColors: "active", reducedMotion: "reduce" },
    );
    await page.goto(path);
    await page.waitForSelector(complete);
    await expectSound(page, watch);
    const moving = await page.evaluate(
      () =>
        document.getAnimations().filter((one) => one.playState === "running")
          .length,
    );
    expect(moving, "animations in spite of reduced motion").toBe(0);
    await page.evaluate(() => {
      document.documentElement.style.fontSize = "200%";
    });
    const over = await page.evaluate(
      () => document.documentElement.scrollWidth - window.innerWidth,
    );
    expect(over, "width beyond the window").toBeLessThanOrEqual(0);
    await context.close();
  });
});
