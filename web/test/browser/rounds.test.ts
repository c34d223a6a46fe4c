import type { Page } from "playwright-core";
import {
  concat,
  decodeEventLog,
  decodeFunctionResult,
  encodeEventTopics,
  encodeFunctionData,
} from "viem/utils";
import { expect, it } from "vitest";
import { federatedAbi } from "../../src/chain/abi/federated.ts";
import type { Address, Hex } from "../../src/chain/rpc.ts";
import {
  commitCall,
  commitmentOf,
  revealCall,
} from "../../src/rounds/calls.ts";
import { usualTraining, work } from "../../src/rounds/training.ts";
import { rootOf } from "../../src/twin/federated/index.ts";
import { toHex } from "../../src/twin/index.ts";
import { vectors } from "../vectors.ts";
import { expectSound, open, useBrowser } from "./browser.ts";
import { callAt, deposit, found, mint, sendAs, STAKE } from "./rounds.ts";
import { injectWallet } from "./wallet.ts";
import { askNode, useWorld } from "./world.ts";

const world = await useWorld();
const { page: origin } = world;
useBrowser();

/** Development accounts: of the owner, of the client without a page, and of the two with one. */
const [OWNER, SCRIPT, DRAWER, LABELER] = [8, 9, 5, 7] as const;

/** Time for a whole round of three clients, and for a step of one, in milliseconds. */
const [PATIENCE, STEP] = [300_000, 60_000] as const;

interface Drawing {
  label: number;
  strokes: [number, number][][];
  levels: number[];
}

/** Drawings of the vectors: each digit four times, one after the other. */
const [{ drawings } = { drawings: [] }] = vectors<{
  vectors: { drawings: Drawing[] }[];
}>("federated-strokes.json").vectors;
const labeled = drawings.filter(({ label }) => label !== null);
/** Drawings that clients learn from; the others are the test data. */
const learned = labeled.slice(0, 30);
const hidden = labeled.slice(30).map(({ label, levels }) => ({
  label,
  levels: Uint8Array.from(levels),
}));

function status(trainer: Address) {
  const of = { abi: federatedAbi, functionName: "status" } as const;
  return callAt(world, trainer, encodeFunctionData(of)).then((data) =>
    decodeFunctionResult({ ...of, data }),
  );
}

async function press(page: Page, name: string | RegExp): Promise<void> {
  await page.getByRole("button", { name, exact: true }).click();
}

async function connect(page: Page): Promise<void> {
  const name = "Connect wallet";
  await press(page, name);
  // A page that needs a wallet names those that it finds, too.
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Test wallet" }).click();
  await dialog.waitFor({ state: "hidden" });
  await expect
    .poll(() => page.getByRole("button", { name, exact: true }).count())
    .toBe(0);
}

/** Draws a digit with the mouse, and labels it by its key. */
async function draw(page: Page, { strokes, label }: Drawing): Promise<void> {
  const board = page.getByRole("img", { name: "Board to draw a digit on" });
  const box = await board.boundingBox();
  if (!box) throw new Error("there is no board");
  const to = ([x, y]: [number, number]): [number, number] => [
    box.x + (x / 1_024) * box.width,
    box.y + (y / 1_024) * box.height,
  ];
  for (const [first, ...rest] of strokes) {
    if (!first) continue;
    await page.mouse.move(...to(first));
    await page.mouse.down();
    for (const point of rest) await page.mouse.move(...to(point));
    await page.mouse.up();
  }
  await page.keyboard.press(String(label));
}

