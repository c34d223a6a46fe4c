import type { Page } from "playwright-core";
import { expect, it } from "vitest";
import { exactEther, shortEther } from "../../src/text/money.ts";
import { expectSound, open, useBrowser, type Watch } from "./browser.ts";
import { injectWallet } from "./wallet.ts";
import { askNode, cotrain, useWorld } from "./world.ts";

const world = await useWorld();
const { page: origin, models, state } = world;
/** Nobody else contributes to it, and its waits are those of real models. */
const model = models.picture;
const DAY = 86_400;
useBrowser();

/** Contribution as the API has it. */
interface Row {
  position: number;
  label: number;
  deposit: string;
  taken: string;
  settled: string;
  sample: string;
}

function node<T>(method: string, ...params: unknown[]): Promise<T> {
  return askNode<T>(world, method, ...params);
}

async function api<T>(path: string, body?: unknown): Promise<T> {
  const url = `${origin}/v1/models/${model}${path}`;
  const response = await fetch(url, {
    method: body === undefined ? "GET" : "POST",
    headers: { "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`${path}: ${await response.text()}`);
  return (await response.json()) as T;
}

/** Lets the chain's time pass, in seconds. */
async function pass(seconds: number): Promise<void> {
  await node("evm_increaseTime", seconds);
  await node("evm_mine");
}

const balance = async (account: string): Promise<bigint> =>
  BigInt(await node<string>("eth_getBalance", account, "latest"));

/** Returns what an account spent on the gas of its last transaction, in wei. */
async function gasOf(hash: string): Promise<bigint> {
  const receipt = await node<{ gasUsed: string; effectiveGasPrice: string }>(
    "eth_getTransactionReceipt",
    hash,
  );
  return BigInt(receipt.gasUsed) * BigInt(receipt.effectiveGasPrice);
}

/** Returns the contributions of an account, once the coordinator has heard of so many. */
async function contributionsOf(account: string, count: number): Promise<Row[]> {
  const read = async (): Promise<Row[]> =>
    (await api<{ rows: Row[] }>(`/contributions?author=${account}`)).rows;
  await expect.poll(async () => (await read()).length).toBe(count);
  return read();
}

/** Returns what the model says of contributions now. */
async function said(rows: readonly Row[]): Promise<number[]> {
  const inputs = rows.map(({ sample }) => ({ sample }));
  const { predictions } = await api<{ predictions: { label: number }[] }>(
    "/predict",
    inputs,
  );
  return predictions.map(({ label }) => label);
}

async function contribute(dev: number, ...args: string[]): Promise<void> {
  const common = ["--model", "digits", "--dev", String(dev), "--yes"];
  await cotrain(state, "contribute", ...args, ...common);
}

async function connect(page: Page): Promise<void> {
  await page
    .locator("main")
    .getByRole("button", { name: "Test wallet" })
    .click();
}

/** Checks a page that has just changed by what was sent: that moves what is in it. */
async function expectSoundAgain(page: Page, watch: Watch): Promise<void> {
  await page.evaluate(() =>
    Object.assign(Reflect.get(window, "shifts"), { sum: 0 }),
  );
  await expectSound(page, watch);
}

/** Amount of a sum by its title. */
function sum(page: Page, title: string) {
  return page.locator(`dl div:has(> dt:text-is("${title}")) .sum`);
}

it("takes deposits back in one transaction, and then a share of a lie", async () => {
  const { context, page, watch } = await open(origin);
  const wallet = await injectWallet(context, world, { devIndex: 8 });
  const liar = (await node<string[]>("eth_accounts"))[9] ?? "";
  await contribute(8, "--data", "digits", "--skip", "200", "--limit", "4");
  await contribute(8, "--data", "digits", "--skip", "300", "--limit", "1");
  // A lie: a digit that the model knows well, as one that it does not look like.
  const shown = await contributionsOf(wallet.address(), 5);
  const honest = await said(shown);
  expect(shown.map(({ label }) => label)).toEqual(honest);
  const [first] = shown;
  const other = String(((first?.label ?? 0) + 5) % 10);
  await contribute(9, "--sample", first?.sample ?? "", "--label", other);

  await page.goto(`/m/${model}/mine`);
  await page.waitForSelector("text=This needs a wallet. Connect one");
  await connect(page);
  const total = shown.reduce((all, { deposit }) => all + BigInt(deposit), 0n);
  await expect
    .poll(() => sum(page, "Waiting").innerText())
    .toBe(`${shortEther(total)} ether`);
  await page.waitForSelector("text=the model agrees with 5 now");
  expect(await sum(page, "Back now").innerText()).toBe("0 ether");
  expect(await page.getByRole("button", { name: /^Take/ }).count()).toBe(0);

  // The page hears of the chain's time by itself.
  await pass(DAY + 1);
  const take = page.getByRole("button", { name: /^Take 5 deposits back/ });
  await take.waitFor({ timeout: 15_000 });
  expect(await sum(page, "Back now").innerText()).toBe(
    `${shortEther(total)} ether`,
  );

  // Declining leads one step back.
  await take.click();
  const send = page.getByRole("button", { name: "Send by the wallet" });
  await send.waitFor();
  const brings = page.locator("dialog dd data").first();
  expect(await brings.getAttribute("value")).toBe(String(total));
  await expectSound(page, watch);
  wallet.reject();
  await send.click();
  await page.waitForSelector("dialog >> text=You declined in the wallet.");
  const before = await balance(wallet.address());
  await send.click();
  await page.waitForSelector("dialog >> text=5 contributions taken back.");
  await page.waitForSelector(
    `dialog >> text=The contract paid ${shortEther(total)} ether.`,
  );
  const block = await node<{ transactions: { hash: string; from: string }[] }>(
    "eth_getBlockByNumber",
    "latest",
    true,
  );
  const [transaction] = block.transactions;
  expect(transaction?.from).toBe(wallet.address());
  const gas = await gasOf(transaction?.hash ?? "");
  expect(await balance(wallet.address())).toBe(before + total - gas);
  const sent = wallet
    .requests()
    .filter(({ method }) => method === "eth_sendTransaction");
  expect(sent.length).toBe(2);

  // The figures are new once the coordinator has heard of it, and the focus is in the page.
  await page.keyboard.press("Escape");
  await expect.poll(() => page.locator("dialog[open]").count()).toBe(0);
  await expect.poll(() => sum(page, "Back now").innerText()).toBe("0 ether");
  await page.getByRole("button", { name: "Show what is settled" }).click();
  await expect
    .poll(() => page.locator(".settled .badge").allInnerTexts())
    .toEqual(Array<string>(5).fill("taken back"));
  await page.locator(".settled summary").first().click();
  await page.waitForSelector(`.settled li:has-text("took") data`);
  await expectSoundAgain(page, watch);

  // Now that own contributions count as good, the lie can be reported.
  await page.getByRole("link", { name: "Report", exact: true }).click();
  await page.waitForSelector("text=5 of 5 good contributions");
  const lie = (await contributionsOf(liar, 1))[0];
  const deposit = BigInt(lie?.deposit ?? "0");
  const report = page.getByRole("button", { name: "Report 1", exact: true });
  await report.waitFor();
  await expect.poll(() => report.isEnabled()).toBe(true);
  expect(await sum(page, "To report now").innerText()).toBe(
    `${shortEther(deposit)} ether`,
  );
  await expectSoundAgain(page, watch);
  const richer = await balance(wallet.address());
  await report.click();
  await send.click();
  await page.waitForSelector("dialog >> text=1 contribution reported.");
  const [share] = (
    await node<{ transactions: { hash: string }[] }>(
      "eth_getBlockByNumber",
      "latest",
      true,
    )
  ).transactions;
  const cost = await gasOf(share?.hash ?? "");
  expect(await balance(wallet.address())).toBe(richer + deposit - cost);
  await page.keyboard.press("Escape");
  await page.waitForSelector("text=There is nothing to report");
  expect(watch.noise).toEqual([]);

  // Without a wallet, the liar's account tells who took it.
  await page.getByRole("link", { name: "Mine", exact: true }).last().click();
  await page.waitForSelector("text=What this account has taught the model");
  await page.getByText("Look at another address").click();
  const address = page.getByLabel("Address of an account");
  await address.fill(liar);
  await address.press("Enter");
  await page.waitForSelector("text=You look at the account");
  await page.getByRole("button", { name: "Show what is settled" }).click();
  await page.waitForSelector("text=taken by others");
  await page.locator(".settled summary").first().click();
  await page.waitForSelector(`text=by a report`);
  await page.waitForSelector(`[title^="${exactEther(deposit)} ether"]`);
  await context.close();
});

it("follows the account of the wallet, and sends nothing for another one", async () => {
  const { context, page, watch } = await open(origin, {
    scheme: "dark",
    width: 360,
  });
  const wallet = await injectWallet(context, world, { devIndex: 7 });
  await contribute(7, "--data", "digits", "--skip", "400", "--limit", "2");
  const [own] = await contributionsOf(wallet.address(), 2);
  const other = String(((own?.label ?? 0) + 5) % 10);
  await contribute(7, "--sample", own?.sample ?? "", "--label", other);
  await pass(DAY + 1);
  await page.goto("/me");
  await connect(page);
  const take = page.getByRole("button", { name: /^Take 2 deposits back/ });
  await take.click({ timeout: 15_000 });
  await page.waitForSelector("dialog >> text=Fee of the network");
  await wallet.switchAccount({ devIndex: 6 });
  await page.waitForSelector("text=Your wallet has another account now");
  const sends = (): number =>
    wallet.requests().filter(({ method }) => method === "eth_sendTransaction")
      .length;
  expect(
    await page.getByRole("button", { name: "Send by the wallet" }).count(),
  ).toBe(0);
  await page.getByRole("button", { name: "Close" }).click();
  await page.waitForSelector(
    "text=This account has taught none of the models here.",
  );

  // Who has nothing good yet learns how to report.
  await page.goto(`/m/${model}/report`);
  await page.waitForSelector(
    "text=First, a contribution of your own must count as good",
  );
  await wallet.switchAccount({ devIndex: 7 });
  await page.waitForSelector(
    "text=You have 2 contributions that you can take back now.",
  );
  await page.getByRole("link", { name: "Go to what you taught" }).click();
  await take.click();
  await page.getByRole("button", { name: "Send by the wallet" }).click();
  await page.waitForSelector("dialog >> text=2 contributions taken back.");
  expect(sends()).toBe(1);
  await page.getByRole("button", { name: "Close" }).click();

  // What the model does not agree with is at risk, until anyone can take what is left.
  await page.waitForSelector(".badge:has-text('at risk')");
  await page.waitForSelector("text=Until then others who taught well can take");
  await pass(9 * DAY);
  const rest = page.getByRole("button", { name: /^Take what is left of 1/ });
  await rest.click({ timeout: 15_000 });
  await page.getByRole("button", { name: "Send by the wallet" }).click();
  await page.waitForSelector(
    "dialog >> text=What was left of 1 contribution taken.",
  );
  await page.getByRole("button", { name: "Close" }).click();
  await page.waitForSelector("text=Nothing of this account is open any more.");
  // A page that begins with a wallet does not jump.
  await page.reload();
  await page.waitForSelector("text=Nothing of this account is open any more.");
  await expectSound(page, watch);
  await context.close();
});

it("shows an address without a wallet, or says why not", async () => {
  const { context, page, watch } = await open(origin);
  await page.goto("/me");
  const address = page.getByLabel("Address of an account");
  await address.fill("0x12");
  await address.press("Enter");
  await page.waitForSelector("text=An address is 0x and 40 digits");
  await address.fill(`0x${"1".repeat(40)}`);
  await address.press("Enter");
  await page.waitForSelector(
    "text=This account has taught none of the models here.",
  );
  await page.getByRole("button", { name: "Look at your own account" }).click();
  await page.waitForSelector("text=There is no wallet in this browser.");
  expect(watch.noise).toEqual([]);
  await context.close();
});
