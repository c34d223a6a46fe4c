import { readFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { expect, it } from "vitest";
import { expectSound, open, useBrowser } from "./browser.ts";
import { injectWallet } from "./wallet.ts";
import { askNode, serve, useWorld } from "./world.ts";

const world = await useWorld();
useBrowser();

const artifact = JSON.parse(
  readFileSync("../contracts/artifacts/Erc3009Token.json", "utf8"),
) as { bytecode: string };

/** Account that deploys and mints. */
const [minter] = (await askNode<string[]>(world, "eth_accounts")) as [string];
/** Topic of transfers of tokens. */
const TRANSFER =
  "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef";

/** Amount that the payer has at first, in the smallest unit. */
const MINTED = 5_000_000n;

const word = (value: bigint | string): string =>
  BigInt(value).toString(16).padStart(64, "0");

/** Sends a transaction of the minter. Returns its receipt. */
async function sent(
  transaction: object,
): Promise<{ contractAddress: string; status: string }> {
  const hash = await askNode(world, "eth_sendTransaction", {
    from: minter,
    gas: "0x4c4b40",
    ...transaction,
  });
  for (;;) {
    const receipt = await askNode<{
      contractAddress: string;
      status: string;
    } | null>(world, "eth_getTransactionReceipt", hash);
    if (receipt) return receipt;
    await new Promise((done) => setTimeout(done, 50));
  }
}

async function balance(token: string, account: string): Promise<bigint> {
  const data = `0x70a08231${word(account)}`;
  return BigInt(
    await askNode(world, "eth_call", { to: token, data }, "latest"),
  );
}

/** Returns the number of transfers of a token from an account. */
async function transfers(token: string, account: string): Promise<number> {
  const topics = [TRANSFER, `0x${word(account)}`];
  const filter = { address: token, topics, fromBlock: "0x0" };
  return (await askNode<unknown[]>(world, "eth_getLogs", filter)).length;
}

const figure = async (page: Page, name: string): Promise<number> =>
  Number(
    (await page.locator(`dt:has-text("${name}") + dd`).innerText())
      .replaceAll(",", "")
      .split(" ")[0],
  );

const rowTitle = "h2#row:has-text('Row ')";

it("buys units by the wallet, tops them up, and gets the rest back", async () => {
  const { contractAddress: token } = await sent({ data: artifact.bytecode });
  const {
    page: origin,
    restart,
    end,
  } = await serve(world, {
    "labels.enabled": "true",
    "x402.development": "9",
    "x402.final_after": "1",
    "x402.min_purchase": "100",
    "x402.assets": `["${token}; Test Dollar; 1; 6; 2000/1000; 100"]`,
  });
  const { context, page, watch } = await open(origin);
  const wallet = await injectWallet(context, world, {
    devIndex: 6,
    name: "One",
  });
  const payer = wallet.address();
  await sent({
    to: token,
    data: `0x40c10f19${word(payer)}${word(MINTED)}`,
  });

  await page.goto("/label");
  await page
    .getByText("The units are bought when the session is opened")
    .waitFor();
  await page.getByLabel("Which rows to ask for").selectOption("margin");
  await page.getByText(/enough for about/).waitFor();
  const bound = page.getByLabel("Spend at most, in units");
  await bound.fill("1");
  const little = await page.getByText("too little to begin").innerText();
  const least = Number(/: ([\d,]+) units/.exec(little)?.[1]?.replace(",", ""));
  const units = least + 100;
  // Two of the smallest unit buy a unit of work.
  const price = (2 * units) / 1_000_000;
  await bound.fill(String(units));
  await page.getByText(`units cost ${price} Test Dollar.`).waitFor();
  await page.getByRole("button", { name: "Open the session" }).click();
  const main = page.locator("main");
  await main.getByText(/^Pay for [\d,]+ units\.$/).waitFor();
  await main.getByText(`${price} Test Dollar`).first().waitFor();
  await main.getByText(`${2 * units} of the smallest unit`).waitFor();
  await main.getByRole("button", { name: "One", exact: true }).click();
  const sign = main.getByRole("button", {
    name: `Sign and pay ${price} Test Dollar`,
  });
  await sign.click();
  await page.locator(rowTitle).waitFor({ timeout: 60_000 });
  expect(await balance(token, payer)).toBe(MINTED - BigInt(2 * units));
  expect(await transfers(token, payer)).toBe(1);
  expect(
    (await figure(page, "Units spent")) + (await figure(page, "Units left")),
  ).toBe(units);

  // The next units are bought for the same session.
  const spent = page.getByText("The units are spent");
  for (let at = 0; at < 120; at += 1) {
    const ready = page.locator(rowTitle).or(spent);
    await ready.first().waitFor();
    if ((await spent.count()) > 0) break;
    await page.keyboard.press(String(at % 10));
    await page.waitForTimeout(40);
  }
  await spent.waitFor();
  const before = await figure(page, "Units spent");
  await main.getByLabel("Units to buy").fill("5000");
  await main.getByRole("button", { name: "Buy units" }).click();
  await main.getByText("Pay for 5,000 units.").waitFor();
  await main.getByRole("button", { name: /^Sign and pay 0.01 / }).click();
  await expect.poll(() => spent.count(), { timeout: 60_000 }).toBe(0);
  await expect.poll(() => figure(page, "Units spent")).toBeGreaterThan(before);
  const rest = MINTED - BigInt(2 * (units + 5_000));
  expect(await balance(token, payer)).toBe(rest);
  expect(await transfers(token, payer)).toBe(2);
  await page.reload();
  await page.locator(rowTitle).waitFor();
  expect(await transfers(token, payer)).toBe(2);
  watch.noise.length = 0;
  await expectSound(page, watch);

  // The units outlast the coordinator: the next session needs no payment.
  await restart();
  for (let at = 0; at < 8; at += 1) {
    if ((await page.getByText("The session has ended").count()) > 0) break;
    await page.keyboard.press("3");
    await page.waitForTimeout(300);
  }
  await page.getByText(/units that you have bought stay yours/).waitFor();
  const used = await figure(page, "Units spent");
  await page
    .getByRole("button", { name: "Open a new session with my labels" })
    .click();
  await expect
    .poll(() => page.getByText("The session has ended").count())
    .toBe(0);
  await expect.poll(() => figure(page, "Units spent")).toBeGreaterThan(used);
  expect(await transfers(token, payer)).toBe(2);

  // What is left goes back, less the host's fee.
  await page.getByRole("button", { name: "End and get the model" }).click();
  const close = page.getByRole("button", { name: "Close the session" });
  await expect.poll(() => close.isEnabled()).toBe(true);
  const left = await figure(page, "Units left");
  await close.click();
  await page.getByText("The session is closed.").waitFor();
  // A payment goes back once its block is final.
  await askNode(world, "anvil_mine", "0x2");
  await expect
    .poll(() => balance(token, payer), { timeout: 30_000 })
    .toBe(rest + BigInt(2 * left - 100));
  await context.close();
  await end();
});
