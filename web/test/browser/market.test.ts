import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { expect, it } from "vitest";
import type { Market, Participant } from "../../src/market/api.ts";
import { expectSound, open, useBrowser } from "./browser.ts";
import { injectWallet } from "./wallet.ts";
import { askNode, cotrain, useWorld } from "./world.ts";

const world = await useWorld();
const { page: origin, state } = world;
useBrowser();

/** Development accounts: of the provider, of the page's contributor and of another one. */
const [PROVIDER, AUTHOR, OTHER] = [6, 5, 7] as const;
/** Time that the market is open, in seconds. */
const OPEN = 300;
const NAME = "bets on plants";
/** Table of the hidden test set. */
const samples = [
  "kind,size,color,wild",
  ...["tree,26,red,true", "herb,8,blue,false", "tree,21,green,true"],
  ...["herb,6,red,false", "tree,24,blue,false", "herb,11,green,true"],
];

async function api<T>(path: string): Promise<T> {
  return (await (await fetch(`${origin}/v1${path}`)).json()) as T;
}

function node(method: string, ...params: unknown[]): Promise<unknown> {
  return askNode(world, method, ...params);
}

async function balance(address: string): Promise<bigint> {
  return BigInt((await node("eth_getBalance", address, "latest")) as string);
}

async function found(): Promise<Market | undefined> {
  const { rows } = await api<{ rows: Market[] }>("/markets");
  return rows.find(({ name }) => name === NAME);
}

async function press(page: Page, name: string): Promise<void> {
  await page.getByRole("button", { name, exact: true }).click();
}

it("leads a market from its founding to the last payment", async () => {
  const { context, page, watch } = await open(origin);
  const wallet = await injectWallet(context, world, { devIndex: PROVIDER });
  await page.goto("/deploy");
  await press(page, "Connect wallet");
  await press(page, "Test wallet");

  // The coordinator trains the first model, and the wallet deploys the market.
  const table = join(state, "plants.csv");
  await page.getByLabel(/^File/).setInputFiles(table);
  await page.waitForSelector("text=40 rows and 4 columns");
  await page.getByLabel("Name", { exact: true }).fill(NAME);
  await page.getByLabel("Teaching this model costs").selectOption("market");
  await page.getByLabel("Open for contributions", { exact: true }).fill("5");
  await page.getByLabel("Open for contributions, unit").selectOption("60");
  await page.getByLabel("Passes at most").fill("1");
  await press(page, "Train and measure");
  await press(page, "Deploy it");
  await page.getByRole("link", { name: "Go to the market" }).click();
  await page.waitForSelector("h2:has-text('Life of this market')");
  const market = (await found())?.market ?? "";
  const now = (): Promise<Market> => api(`/markets/${market}`);
  expect(await now()).toMatchObject({
    phase: "created",
    terms: { participation: OPEN, mostPasses: 1 },
  });

  // The page makes the test set, which only this browser and its user have.
  await page.getByLabel("Table of examples").setInputFiles({
    name: "secret.csv",
    mimeType: "text/csv",
    buffer: Buffer.from(samples.join("\n")),
  });
  await page.waitForSelector("text=6 examples read.");
  await page.getByLabel("Parts").fill("2");
  await press(page, "Make the test set");
  await page.waitForSelector("text=This browser keeps it, too.");
  // It is offered again, and another one can take nothing from it.
  await page.reload();
  await page.waitForSelector("text=The test set has 2 parts");
  const lock = page.getByRole("button", { name: "Lock 1 ether" });
  await expect.poll(() => lock.isDisabled()).toBe(true);
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    press(page, "Save the file of the test set"),
  ]);
  const file = join(state, download.suggestedFilename());
  await download.saveAs(file);
  await lock.click();
  await page.waitForSelector("h2:has-text('Life of this market')");

  // The draw needs the hash of the block after the commitments.
  await expect.poll(async () => (await now()).phase).toBe("committed");
  await node("anvil_mine", "0x2");
  await page.getByRole("button", { name: "Draw the part" }).click();

  const set = JSON.parse(await readFile(file, "utf8")) as {
    parts: { salt: string }[];
  };
  await page.waitForSelector("text=This browser keeps the test set");
  const changed = { ...set, parts: [...set.parts].reverse() };
  await page.getByLabel("File of the test set").setInputFiles({
    name: "other.json",
    mimeType: "application/json",
    buffer: Buffer.from(JSON.stringify(changed)),
  });
  await page.waitForSelector(
    "text=This file is the test set of another market",
  );
  // The command reads what the page wrote, and finds that it is the right one.
  const reveal = ["market", "reveal", "--model", NAME, "--test-set", file];
  await cotrain(state, ...reveal, "--dev", `${PROVIDER}`, "--dry-run");
  await page.getByLabel("File of the test set").setInputFiles(file);
  await page.waitForSelector("text=This file is the test set that the market");
  await press(page, "Reveal 1 part");

  // It is open now. Another account contributes by the command.
  await page.waitForSelector("h2:has-text('Contribute')");
  expect((await now()).phase).toBe("open");
  await cotrain(
    state,
    ...[
      "market",
      "contribute",
      "--model",
      NAME,
      "--skip",
      "20",
      "--limit",
      "6",
    ],
    ...["--data", join(state, "plants.csv"), "--label-column", "kind"],
    ...["--dev", `${OTHER}`, "--yes"],
  );
  await wallet.switchAccount({ devIndex: AUTHOR });
  await page.getByLabel("size").fill("25");
  await page.getByLabel("color").selectOption("green");
  await page.getByLabel("wild").selectOption("no");
  await page.getByRole("radio", { name: "tree" }).check();
  await press(page, "Add to the list");
  await page.waitForSelector("text=The model that the market begins with says");
  // Declined: the list stays as it is.
  wallet.reject();
  await press(page, "Contribute 1 example");
  await page.waitForSelector("text=You declined in the wallet.");
  await press(page, "Contribute 1 example");
  await page.waitForSelector("text=Your examples are in the market.");
  await expect.poll(now).toMatchObject({ contributions: 7, participants: 2 });

  // Time alone closes it, and the provider reveals the rest.
  await node("evm_increaseTime", OPEN + 1);
  await node("anvil_mine", "0x1");
  await wallet.switchAccount({ devIndex: PROVIDER });
  await page.waitForSelector("text=This browser keeps the test set");
  await press(page, "Reveal 1 part");
  await page.waitForSelector("h2:has-text('Move the market on')");
  await press(page, "Send the next step");
  await page.waitForSelector("text=Sent from here: 1 step");
  await press(page, "Send all steps");
  await page.waitForSelector("h2:has-text('Try the trained model')");
  expect((await now()).phase).toBe("settled");

  // The models answer, and the money goes where the contract says.
  await page.getByLabel("size").fill("25");
  await press(page, "Ask both models");
  await page.waitForSelector("text=The trained model says");
  await page.getByRole("button", { name: /^Collect the rest/ }).click();
  await expect.poll(async () => (await now()).remainder).toBe("0");
  await wallet.switchAccount({ devIndex: AUTHOR });
  const { rows } = await api<{ rows: Participant[] }>(
    `/markets/${market}/participants`,
  );
  const mine = rows.find(
    (row) => row.account.toLowerCase() === wallet.address(),
  );
  const before = await balance(wallet.address());
  await page.getByRole("button", { name: /^Collect / }).click();
  await page.waitForSelector("text=You have collected.");
  const gained = (await balance(wallet.address())) - before;
  const due = BigInt(mine?.collectable ?? "0");
  expect(due).toBeGreaterThan(0n);
  // What is missing is the gas.
  expect(gained).toBeGreaterThan(due - 10n ** 15n);
  expect(gained).toBeLessThan(due);
  // What a phase brings moves the page; what a reader finds there moves nothing.
  await page.reload();
  await page.waitForSelector("h2:has-text('Terms')");
  await expectSound(page, watch);
  await context.close();
});