it(
  "lets two browsers and a program finish a round",
  async () => {
    const accounts = await askNode<Address[]>(world, "eth_accounts");
    const [owner, script] = [accounts[OWNER], accounts[SCRIPT]] as [
      Address,
      Address,
    ];
    const rounds = await found(world, owner, 3n, hidden);
    const { trainer } = rounds;

    // One browser draws the digits 0 to 4.
    const first = await open(origin);
    first.page.setDefaultTimeout(STEP);
    const drawer = await injectWallet(first.context, world, {
      devIndex: DRAWER,
    });
    await mint(world, rounds.stakeToken, drawer.address(), STAKE);
    await first.page.goto("/rounds");
    await connect(first.page);
    await first.page.getByLabel("Address of a federated trainer").fill(trainer);
    await press(first.page, "Open");
    await first.page.waitForSelector("h2:has-text('Your digits')");
    await expectSound(first.page, first.watch);
    const low = learned.filter(({ label }) => label < 5);
    for (const drawing of low) await draw(first.page, drawing);
    await first.page.waitForSelector(`text=You have ${low.length} digits.`);
    // What is kept is what the rules make of the strokes, but for the rounding of the mouse.
    const kept = await first.page.evaluate(() =>
      localStorage.getItem("cotrain-digits-1"),
    );
    for (const [at, line] of (kept ?? "").split("\n").entries()) {
      const [label, levels = ""] = line.split(" ");
      const expected = low[at]?.levels ?? [];
      expect(Number(label)).toBe(low[at]?.label);
      const apart = Array.from(levels, (it, pixel) =>
        Math.abs(Number.parseInt(it, 17) - (expected[pixel] ?? 0)),
      );
      expect(Math.max(...apart)).toBeLessThanOrEqual(6);
    }

    // The other one has its digits from an earlier visit.
    const second = await open(origin);
    second.page.setDefaultTimeout(STEP);
    const labeler = await injectWallet(second.context, world, {
      devIndex: LABELER,
    });
    await mint(world, rounds.stakeToken, labeler.address(), STAKE);
    const lines = learned
      .filter(({ label }) => label >= 5)
      .map(({ label, levels }) => {
        const text = levels.map((level) => level.toString(17));
        return `${label} ${text.join("")}`;
      });
    await second.context.addInitScript(
      (text) => localStorage.setItem("cotrain-digits-1", text),
      lines.join("\n"),
    );
    await second.page.goto(`/rounds/${trainer}`);
    await connect(second.page);

    // A program takes part, too.
    const update = work({
      model: { features: 64, classes: 10, maxFeature: 16, scale: 6 },
      width: 8,
      maxSquaredNorm: 1n << 40n,
      base: new Int16Array(650),
      learned: {
        features: Uint8Array.from(learned.flatMap(({ levels }) => levels)),
        labels: Uint16Array.from(learned, ({ label }) => label),
      },
      held: { features: new Uint8Array(), labels: new Uint16Array() },
      training: { ...usualTraining, seed: 3 },
    }).bytes;
    const salt: Hex = `0x${"07".repeat(32)}`;
    const of = { trainer, round: 0, author: script, version: 0, salt };
    await deposit(world, rounds, script, STAKE);
    const hash = commitmentOf({ ...of, root: rootOf(update, 256) });
    await sendAs(world, script, trainer, commitCall(hash));

    // Both train, put down the stake and commit. One declines first.
    for (const { page } of [first, second]) {
      await press(page, "Train on my digits");
      await page.waitForSelector("text=Your update helps on your own digits.");
      await press(page, /^Put down/);
      await page.waitForSelector("text=Commit to my update");
    }
    drawer.reject();
    await press(first.page, "Commit to my update");
    await first.page.waitForSelector("text=You declined in the wallet.");
    for (const { page } of [first, second])
      await press(page, "Commit to my update");

    // The third commitment ends the phase. What revealing takes is kept over a reload.
    await first.page.waitForSelector("text=Reveal your update now.");
    await first.page.reload();
    await press(first.page, "Reveal my update");
    await first.page.waitForSelector("text=Your update is revealed.");
    await press(second.page, "Reveal my update");
    await second.page.waitForSelector("text=Your update is revealed.");
    const revelation = { version: 0, salt, update: toHex(update) };
    await sendAs(world, script, trainer, revealCall(0, revelation));

    // The page draws; the owner reveals the test data, and the program scores and joins.
    await press(first.page, "Draw the test data");
    await expect
      .poll(async () => (await logsOf(trainer, "DrawScheduled")).length, {
        timeout: STEP,
      })
      .toBe(1);
    await askNode(world, "anvil_mine", "0x3");
    await press(first.page, "Draw the test data");
    await expect
      .poll(async () => (await status(trainer)).phase, { timeout: STEP })
      .toBe(3);
    const { part } = await status(trainer);
    expect([0n, 1n]).toContain(part);
    await sendAs(
      world,
      owner,
      trainer,
      encodeFunctionData({
        abi: federatedAbi,
        functionName: "revealTest",
        args: [rounds.salt, rounds.items],
      }),
    );
    const updates = await updatesOf(trainer);
    const samples = BigInt(hidden.length);
    for (const [functionName, args] of [
      ["score", [0n, samples, updates, rounds.items]],
      ["aggregate", [updates]],
    ] as const)
      await sendAs(
        world,
        script,
        trainer,
        encodeFunctionData({ abi: federatedAbi, functionName, args } as never),
      );
    const losses = decodeFunctionResult({
      abi: federatedAbi,
      functionName: "losses",
      data: await callAt(
        world,
        trainer,
        encodeFunctionData({ abi: federatedAbi, functionName: "losses" }),
      ),
    });
    expect(Number(losses[1])).toBeLessThan(Number(losses[0]) * 0.9);

    // The page settles. Version and balance rise.
    await press(first.page, "Settle the round");
    for (const { page } of [first, second]) {
      await press(page, /^Collect /);
      await expect
        .poll(() => page.getByRole("button", { name: /^Collect / }).count(), {
          timeout: STEP,
        })
        .toBe(0);
    }
    expect((await status(trainer)).version).toBe(1n);
    for (const wallet of [drawer, labeler]) {
      const account = wallet.address().slice(2).padStart(64, "0");
      const data = concat(["0x70a08231", `0x${account}`]);
      const balance = await callAt(world, rounds.rewardToken, data);
      expect(BigInt(balance)).toBeGreaterThan(0n);
    }
    // The stakes are back, and can be withdrawn.
    await press(first.page, /^Withdraw /);
    await expect
      .poll(
        () => first.page.getByRole("button", { name: /^Withdraw / }).count(),
        { timeout: STEP },
      )
      .toBe(0);
    await expectSound(second.page, second.watch);
    await first.context.close();
    await second.context.close();
  },
  PATIENCE,
);

