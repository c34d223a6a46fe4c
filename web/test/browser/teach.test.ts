import { readFile } from "node:fs/promises";
import type { BrowserContext, Page } from "playwright-core";
import { expect, it } from "vitest";
import { expectSound, open, useBrowser, type Watch } from "./browser.ts";
import { injectWallet, type Controls } from "./wallet.ts";
import { askNode, useWorld } from "./world.ts";

const world = await useWorld();
const { page: origin, models } = world;
const model = models.text;
useBrowser();

/** Contribution as the API has it. */
interface Row {
  position: number;
  label: number;
  author: string;
  sample: string;
  transaction: string;
  submission: string | null;
}

function node(method: string, ...params: unknown[]): Promise<unknown> {
  return askNode(world, method, ...params);
}

async function api<T>(path: string): Promise<T> {
  const response = await fetch(`${origin}/v1/models/${model}${path}`);
  if (!response.ok) throw new Error(`${path}: ${await response.text()}`);
  return (await response.json()) as T;
}

/** Returns the contributions of an account, the oldest first. */
async function contributionsOf(account: string): Promise<Row[]> {
  return (await api<{ rows: Row[] }>(`/contributions?author=${account}`)).rows;
}

/** Opens the page of teaching with a wallet of its own. */
async function teaching(
  devIndex: number,
  width = 1280,
): Promise<{
  context: BrowserContext;
  page: Page;
  watch: Watch;
  wallet: Controls;
}> {
  const opened = await open(origin, { scheme: "light", width });
  const wallet = await injectWallet(opened.context, world, { devIndex });
  await opened.page.goto(`/m/${model}/teach`);
  return { ...opened, wallet };
}

async function connect(page: Page, wallet: Controls): Promise<void> {
  const main = page.locator("main");
  await main.getByRole("button", { name: "Test wallet" }).click();
  await page.waitForSelector(`header >> text=${wallet.address().slice(-4)}`);
}

/** Adds an example to the list. */
async function add(page: Page, text: string, name: string): Promise<void> {
  await page.getByLabel("Your text").fill(text);
  await page.getByRole("radio", { name }).check();
  await page.getByRole("button", { name: "Add to the list" }).click();
  await list(page).getByText(text).waitFor();
}

function button(page: Page, name: string | RegExp) {
  return page.getByRole("button", { name });
}

const list = (page: Page) => page.locator("section:has(> .ends > #queue) li");

it("teaches by the keyboard alone, live in another page", async () => {
  const { context, page, watch, wallet } = await teaching(4);
  const other = await context.newPage();
  await other.goto(`/m/${model}`);
  await other.waitForSelector("h2:has-text('Contributions')");
  await page.bringToFront();
  const focused = (): Promise<string> =>
    page.evaluate(() => {
      const { activeElement: at } = document;
      return at instanceof HTMLInputElement
        ? `${at.type} ${at.value}`
        : at instanceof HTMLTextAreaElement
          ? "text"
          : (at?.textContent?.trim() ?? "");
    });
  const tabTo = async (what: string): Promise<void> => {
    for (let tabs = 0; tabs < 40; tabs += 1) {
      if ((await focused()).startsWith(what)) return;
      await page.keyboard.press("Tab");
    }
    throw new Error(`the tab key never comes to ${what}`);
  };
  await page.waitForSelector("textarea");
  await tabTo("text");
  await page.keyboard.type("a warm and touching comedy, 1 of 2?");
  await page.keyboard.press("Enter");
  expect(await focused()).toBe("radio 0");
  await page.keyboard.press("2");
  expect(await focused()).toBe("radio 1");
  await page.keyboard.press("Enter");
  expect(await focused()).toBe("text");
  expect(await page.getByLabel("Your text").inputValue()).toBe("");
  await page.waitForSelector("text=Added as example 1.");
  // The last one comes back, and is added again.
  await page.keyboard.press("ArrowUp");
  await expect.poll(() => list(page).count()).toBe(0);
  expect(await page.getByLabel("Your text").inputValue()).toContain("1 of 2?");
  await page.keyboard.press("Enter");
  expect(await focused()).toBe("radio 1");
  await page.keyboard.press("Enter");
  await expect.poll(() => list(page).count()).toBe(1);
  await tabTo("Keys");
  await page.keyboard.press("?");
  await page.waitForSelector("dialog >> text=choose a class");
  await page.keyboard.press("Escape");
  expect(await focused()).toBe("Keys");

  await tabTo("Test wallet");
  await page.keyboard.press("Enter");
  await page.waitForSelector(`header >> text=${wallet.address().slice(-4)}`);
  await page.waitForSelector("text=Network’s fee, about 0");
  await tabTo("Teach 1 example");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#sent ~ * >> text=Done, in block");
  expect(await focused()).toBe("What you sent");
  await page.waitForSelector("text=What happens next");
  await page.waitForSelector("text=Nothing is in the list yet.");
  const [made] = await contributionsOf(wallet.address());
  expect(made?.label).toBe(1);
  await other.waitForSelector(".words .word:has-text('touching')");
  expect(watch.noise).toEqual([]);
  await context.close();
});

