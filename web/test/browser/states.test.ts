import type { Page } from "playwright-core";
import { afterEach, expect, it } from "vitest";
import { expectRoom, open, useBrowser } from "./browser.ts";
import { injectWallet } from "./wallet.ts";
import { askNode, useWorld } from "./world.ts";

const world = await useWorld();
const { page: origin, models } = world;
const path = `/m/${models.text}/teach`;
useBrowser();
afterEach(() => askNode(world, "evm_setAutomine", true));

const widths = [360, 768] as const;

/** Checks a state on the page, and in the dialog of the wallet. */
async function expectRoomInBoth(page: Page, state: string): Promise<void> {
  await expectRoom(page, state);
  await page.locator("header").getByRole("button").click();
  await page.locator("dialog[open] h2").waitFor();
  await expectRoom(page, `${state}, in the dialog`);
  await page.getByRole("button", { name: "Close" }).click();
  await expect.poll(() => page.locator("dialog[open]").count()).toBe(0);
}

it.each(widths)(
  "has room for text of 200 % without a wallet at %d px",
  async (width) => {
    const view = { scheme: "light", width, textSize: 200 } as const;
    const { context, page } = await open(origin, view);
    await page.goto(path);
    await page.waitForSelector(
      "main >> text=There is no wallet in this browser.",
    );
    await expectRoomInBoth(page, "no wallet");
    await context.close();
  },
);

it.each(widths)(
  "has room for text of 200 % in each state of a wallet at %d px",
  async (width) => {
    const view = { scheme: "light", width, textSize: 200 } as const;
    const { context, page, watch } = await open(origin, view);
    const one = { devIndex: 6, name: "One", knowsChain: false } as const;
    const wallet = await injectWallet(context, world, one);
    await injectWallet(context, world, { devIndex: 7, name: "W".repeat(200) });
    await page.goto(path);
    const main = page.locator("main");
    const choice = main.getByRole("button", { name: "One", exact: true });
    await choice.waitFor();
    await expectRoomInBoth(page, "several wallets");

    wallet.reject();
    const release = wallet.hold();
    await choice.click();
    await main.getByText("Confirm in your wallet…").waitFor();
    await expectRoomInBoth(page, "asked");
    release();
    await main.getByText("You declined in the wallet.").waitFor();
    await expectRoom(page, "declined");
    wallet.busy(true);
    await choice.click();
    await main.getByText("A request already waits in your wallet.").waitFor();
    await expectRoom(page, "busy");
    wallet.busy(false);

    await choice.click();
    await main.getByRole("heading", { name: "Send" }).waitFor();
    await expectRoomInBoth(page, "connected");
    await wallet.lock();
    await main.getByText("One is locked").waitFor();
    await expectRoomInBoth(page, "locked");
    await wallet.unlock();
    await wallet.switchChain(1);
    await main.getByText("Your wallet is on another network").waitFor();
    await expectRoomInBoth(page, "wrong network");
    await main.getByRole("button", { name: "Switch the network" }).click();
    const node = main.getByLabel("Address of a node");
    await node.fill(`http://127.0.0.1:${world.ports.node}`);
    await expectRoom(page, "unknown network");
    await main.getByRole("button", { name: "Add the network" }).click();

    await askNode(world, "evm_setAutomine", false);
    await main.getByRole("radio", { name: /By a signature/ }).check();
    const amount = main.getByLabel("Amount to put in");
    const topUp = main.getByRole("button", { name: "Top up", exact: true });
    await amount.fill("100000");
    await topUp.click();
    await main.getByText("The account has").first().waitFor();
    await expectRoom(page, "too poor");
    await amount.fill("0.05");
    wallet.reject({ isNested: true });
    await topUp.click();
    await main.getByText("You declined in the wallet.").waitFor();
    await expectRoom(page, "transaction declined");
    const confirm = wallet.hold();
    await topUp.click();
    await page.waitForSelector("header >> text=Confirm in your wallet");
    await expectRoomInBoth(page, "transaction asked for");
    confirm();
    await main.getByText("It waits for a block.").waitFor();
    await expectRoomInBoth(page, "transaction pending");
    await askNode(world, "anvil_dropAllTransactions");
    await main.getByText("The network forgot it").first().waitFor();
    await expectRoomInBoth(page, "transaction dropped");
    wallet.clearActivity();
    await askNode(world, "evm_setAutomine", true);
    await amount.fill("0.06");
    await topUp.click();
    await main.getByText("Done, in block").waitFor();
    for (const details of await main.locator("details:has(code)").all())
      await details.locator("summary").click();
    await expectRoomInBoth(page, "transaction done");
    expect(watch.noise).toEqual([]);
    await context.close();
  },
);
