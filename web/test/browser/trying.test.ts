import { readFile } from "node:fs/promises";
import type { Page } from "playwright-core";
import { expect, it } from "vitest";
import { open, useBrowser } from "./browser.ts";
import { cotrain, useWorld } from "./world.ts";

const { page: origin, models, state } = await useWorld();
useBrowser();

interface Told {
  class: string;
  score: string;
}

/** Asks the API itself, not by the page. */
async function api(trainer: string, input: object): Promise<Told> {
  const answer = await fetch(`${origin}/v1/models/${trainer}/predict`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(input),
  });
  const { predictions } = (await answer.json()) as {
    predictions: { class: string; score: number }[];
  };
  const [first] = predictions;
  if (!first) throw new Error("no prediction");
  return { class: first.class, score: `${(first.score * 100).toFixed(1)} %` };
}

async function told(page: Page): Promise<Told> {
  return {
    class: await page.locator(".answer .class").innerText(),
    score: await page.locator(".answer .score strong").innerText(),
  };
}

it("answers a text while it is typed, as the API does", async () => {
  const { context, page, watch } = await open(origin);
  await page.goto(`/m/${models.text}`);
  const input = page.getByLabel("Your text");
  const texts = [
    "a warm and funny film",
    "dull, lifeless and too long",
    "The best picture of the year?! NOT.",
    "é İstanbul ﬁlm ΣΑΣ 電影 😀 funny_film",
  ];
  for (const text of texts) {
    await input.fill("");
    await input.pressSequentially(text);
    expect(await told(page)).toEqual(await api(models.text, { text }));
  }
  await input.fill("a warm and funny film");
  expect(await page.locator("li .name").allInnerTexts()).toContain("funny");
  await input.fill("qwertz asdfgh");
  await page.waitForSelector("text=The model knows nothing of this.");
  // Examples fill the input, and each is answered by the class that it is typical of.
  for (const button of await page.locator(".examples button").all()) {
    await button.click();
    const text = await input.inputValue();
    expect(text).toBe(await button.innerText());
    expect(await told(page)).toEqual(await api(models.text, { text }));
  }
  expect(watch.noise).toEqual([]);
  await context.close();
});

it("compares with contract and coordinator on demand", async () => {
  const { context, page, watch } = await open(origin);
  await page.goto(`/m/${models.text}`);
  await page.getByLabel("Your text").fill("a warm and funny film");
  const blocks: unknown[] = [];
  page.on("request", (request) => {
    if (new URL(request.url()).pathname !== "/rpc") return;
    const call = request.postDataJSON() as { params: unknown[] };
    blocks.push(call.params[1]);
  });
  const read = page.waitForResponse(/\/weights$/);
  await page.getByRole("button", { name: "Compare with the contract" }).click();
  await page.waitForSelector("text=The coordinator computes the same class");
  await page.waitForSelector(
    "text=/The contract answers positive at block \\d+, as this page/",
  );
  // The contract is asked after the block of the weights: others may teach meanwhile.
  const block = Number(await (await read).headerValue("x-block-number"));
  expect(blocks).toEqual([`0x${block.toString(16)}`]);
  await page.getByLabel("Your text").fill("dull");
  // What was found holds for the text that was compared, and for no other.
  await expect
    .poll(() => page.locator("text=The contract answers").count())
    .toBe(0);
  expect(watch.noise).toEqual([]);
  await context.close();
});

it("answers a row of numbers, categories and truth values, as the API does", async () => {
  const { context, page, watch } = await open(origin);
  await page.goto(`/m/${models.row}`);
  const first = page.getByLabel("color").locator("option:checked");
  expect(await first.innerText()).toBe("blue");
  for (const [size, color, wild] of [
    [22, "red", true],
    [5, "blue", false],
    [12.5, "green", true],
  ] as const) {
    await page.getByLabel("size").fill(String(size));
    await page.getByLabel("color").selectOption(color);
    await page.getByLabel("wild").selectOption(wild ? "yes" : "no");
    expect(await told(page)).toEqual(
      await api(models.row, { row: { size, color, wild } }),
    );
  }
  // The three colors are features of their own, and one reason together.
  const reasons = await page.locator("li .name").allInnerTexts();
  expect(reasons.sort()).toEqual(["color", "size", "wild"]);
  await page.getByLabel("size").fill("1000000");
  await page.waitForSelector("text=beyond the model’s range");
  await page.getByLabel("size").fill("");
  await page.waitForSelector(".answer .note.warn");
  expect(watch.noise).toEqual([]);
  await context.close();
});