it("works without its keys once they are switched off", async () => {
  const { context, page } = await open(origin);
  await page.goto(`/m/${model}/teach`);
  await button(page, "Keys").click();
  await page.getByLabel("Use these keys").uncheck();
  await button(page, "Close").click();
  await page.keyboard.press("2");
  await page.keyboard.press("?");
  expect(await page.locator("dialog[open]").count()).toBe(0);
  expect(await page.getByRole("radio", { checked: true }).count()).toBe(1);
  await page.getByLabel("Your text").fill("dull");
  await page.keyboard.press("Enter");
  expect(await page.getByLabel("Your text").inputValue()).toBe("dull\n");
  await page.reload();
  await page.waitForSelector("textarea");
  expect(await page.locator("kbd:visible").count()).toBe(0);
  await context.close();
});

it("keeps the list over a rejection and a reload, and the original at last", async () => {
  const { context, page, watch, wallet } = await teaching(5, 360);
  await add(page, "a tedious and hollow thriller", "negative");
  await add(page, "qzx vbn", "negative");
  await page.waitForSelector("text=The model knows nothing of this. It would");
  await page.locator("summary:has-text('Add several lines')").click();
  await page
    .getByLabel("Lines")
    .fill(
      'class,text\nnegative,A tedious and HOLLOW thriller!\npositive,"clever, moving"\nneutral,x\n',
    );
  await button(page, "Add the lines").click();
  await page.waitForSelector("text=2 examples added to the list.");
  await page.waitForSelector("text=Line 4: “neutral” is no class");
  await page.waitForSelector("text=The same as example 1 of the list.");
  await page.waitForSelector("text=4 examples, of which 2 will be sent");
  await connect(page, wallet);
  wallet.reject({ isNested: true });
  await button(page, "Teach 2 examples").click();
  await page.waitForSelector("text=You declined in the wallet.");
  await expectSound(page, watch);
  expect(await list(page).count()).toBe(4);
  await page.reload();
  await page.waitForSelector("text=4 examples, of which 2 will be sent");
  await button(page, "Teach 2 examples").click();
  await page.waitForSelector("text=What happens next");
  expect(await list(page).count()).toBe(2);
  const made = await contributionsOf(wallet.address());
  expect(made.map(({ label }) => label)).toEqual([0, 1]);
  // What is still there was taught just now, so it is held back.
  await page.waitForSelector("text=You taught this before, as contribution");
  await page
    .locator("summary:has-text('Your originals (2 originals)')")
    .click();
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    button(page, "Export as a file").click(),
  ]);
  const file = JSON.parse(await readFile(await download.path(), "utf8")) as {
    originals: { by: string; given: { text: string }; sample: string }[];
  };
  expect(file.originals).toMatchObject(
    ["a tedious and hollow thriller", "clever, moving"].map((text, at) => ({
      given: { text },
      by: made[at]?.transaction,
      sample: made[at]?.sample,
    })),
  );
  await page.waitForSelector("text=Done, in block");
  expect(watch.noise).toEqual([]);
  await context.close();
});

