import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { encodeFunctionData } from "viem/utils";
import { expect, it } from "vitest";
import { classifierAbi } from "../../src/chain/abi.ts";
import { expectSound, open, useBrowser } from "./browser.ts";
import { injectWallet } from "./wallet.ts";
import { cotrain, useWorld } from "./world.ts";

const world = await useWorld();
useBrowser();

const table = [
  "kind,size,color,wild",
  ...Array.from({ length: 60 }, (_, at) => {
    const isBig = at % 2 === 0;
    // A part of the sizes overlaps, so that the model makes mistakes.
    const size = (isBig ? 11 : 7) + (at % 7);
    const color = ["red", "green", "blue"][(at * 5 + (isBig ? 1 : 0)) % 3];
    return `${isBig ? "tree" : "herb"},${size},${color},${at % 3 === 0}`;
  }),
];

/** What the page was told of a plan, as far as the test looks at it. */
interface Plan {
  evaluation: object;
  weights: { words: number };
  transactions: { name: string }[];
}

async function choose(page: Page, name: string, text: string): Promise<void> {
  const buffer = Buffer.from(text);
  const file = { name, mimeType: "text/csv", buffer };
  await page.getByLabel(/^File/).setInputFiles(file);
}

/** Reads words of a model from the chain. */
async function wordsOf(classifier: string, count: number): Promise<unknown> {
  const data = encodeFunctionData({
    abi: classifierAbi,
    functionName: "words",
    args: [0n, BigInt(count)],
  });
  const params = [{ to: classifier, data }, "latest"];
  const request = { jsonrpc: "2.0", id: 1, method: "eth_call", params };
  const response = await fetch(`${world.page}/rpc`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(request),
  });
  const { result } = (await response.json()) as { result?: unknown };
  expect(result).toMatch(/^0x0{62}20/);
  return result;
}

function button(page: Page, name: string | RegExp) {
  return page.getByRole("button", { name });
}

it("deploys a table in spite of reloads, sends nothing twice, and the model predicts", async () => {
  const { context, page, watch } = await open(world.page);
  const wallet = await injectWallet(context, world, { devIndex: 8 });
  const sent = () =>
    wallet.requests().filter(({ method }) => method === "eth_sendTransaction")
      .length;
  await page.goto("/deploy");
  await choose(page, "garden.csv", `${table.join("\n")}\n`);
  await page.waitForSelector("text=60 rows and 4 columns");
  const label = page.getByLabel(/^Column with the class/);
  expect(await label.inputValue()).toBe("kind");
  expect(await page.getByLabel("Name", { exact: true }).inputValue()).toBe(
    "garden",
  );
  const answered = page.waitForResponse(/\/v1\/plans$/);
  await button(page, "Train and measure").click();
  const plan = (await (await answered).json()) as Plan;
  await page.waitForSelector("text=on 12 examples that it had not seen");
  await expectSound(page, watch);

  await button(page, "Test wallet").click();
  const release = wallet.hold();
  await button(page, "Deploy it").click();
  await page.waitForSelector("text=Confirm in your wallet.");
  await expect.poll(sent).toBe(1);
  // The wallet sends the first transaction once the page that asked for it is gone.
  await page.reload();
  release();
  await button(page, /^Open/).click();
  await page.waitForSelector("text=1 of");
  expect(sent()).toBe(1);
  wallet.reject();
  await button(page, "Go on").click();
  await page.waitForSelector("text=You declined in the wallet.");
  await expectSound(page, watch);
  const releaseAgain = wallet.hold();
  await button(page, "Go on").click();
  await expect.poll(sent).toBe(3);
  // Nothing tells whether the wallet will send this one, so that it is not asked for again.
  await page.reload();
  await button(page, /^Open/).click();
  await page.waitForSelector("text=the network does not show it");
  await expectSound(page, watch);
  expect(sent()).toBe(3);
  releaseAgain();
  await button(page, "Look again").click();
  await page.waitForSelector("text=garden is deployed");
  // One request was declined.
  expect(sent()).toBe(plan.transactions.length + 1);
  await expectSound(page, watch);

  await page.getByRole("link", { name: "Go to the model" }).click();
  await page.waitForSelector("h1:has-text('garden')");
  const trainer = /0x[0-9a-fA-F]{40}/.exec(page.url())?.[0];
  await page.getByLabel("size").fill("17");
  await page.waitForSelector("main >> text=tree");
  await page.goto("/deploy");
  await page.waitForSelector("h1:has-text('Deploy a model')");
  expect(await button(page, /^Open/).count()).toBe(0);

  // The command makes the same model of the same file.
  const path = join(world.state, "garden.csv");
  await writeFile(path, `${table.join("\n")}\n`);
  const options = ["--data", path, "--label-column", "kind", "--name", "twin"];
  const common = ["--initial", "1.0", "--dev", "9", "--yes", "--json"];
  const twin = JSON.parse(
    await cotrain(world.state, "deploy", ...options, ...common),
  ) as { classifier: string; evaluation: Record<string, unknown> };
  const { classes, per_class: _, ...figures } = twin.evaluation;
  expect(classes).toEqual(["herb", "tree"]);
  expect(plan.evaluation).toEqual(figures);
  const { classifier } = (await (
    await fetch(`${world.page}/v1/models/${trainer}`)
  ).json()) as { classifier: string };
  const weights = await wordsOf(classifier, plan.weights.words);
  expect(weights).toEqual(await wordsOf(twin.classifier, plan.weights.words));
  await context.close();
});

it("tells the line and the column of a mistake, and takes the corrected file", async () => {
  const { context, page, watch } = await open(world.page, {
    scheme: "dark",
    width: 360,
  });
  await page.goto("/deploy");
  const faulty = table.with(3, "tree,much,red,true").join("\n");
  await choose(page, "garden.csv", faulty);
  await page.waitForSelector("text=60 rows and 4 columns");
  await button(page, "Train and measure").click();
  await page.waitForSelector(
    "text=line 4: column `size` has `much`, expected a number",
  );
  // The browser itself notes the refusal.
  expect(watch.noise.splice(0).join()).toMatch(/^error: [^,]* 422 \([^,]*$/);
  await expectSound(page, watch);
  await choose(page, "garden.xls", "nothing");
  await page.waitForSelector("text=tells no format");
  await choose(page, "garden.csv", table.join("\n"));
  await button(page, "Train and measure").click();
  await page.waitForSelector("text=There is no wallet in this browser");
  await context.close();
});