it("says how a market ends that goes wrong", async () => {
  const { context, page, watch } = await open(origin, {
    scheme: "dark",
    width: 360,
  });
  let changes: Partial<Market> = {};
  await page.route(/\/v1\/markets\/0x[0-9a-fA-F]{40}$/, async (route) => {
    const answer = await route.fetch();
    const json = { ...((await answer.json()) as Market), ...changes };
    await route.fulfill({ response: answer, json });
  });
  const early = { closesAt: null, scoringUntil: null, revealedParts: 0 };
  for (const [changed, said] of [
    [{ phase: "failed" }, "All participants get their stakes back."],
    [{ phase: "forfeited" }, "The bounty is burned."],
    [
      { ...early, phase: "committed", drawnPart: null, drawUntil: 1 },
      "So this market never opens",
    ],
    [{ ...early, phase: "created" }, "locks the bounty"],
  ] as const) {
    changes = { ...changed, action: null };
    await page.goto(`/markets/${world.market}`);
    await page.waitForSelector(`text=${said}`);
    await page.waitForSelector("h2:has-text('Terms')");
    await expectSound(page, watch);
  }
  await context.close();
});

it("says what a market is where there is none, and which is not followed", async () => {
  const { context, page, watch } = await open(origin);
  const nobody = `0x${"7".repeat(40)}`;
  await page.goto(`/markets/${nobody}`);
  await page.waitForSelector("h1:has-text('This market is not followed here')");
  await page.route(/\/v1\/markets\?/, (route) =>
    route.fulfill({ status: 200, json: { rows: [], next: null } }),
  );
  watch.noise.length = 0;
  await page.getByRole("link", { name: "Go to the markets" }).click();
  await page.waitForSelector("text=This coordinator follows no market yet.");
  await page.waitForSelector("text=cotrain market create --name");
  await expectSound(page, watch);
  await context.close();
});