interface Log {
  topics: [Hex, ...Hex[]];
  data: Hex;
}

function logsOf(
  address: Address,
  eventName: "UpdateRevealed" | "DrawScheduled",
): Promise<Log[]> {
  const topics = encodeEventTopics({ abi: federatedAbi, eventName });
  const filter = { address, topics, fromBlock: "0x0" };
  return askNode<Log[]>(world, "eth_getLogs", filter);
}

/** Returns all revealed updates, one after the other by their index. */
async function updatesOf(trainer: Address): Promise<Hex> {
  const eventName = "UpdateRevealed";
  const found = (await logsOf(trainer, eventName)).map(
    (log) => decodeEventLog({ abi: federatedAbi, eventName, ...log }).args,
  );
  found.sort((one, other) => Number(one.index - other.index));
  return concat(found.map(({ update }) => update));
}

it("says that there is no trainer, and what an address is", async () => {
  const { context, page, watch } = await open(origin, {
    scheme: "dark",
    width: 360,
  });
  await page.goto("/rounds");
  await page.getByLabel("Address of a federated trainer").fill("0x12");
  await press(page, "Open");
  await page.waitForSelector("text=This is no address.");
  await expectSound(page, watch);
  await page.goto(`/rounds/${world.models.text}`);
  await page.waitForSelector("h1:has-text('There is no federated trainer')");
  await expectSound(page, watch);
  await page.getByRole("link", { name: "Give another address" }).click();
  await page.waitForSelector("h2:has-text('Go to a trainer')");
  await context.close();
});