it("answers a drawing, by pointer and by keyboard, as the API does", async () => {
  const { context, page, watch } = await open(origin);
  await page.goto(`/m/${models.picture}`);
  const board = page.getByRole("application", { name: "Draw" });
  await page.getByRole("button", { name: "Clear" }).click();
  const box = await board.boundingBox();
  if (!box) throw new Error("no board");
  const at = (x: number, y: number): [number, number] => [
    box.x + box.width * x,
    box.y + box.height * y,
  ];
  await page.mouse.move(...at(0.55, 0.1));
  await page.mouse.down();
  await page.mouse.move(...at(0.5, 0.5), { steps: 8 });
  await page.mouse.move(...at(0.5, 0.9), { steps: 8 });
  await page.mouse.up();
  await board.press("ArrowRight");
  await board.press("Space");
  const shades = await board
    .locator("rect")
    .evaluateAll((all) =>
      all.map((one) => Number(one.getAttribute("fill-opacity"))),
    );
  expect(shades.filter((shade) => shade > 0).length).toBeGreaterThan(8);
  expect(shades[1]).toBe(1);
  const row = shades.map((shade) => Math.round(shade * 16));
  expect(await told(page)).toEqual(await api(models.picture, { row }));
  expect(watch.noise).toEqual([]);
  await context.close();
});

it("answers a picture from a file, as the API does", async () => {
  const { context, page, watch } = await open(origin);
  await page.goto(`/m/${models.picture}`);
  const file = await readFile("../crates/learning/tests/pictures/colors.png");
  const input = page.getByLabel("Or a picture from a file");
  await input.setInputFiles({
    name: "colors.png",
    mimeType: "image/png",
    buffer: file,
  });
  const picture = `0x${file.toString("hex")}`;
  await expect
    .poll(() => told(page))
    .toEqual(await api(models.picture, { picture }));
  await input.setInputFiles({
    name: "text.png",
    mimeType: "image/png",
    buffer: Buffer.from("no picture"),
  });
  await page.waitForSelector("text=the file is no picture");
  expect(watch.noise).toEqual([]);
  await context.close();
});

it("works by the keyboard alone", async () => {
  const { context, page } = await open(origin);
  await page.goto("/");
  await page.waitForSelector("text=3 models");
  const focused = (): Promise<string> =>
    page.evaluate(() => document.activeElement?.textContent?.trim() ?? "");
  await page.keyboard.press("Tab");
  expect(await focused()).toBe("Skip to the content");
  await page.keyboard.press("Enter");
  for (let tabs = 0; tabs < 12 && (await focused()) !== "films"; tabs += 1) {
    await page.keyboard.press("Tab");
  }
  expect(await focused()).toBe("films");
  await page.keyboard.press("Enter");
  await page.waitForSelector("textarea");
  const isText = (): Promise<boolean> =>
    page.evaluate(() => document.activeElement?.tagName === "TEXTAREA");
  for (let tabs = 0; tabs < 12 && !(await isText()); tabs += 1)
    await page.keyboard.press("Tab");
  await page.keyboard.type("funny");
  expect(await told(page)).toEqual(await api(models.text, { text: "funny" }));
  await context.close();
});

it("shows a contribution as it comes, and predicts with it", async () => {
  const { context, page, watch } = await open(origin);
  const asked = await fetch(`${origin}/v1/models/${models.text}`);
  const { contributions } = (await asked.json()) as { contributions: number };
  await page.goto(`/m/${models.text}`);
  await page.waitForSelector("h2:has-text('Contributions')");
  const text = "a warm and funny film";
  await page.getByLabel("Your text").fill(text);
  const before = await told(page);
  const args = [
    "--model",
    "films",
    "--text",
    text,
    "--label",
    "positive",
    "--dev",
    "1",
    "--yes",
  ];
  await cotrain(state, "contribute", ...args);
  await page.waitForSelector(`text=/^${contributions + 1} contributions?$/`);
  await page.waitForSelector(".words .word:has-text('funny')");
  await expect.poll(() => told(page)).not.toEqual(before);
  expect(await told(page)).toEqual(await api(models.text, { text }));
  expect(await page.getByLabel("Your text").inputValue()).toBe(text);
  expect(watch.noise).toEqual([]);
  await context.close();
});
