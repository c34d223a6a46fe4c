import type { World } from "./world.ts";

/** Returns the paths of all pages, each with what tells that it is complete. */
export function pagesOf({
  models,
  market,
}: Pick<World, "models" | "market">): (readonly [string, string])[] {
  return [
    ["/", "text=3 models"],
    [`/m/${models.text}`, "h2:has-text('Accuracy') ~ figure canvas"],
    [`/m/${models.row}`, "legend:has-text('Your row')"],
    [`/m/${models.picture}`, "svg[role=application]"],
    [`/m/${models.text}/mine`, "text=There is no wallet in this browser."],
    [`/m/${models.text}/report`, "h2:has-text('How a report works')"],
    ["/me", "text=There is no wallet in this browser."],
    ["/markets", "article h2:has-text('test of plants')"],
    [`/markets/${market}`, "h2:has-text('Terms')"],
    ["/rounds", "h2:has-text('Go to a trainer')"],
    [`/m/${models.text}/teach`, "h2:has-text('What you sent')"],
    [`/m/${models.row}/teach`, "legend:has-text('Your row')"],
    [`/m/${models.picture}/teach`, "svg[role=application]"],
    ["/deploy", "h2:has-text('A table of examples')"],
    [`/m/${models.text}/host`, "h2:has-text('Settings') ~ dl"],
    ["/label", "text=/enough for about .* labels/"],
    ["/simulate", "h2:has-text('Numbers')"],
    ["/help", "h1:has-text('Help')"],
    ["/help/public", "h1:has-text('Is my text public?')"],
    ["/m/0x12", "h1:has-text('There is no such page')"],
  ];
}
