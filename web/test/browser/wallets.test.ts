import {
  recoverTypedSignature,
  SignTypedDataVersion,
} from "@metamask/eth-sig-util";
import type { BrowserContext, Page } from "playwright-core";
import { encodeFunctionData } from "viem/utils";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { trainerAbi } from "../../src/chain/abi.ts";
import { expectSound, open, useBrowser } from "./browser.ts";
import { serveHarness } from "./harness/server.ts";
import { injectWallet, type Controls, type Options } from "./wallet.ts";
import { askNode, useWorld } from "./world.ts";

const world = await useWorld();
useBrowser();

function node(method: string, ...params: unknown[]): Promise<unknown> {
  return askNode(world, method, ...params);
}

function button(page: Page, name: string | RegExp) {
  return page.getByRole("button", { name });
}

describe("the page", () => {
  it("says what works without a wallet", async () => {
    const { context, page, watch } = await open(world.page);
    await page.goto("/");
    await page.waitForSelector("text=3 models");
    await button(page, "Connect wallet").click();
    await page.waitForSelector("text=There is no wallet in this browser.");
    await expectSound(page, watch);
    await page.keyboard.press("Escape");
    await expect.poll(() => page.locator("dialog").count()).toBe(0);
    // The focus is where it was.
    const focused = await page.evaluate(
      () => document.activeElement?.textContent,
    );
    expect(focused?.trim()).toBe("Connect wallet");
    await context.close();
  });

  it("lists several wallets, asks for no signature, and remembers the one", async () => {
    const { context, page, watch } = await open(world.page, {
      scheme: "dark",
      width: 360,
    });
    const other = await injectWallet(context, world, {
      devIndex: 6,
      name: "One",
    });
    const hostile = `<b>Two</b>\u202e${"x".repeat(500)}`;
    const wallet = await injectWallet(context, world, {
      devIndex: 7,
      name: hostile,
    });
    // What is no wallet is left out, and no picture is fetched for one that is.
    await context.addInitScript(() => {
      const info = {
        uuid: "3",
        name: "Three",
        rdns: "three",
        icon: "https://example.org/3.png",
      };
      const provider = { request: () => Promise.reject(new Error("no")) };
      for (const detail of [
        null,
        {},
        { info },
        { provider },
        { info, provider },
      ])
        addEventListener("eip6963:requestProvider", () =>
          dispatchEvent(
            new CustomEvent("eip6963:announceProvider", { detail }),
          ),
        );
    });
    await page.goto("/");
    await page.waitForSelector("text=3 models");
    await button(page, "Connect wallet").click();
    const list = page.getByRole("list", { name: "Choose a wallet" });
    await expect.poll(() => list.getByRole("button").count()).toBe(3);
    expect(await list.locator("img").count()).toBe(2);
    expect(await list.locator("b").count()).toBe(0);
    await expectSound(page, watch);
    // Declined: the list is still there, and says so.
    wallet.reject({ isNested: true });
    await list.getByRole("button", { name: "<b>Two</b>" }).click();
    await page.waitForSelector("text=You declined in the wallet.");
    wallet.busy(true);
    await list.getByRole("button", { name: "<b>Two</b>" }).click();
    await page.waitForSelector("text=A request already waits in your wallet.");
    wallet.busy(false);
    await list.getByRole("button", { name: "<b>Two</b>" }).click();
    const account = `${wallet.address().slice(0, 6)}…${wallet.address().slice(-4)}`;
    await page.waitForSelector(`header >> text=${account}`);
    await expect.poll(() => page.locator("dialog").count()).toBe(0);
    await page.reload();
    await page.waitForSelector(`header >> text=${account}`);
    await button(page, /, your account/).click();
    await page.waitForSelector(`dialog >> text=${wallet.address()}`);
    await page.waitForSelector("text=Nothing was sent from this browser yet.");
    await expectSound(page, watch);
    const methods = wallet.requests().map(({ method }) => method);
    expect(methods).not.toContain("eth_signTypedData_v4");
    expect(methods.filter((it) => it === "eth_requestAccounts").length).toBe(3);
    expect(other.requests()).toEqual([]);
    await button(page, "Disconnect").click();
    await page.waitForSelector("header >> text=Connect wallet");
    await context.close();
  });

  it("takes window.ethereum if no wallet announces itself", async () => {
    const { context, page } = await open(world.page);
    const wallet = await injectWallet(context, world, {
      devIndex: 6,
      announces: false,
    });
    await page.goto("/");
    await button(page, "Connect wallet").click();
    await button(page, "Wallet of this browser").click();
    await page.waitForSelector(`header >> text=${wallet.address().slice(-4)}`);
    await context.close();
  });

  it("tells a wrong network before anything, and switches", async () => {
    const { context, page, watch } = await open(world.page);
    const wallet = await injectWallet(context, world, {
      devIndex: 6,
      chainId: 1,
    });
    await page.goto("/");
    await button(page, "Connect wallet").click();
    await button(page, "Test wallet").click();
    await page.waitForSelector("header >> text=Wrong network");
    await page.waitForSelector(
      "text=Your wallet is on another network: Ethereum.",
    );
    await expectSound(page, watch);
    wallet.reject();
    await button(page, "Switch the network").click();
    await page.waitForSelector("text=You declined in the wallet.");
    await button(page, "Switch the network").click();
    await expect.poll(() => page.locator("dialog").count()).toBe(0);
    await page.waitForSelector(`header >> text=${wallet.address().slice(-4)}`);
    // The wallet moves by itself, and the page follows without being loaded anew.
    await page.evaluate(() => Reflect.set(window, "isSame", true));
    await wallet.switchChain(1);
    await page.waitForSelector("header >> text=Wrong network");
    await wallet.switchChain(31_337);
    await page.waitForSelector(`header >> text=${wallet.address().slice(-4)}`);
    await wallet.lock();
    await page.waitForSelector("header >> text=Wallet locked");
    expect(await page.evaluate(() => Reflect.get(window, "isSame"))).toBe(true);
    await button(page, "Wallet locked").click();
    await page.waitForSelector("text=Test wallet is locked");
    await expectSound(page, watch);
    await button(page, "Test wallet").click();
    await page.waitForSelector(`header >> text=${wallet.address().slice(-4)}`);
    await context.close();
  });

  it("adds a network that the wallet does not know", async () => {
    const { context, page, watch } = await open(world.page);
    const wallet = await injectWallet(context, world, {
      devIndex: 6,
      chainId: 1,
      knowsChain: false,
    });
    await page.goto("/");
    await button(page, "Connect wallet").click();
    await button(page, "Test wallet").click();
    await button(page, "Switch the network").click();
    const address = page.getByLabel("Address of a node");
    await address.waitFor();
    await expectSound(page, watch);
    await address.fill(`${world.page}/nothing`);
    await button(page, "Add the network").click();
    await page.waitForSelector("text=The node does not answer for this chain.");
    await address.fill(`http://127.0.0.1:${world.ports.node}`);
    await button(page, "Add the network").click();
    await page.waitForSelector(`header >> text=${wallet.address().slice(-4)}`);
    await context.close();
  });
});

