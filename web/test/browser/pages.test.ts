import { describe, expect, it } from "vitest";
import { expectSound, open, useBrowser } from "./browser.ts";
import { pagesOf } from "./pages.ts";
import { useWorld } from "./world.ts";

const world = await useWorld();
const { page: origin } = world;
useBrowser();

const widths = [360, 768, 1280];

describe.each(pagesOf(world))("%s", (path, complete) => {
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
