import { describe, inject, it } from "vitest";
import { expectSound, open, useBrowser, type View } from "./browser.ts";

const { page: origin, models, market } = inject("world");
useBrowser();

const views: View[] = (["light", "dark"] as const).flatMap((scheme) =>
  [360, 768, 1280].map((width) => ({ scheme, width })),
);

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
  it.each(views)("is sound in $scheme colors at $width px", async (view) => {
    const { context, page, watch } = await open(origin, view);
    await page.goto(path);
    await page.waitForSelector(complete);
    await expectSound(page, watch);
    await context.close();
  });
});

it("is sound with forced colors and reduced motion", async () => {
  const options = { forcedColors: "active", reducedMotion: "reduce" } as const;
  const { context, page, watch } = await open(
    origin,
    { scheme: "dark", width: 768 },
    options,
  );
  await page.goto(`/m/${models.text}`);
  await page.waitForSelector("textarea");
  await expectSound(page, watch);
  await context.close();
});

it("has room for text of twice the size", async () => {
  const { context, page, watch } = await open(origin, {
    scheme: "light",
    width: 768,
  });
  for (const path of ["/", `/m/${models.text}`]) {
    await page.goto(path);
    await page.evaluate(() => {
      document.documentElement.style.fontSize = "200%";
    });
    await page.waitForSelector("h2");
    await expectSound(page, watch).catch((error: unknown) => {
      // The change itself moves the layout.
      if (!String(error).includes("layout shifts")) throw error;
    });
  }
  await context.close();
});
