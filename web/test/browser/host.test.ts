import { expect, it } from "vitest";
import { exactEther, shortEther } from "../../src/text/money.ts";
import { expectSound, open, useBrowser } from "./browser.ts";
import { injectWallet } from "./wallet.ts";
import { askNode, cotrain, useWorld } from "./world.ts";

const world = await useWorld();
const { page: origin, models, state } = world;
/** Its waits are those of real models. */
const model = models.row;
const DAY = 86_400;
useBrowser();

function node<T>(method: string, ...params: unknown[]): Promise<T> {
  return askNode<T>(world, method, ...params);
}

async function read<T>(path: string): Promise<T> {
  return (await (
    await fetch(`${origin}/v1/models/${model}${path}`)
  ).json()) as T;
}

const balance = async (account: string): Promise<bigint> =>
  BigInt(await node<string>("eth_getBalance", account, "latest"));

it("takes what nobody has claimed in time, by the wallet of the owner", async () => {
  const { context, page, watch } = await open(origin);
  // The owner of the model.
  const wallet = await injectWallet(context, world, { devIndex: 4 });
  for (const label of ["tree", "herb"]) {
    const row = ["--row", "21,red,true"];
    const common = [
      "--label",
      label,
      "--model",
      "plants",
      "--dev",
      "3",
      "--yes",
    ];
    await cotrain(state, "contribute", ...row, ...common);
  }
  await expect
    .poll(async () => (await read<{ contributions: number }>("")).contributions)
    .toBeGreaterThanOrEqual(2);
  const { open: left, contributions } = await read<{
    open: string;
    contributions: { open: number };
  }>("/totals");

  await page.goto(`/m/${model}/host`);
  await page.getByText("Its owner can take").waitFor();
  await page.getByText("nothing now").waitFor();
  await page.getByText("The next one can be taken").waitFor();

  await node("evm_increaseTime", 10 * DAY);
  await node("evm_mine");
  await page
    .getByText(`of ${contributions.open} contributions`)
    .waitFor({ timeout: 15_000 });
  await page.getByRole("button", { name: "Connect wallet" }).click();
  await page.getByRole("button", { name: "Test wallet" }).click();
  await page.getByText("As its owner, you can take").waitFor();
  await page.getByText("What remains for you").waitFor();
  await expectSound(page, watch);

  // Declining leads one step back.
  const take = page.getByRole("button", { name: "Take what is left" });
  wallet.reject();
  await take.click();
  await expect.poll(() => take.isEnabled()).toBe(true);

  const before = await balance(wallet.address());
  await take.click();
  await page
    .getByText(`Taken, of ${contributions.open} contributions:`)
    .waitFor();
  const gained = (await balance(wallet.address())) - before;
  // The gas is far less than the deposits.
  expect(gained).toBeGreaterThan(0n);
  expect(gained).toBeLessThan(BigInt(left));
  const shown = page.getByRole("status").locator("data");
  expect(await shown.first().innerText()).toBe(
    `${shortEther(BigInt(left))} ether`,
  );
  expect(await shown.first().getAttribute("title")).toContain(
    exactEther(BigInt(left)),
  );
  await page.getByText("nothing now").waitFor();
  const after = await read<{ open: string; claimedLate: string }>("/totals");
  expect(after).toMatchObject({ open: "0", claimedLate: left });
  await expectSound(page, watch);
  await context.close();
});

it("shows the settings of the contract, relayer, keeper and health", async () => {
  const { context, page, watch } = await open(origin, {
    scheme: "dark",
    width: 360,
  });
  await page.goto(`/m/${model}/host`);
  for (const text of [
    "after 1 day",
    "after 9 days",
    "The coordinator is ready.",
  ])
    await page.getByText(text).first().waitFor();
  const { relayer } = await read<{ relayer: string }>("");
  const holds = await balance(relayer);
  await page
    .getByText(`Ether for gas: ${shortEther(holds)} ether`)
    .first()
    .waitFor();
  expect(await page.getByRole("alert").count()).toBe(0);
  await expectSound(page, watch);
  await context.close();
});