describe("a transaction", () => {
  let harness: Awaited<ReturnType<typeof serveHarness>>;
  beforeAll(async () => {
    harness = await serveHarness(`http://127.0.0.1:${world.ports.api}`);
  });
  afterAll(() => harness.end());
  afterEach(async () => {
    await node("evm_setAutomine", true);
  });

  async function connected(options: Options): Promise<{
    context: BrowserContext;
    page: Page;
    wallet: Controls;
  }> {
    const { context, page } = await open(new URL(harness.page).origin);
    const wallet = await injectWallet(context, world, options);
    await page.goto(harness.page);
    await page
      .locator("main")
      .getByRole("button", { name: "Test wallet" })
      .click();
    await page.waitForSelector(`#account:has-text("${wallet.address()}")`);
    return { context, page, wallet };
  }

  /** Fills the form and sends. */
  async function send(
    page: Page,
    fields: { to?: string; data?: string; value?: string },
  ): Promise<void> {
    for (const [name, value] of Object.entries(fields))
      await page.getByLabel(name[0]?.toUpperCase() + name.slice(1)).fill(value);
    await page.getByRole("button", { name: "Send", exact: true }).click();
  }

  /** Waits until the form tells the outcome. Returns what it tells. */
  async function outcome(page: Page): Promise<string> {
    const line = page.locator("#outcome");
    await expect.poll(() => line.innerText()).not.toBe("");
    return line.innerText();
  }

  const hashIn = (text: string): string => text.replace(/^sent /, "");
  const line = (page: Page) => page.locator("#transactions li").first();
  const friend = `0x${"00".repeat(18)}beef`;

  it("is sent, included, kept over a reload, shown in another tab, and dismissed", async () => {
    const { context, page, wallet } = await connected({ devIndex: 6 });
    const release = wallet.hold();
    await send(page, { to: friend, value: "5" });
    await page.waitForSelector("header >> text=Confirm in your wallet");
    release();
    const hash = hashIn(await outcome(page));
    await page.waitForSelector("#end:has-text('block ')");
    await page.waitForSelector("#transactions >> text=Done, in block");
    const other = await context.newPage();
    await other.goto(harness.page);
    await other.waitForSelector("#transactions >> text=Done, in block");
    await page.reload();
    await page.waitForSelector(`#account:has-text("${wallet.address()}")`);
    await page.waitForSelector("#transactions >> text=Done, in block");
    await line(page).locator("summary").click();
    await page.waitForSelector(`text=${hash}`);
    await button(page, "Remove from the list: “Send 5”").click();
    await page.waitForSelector("text=nothing sent");
    await other.waitForSelector("text=nothing sent");
    await context.close();
  });

  it("is not sent if it is declined, too dear or refused by the contract, and keeps the input", async () => {
    const { context, page, wallet } = await connected({ devIndex: 6 });
    wallet.reject({ isNested: true });
    await send(page, { to: friend, value: "7" });
    expect(await outcome(page)).toMatch(/^rejected: You declined/);
    expect(await page.getByLabel("Value").inputValue()).toBe("7");
    wallet.busy(true);
    await send(page, {});
    expect(await outcome(page)).toMatch(/^busy: /);
    wallet.busy(false);
    await send(page, { value: `1${"0".repeat(30)}` });
    expect(await outcome(page)).toMatch(/^unpayable: The account has /);
    // Typed errors of the trainer, from the simulation.
    const claim = encodeFunctionData({
      abi: trainerAbi,
      functionName: "withdrawTo",
      args: [wallet.address(), 10n ** 18n],
    });
    await send(page, { to: world.models.text, data: claim, value: "0" });
    expect(await outcome(page)).toMatch(
      /^reverted: Nothing was sent. The prepaid balance is 0 ether, and this needs 1 ether/,
    );
    const sent = wallet
      .requests()
      .filter(({ method }) => method === "eth_sendTransaction");
    expect(sent.length).toBe(2);
    expect(await page.locator("#transactions li").count()).toBe(0);
    await context.close();
  });

  it("is neither sent nor signed on another network, by another account, or while locked", async () => {
    const { context, page, wallet } = await connected({ devIndex: 6 });
    await page.getByLabel("Value").fill("9");
    await button(page, "Sign").click();
    const signature = (await outcome(page)).replace("signed ", "");
    const signer = recoverTypedSignature({
      data: {
        domain: { name: "cotrain", version: "1", chainId: 31_337 },
        types: {
          EIP712Domain: [
            { name: "name", type: "string" },
            { name: "version", type: "string" },
            { name: "chainId", type: "uint256" },
          ],
          Note: [{ name: "amount", type: "uint256" }],
        },
        primaryType: "Note",
        message: { amount: (2n ** 200n).toString() },
      },
      signature,
      version: SignTypedDataVersion.V4,
    });
    expect(signer.toLowerCase()).toBe(wallet.address());
    await page.getByLabel("Chain").fill("1");
    await button(page, "Sign").click();
    await page.waitForSelector("#outcome:has-text('wrong-network: ')");
    const signs = wallet
      .requests()
      .filter(({ method }) => method === "eth_signTypedData_v4");
    expect(signs.length).toBe(1);
    await wallet.lock();
    await page.waitForSelector("main >> text=Test wallet is locked");
    // What was typed is kept, but cannot be sent.
    expect(await page.getByLabel("Value").inputValue()).toBe("9");
    expect(
      await page.locator("form").locator("..").getAttribute("inert"),
    ).not.toBeNull();
    await wallet.unlock();
    await page.waitForSelector("main:not(:has-text('is locked'))");
    await wallet.switchAccount({ devIndex: 8 });
    await page.waitForSelector(`#account:has-text("${wallet.address()}")`);
    expect(await page.getByLabel("Value").inputValue()).toBe("9");
    await context.close();
  });

  it("goes by its new hash if it is sped up, and ends if it is canceled", async () => {
    await node("evm_setAutomine", false);
    const { context, page, wallet } = await connected({ devIndex: 6 });
    await send(page, { to: friend, value: "11" });
    const slow = hashIn(await outcome(page));
    await page.waitForSelector("text=It waits for a block.");
    await page.waitForSelector("header >> text=1 pending");
    const fast = await wallet.speedUp(slow);
    await node("evm_mine");
    await page.waitForSelector("#transactions >> text=Done, in block");
    await page.waitForSelector("#end:has-text('block ')");
    await line(page).locator("summary").click();
    await page.waitForSelector(`#transactions >> text=${fast}`);
    await send(page, { value: "12" });
    await expect.poll(() => outcome(page)).not.toContain(slow);
    const hash = hashIn(await outcome(page));
    await page.waitForSelector("text=It waits for a block.");
    await wallet.cancel(hash);
    await node("evm_mine");
    await page.waitForSelector("text=You canceled it in the wallet.");
    await page.waitForSelector("#end:has-text('failed: You canceled it')");
    await context.close();
  });

  it("is told to be dropped, numbered otherwise than expected, or rolled back", async () => {
    await node("evm_setAutomine", false);
    const { context, page, wallet } = await connected({ devIndex: 6 });
    await send(page, { to: friend, value: "13" });
    const dropped = hashIn(await outcome(page));
    await page.waitForSelector("text=It waits for a block.");
    await node("anvil_dropTransaction", dropped);
    await page.waitForSelector("text=The network forgot it");
    // Its wallet numbers the next one after it, which the chain does not expect.
    await send(page, { value: "14" });
    await page.waitForSelector(
      "text=/Your wallet numbers this transaction \\d+, but/",
    );
    await node("anvil_dropAllTransactions");
    wallet.clearActivity();
    await node("evm_setAutomine", true);
    await page.evaluate(() =>
      localStorage.removeItem("cotrain-transactions-1"),
    );
    await page.reload();
    await page.waitForSelector("text=nothing sent");

    await send(page, { to: friend, value: "15" });
    await page.waitForSelector("#transactions >> text=Done, in block");
    await node("anvil_reorg", 1, []);
    await page.waitForSelector("text=The chain took back the block");
    await context.close();
  });

  it("tells why the contract refused it, though its simulation succeeded", async () => {
    const { context, page, wallet } = await connected({ devIndex: 9 });
    const to = world.models.text;
    const deposit = encodeFunctionData({
      abi: trainerAbi,
      functionName: "depositTo",
      args: [wallet.address()],
    });
    await send(page, { to, data: deposit, value: "1000" });
    await page.waitForSelector("#end:has-text('block ')");
    // While the wallet asks, the same happens elsewhere.
    const data = encodeFunctionData({
      abi: trainerAbi,
      functionName: "withdrawTo",
      args: [wallet.address(), 1_000n],
    });
    const release = wallet.hold();
    await send(page, { data, value: "0" });
    await page.waitForSelector("header >> text=Confirm in your wallet");
    await node("eth_sendTransaction", { from: wallet.address(), to, data });
    release();
    await page.waitForSelector(
      "text=The contract refused it. The prepaid balance is 0 ether",
    );
    await page.waitForSelector("#end:has-text('reverted: ')");
    await context.close();
  });

  it("is not sent by an account that was selected meanwhile, nor if nothing is stored", async () => {
    const { context, page, wallet } = await connected({ devIndex: 6 });
    await wallet.switchAccount({ devIndex: 8 }, { isSilent: true });
    await send(page, { to: friend, value: "21" });
    expect(await outcome(page)).toMatch(/^failed: The account was changed/);
    await page.waitForSelector(`#account:has-text("${wallet.address()}")`);
    // The browser's storage is full.
    await page.evaluate(() => {
      Storage.prototype.setItem = () => {
        throw new DOMException("full", "QuotaExceededError");
      };
    });
    await page.getByRole("button", { name: "Send", exact: true }).click();
    await page.waitForSelector("#end:has-text('block ')");
    await page.waitForSelector("#transactions >> text=Done, in block");
    await context.close();
  });

  it("is of its browser and its chain alone", async () => {
    const [one, other] = await Promise.all([
      connected({ devIndex: 6 }),
      connected({ devIndex: 8 }),
    ]);
    await Promise.all([
      send(one.page, { to: friend, value: "31" }),
      send(other.page, { to: friend, value: "32" }),
    ]);
    for (const { page } of [one, other]) {
      await page.waitForSelector("#transactions >> text=Done, in block");
      expect(await page.locator("#transactions li").count()).toBe(1);
    }
    // Another chain of the same id has another first block.
    const key = "cotrain-transactions-1";
    await one.page.evaluate((key) => {
      const rows = JSON.parse(localStorage.getItem(key) ?? "[]") as object[];
      const genesis = `0x${"9".repeat(64)}`;
      const changed = rows.map((row) => ({ ...row, genesis }));
      localStorage.setItem(key, JSON.stringify(changed));
    }, key);
    await one.page.reload();
    await one.page.waitForSelector("text=nothing sent");
    await Promise.all([one.context.close(), other.context.close()]);
  });
});