it("signs, is relayed without gas, and withdraws the rest", async () => {
  const { context, page, watch, wallet } = await teaching(3);
  await add(page, "an inventive and gripping story", "positive");
  await connect(page, wallet);
  await page.getByRole("radio", { name: /By a signature/ }).check();
  await page.waitForSelector("text=Your balance lacks");
  expect(await button(page, "Review and sign").isDisabled()).toBe(true);
  await page.getByLabel("Amount to put in").fill("0.05");
  await button(page, "Top up").click();
  await page.waitForSelector("dd:has-text('0.05 ether')");
  const before = await node(
    "eth_getTransactionCount",
    wallet.address(),
    "latest",
  );

  await page.getByLabel("At most for each example").fill("0.0036");
  await button(page, "Review and sign").click();
  const review = page.getByRole("dialog");
  const said = await review.innerText();
  expect(said).toContain("an inventive and gripping story");
  expect(said).toContain("3600000000000000 wei");
  expect(said).toContain("send number 0");
  const id = await review.locator("code.bytes").last().innerText();
  // The balance came by a transaction, which moved what is below it.
  await page.evaluate(() =>
    Reflect.set(Reflect.get(window, "shifts") as object, "sum", 0),
  );
  await expectSound(page, watch);
  wallet.reject();
  await button(page, "Sign in the wallet").click();
  await page.waitForSelector("dialog >> text=You declined in the wallet.");

  // The coordinator is busy at first: the same signature is submitted again.
  let answer: { status: number; kind: string; fields: object } | undefined = {
    status: 429,
    kind: "rate-limited",
    fields: {},
  };
  await page.route("**/submissions", async (route) => {
    if (!answer) return route.continue();
    const { status, kind, fields } = answer;
    const type = `/problems/${kind}`;
    await route.fulfill({
      status,
      headers: { "retry-after": "7" },
      contentType: "application/problem+json",
      body: JSON.stringify({ type, status, detail: kind, ...fields }),
    });
  });
  await button(page, "Sign in the wallet").click();
  await page.waitForSelector("dialog >> text=try again in 7 seconds");
  const signed = (): number =>
    wallet.requests().filter(({ method }) => method === "eth_signTypedData_v4")
      .length;
  expect(signed()).toBe(2);
  answer = {
    status: 409,
    kind: "nonce-taken",
    fields: { nonce: 0, nextNonce: 1 },
  };
  await button(page, "Sign in the wallet").click();
  await page.waitForSelector("dialog >> text=waits with the same number");
  expect(signed()).toBe(2);
  await page.waitForSelector("dialog >> text=send number 1");
  const renewed = await review.locator("code.bytes").last().innerText();
  expect(renewed).not.toBe(id);
  answer = undefined;
  await button(page, "Sign in the wallet").click();
  await page.waitForSelector("#sent ~ * >> text=Done, in block");
  expect(signed()).toBe(3);
  await page.waitForSelector("text=What happens next");
  const [made] = await contributionsOf(wallet.address());
  expect(made).toMatchObject({ label: 1, submission: renewed });
  // It cost no transaction of the author.
  expect(
    await node("eth_getTransactionCount", wallet.address(), "latest"),
  ).toBe(before);
  await page.reload();
  await page.waitForSelector("#sent ~ * >> text=1 example by signature");

  await button(page, "Withdraw all that is free").click();
  await page.waitForSelector("#balance ~ * >> text=Withdraw the balance");
  await page.waitForSelector("dd:has-text('0 ether') >> nth=1");
  await expect
    .poll(async () => {
      const { balance } = await api<{ balance: string }>(
        `/accounts/${wallet.address()}`,
      );
      return balance;
    })
    .toBe("0");
  const errors = watch.noise.filter((line) => !/ 4(29|09) /.test(line));
  expect(errors).toEqual([]);
  await context.close();
});

it("lets the coordinator claim", async () => {
  const { context, page, wallet } = await teaching(3);
  await connect(page, wallet);
  await button(page, "Allow it for 30 days").click();
  await page.waitForSelector("text=It claims for you until");
  const { until } = await api<{ until: number }>(
    `/delegations/${wallet.address()}`,
  );
  expect(until).toBeGreaterThan(29 * 86_400);
  await page.reload();
  await page.waitForSelector("text=It claims for you until");
  await context.close();
});

it("tells that the chain took back what was taught, and that it came again", async () => {
  const { context, page, wallet } = await teaching(5);
  await add(page, "a lifeless sequel with stilted dialogue", "negative");
  await connect(page, wallet);
  // On the other branch the deposit may be higher.
  await page.getByLabel("At most for each example").fill("0.0036");
  await button(page, "Teach 1 example").click();
  await page.waitForSelector("text=What happens next");
  const made = await contributionsOf(wallet.address());
  const hash = made.at(-1)?.transaction;
  const raw = await node("debug_getRawTransaction", hash);
  // The keeper may have sent something since.
  const receipt = await node("eth_getTransactionReceipt", hash);
  const { blockNumber } = receipt as { blockNumber: string };
  const head = Number(await node("eth_blockNumber"));
  await node("anvil_reorg", head - Number(blockNumber) + 1, []);
  await page.waitForSelector("text=The chain took back the block");
  await expect.poll(() => page.getByText("What happens next").count()).toBe(0);
  await node("eth_sendRawTransaction", raw);
  await page.waitForSelector("text=Done, in block");
  await page.waitForSelector("text=What happens next");
  const again = await contributionsOf(wallet.address());
  expect(again).toHaveLength(made.length);
  await context.close();
});

it("tames the names of classes that strangers wrote", async () => {
  const { context, page, watch } = await open(origin, {
    scheme: "dark",
    width: 360,
  });
  const classNames = ["\u2067</span><b>bold", `1\n${"W".repeat(50_000)}`];
  await page.route(new RegExp(`/v1/models/${model}$`, "i"), async (route) => {
    const response = await route.fetch();
    const json = { ...((await response.json()) as object), classNames };
    await route.fulfill({ response, json });
  });
  await page.goto(`/m/${model}/teach`);
  await page.getByLabel("Your text").fill("a warm and funny film");
  await page.getByRole("radio").first().check();
  await button(page, "Add to the list").click();
  await expect.poll(() => list(page).count()).toBe(1);
  const text = await page.locator("main").innerText();
  expect(text).toContain("\\u{2067}</span><b>bold");
  expect(text.length).toBeLessThan(8_000);
  expect(await page.locator("main b").count()).toBe(0);
  await page.locator("summary:has-text('Add several lines')").click();
  await expectSound(page, watch);
  await context.close();
});
