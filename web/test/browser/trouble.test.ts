import type { Page } from "playwright-core";
import { expect, it } from "vitest";
import { open, useBrowser } from "./browser.ts";
import { front } from "./front.ts";
import { injectWallet } from "./wallet.ts";
import {
  askNode,
  cotrain,
  end,
  killNode,
  serve,
  start,
  useWorld,
} from "./world.ts";

const world = await useWorld();
useBrowser();

it("tells a coordinator that is not ready or behind", async () => {
  const { context, page } = await open(world.page);
  let answer: { status: number; json: object } = {
    status: 503,
    json: { type: "/problems/not-ready", detail: "the node does not answer" },
  };
  await page.route("**/health/ready", (route) => route.fulfill(answer));
  await page.goto("/");
  await page.waitForSelector(
    "text=The coordinator is not ready: the node does not answer.",
  );
  answer = {
    status: 200,
    json: { leader: true, head: 99, models: [{ behind: 7 }] },
  };
  await page.waitForSelector(
    "text=The coordinator is 7 blocks behind the chain.",
  );
  await page.waitForSelector("text=block 99");
  answer = {
    status: 200,
    json: { leader: true, head: 99, models: [{ behind: 0 }] },
  };
  await expect
    .poll(() => page.locator(".line p").count(), { timeout: 10_000 })
    .toBe(0);
  await context.close();
});

function hide(page: Page, isHidden: boolean): Promise<void> {
  return page.evaluate((value) => {
    Object.defineProperty(document, "hidden", { value, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  }, isHidden);
}

/** Closes a tab as a user does: it may say goodbye. */
async function close(page: Page): Promise<void> {
  const closed = page.waitForEvent("close");
  await page.close({ runBeforeUnload: true });
  await closed;
}

it("holds one stream for all tabs, and none while they are hidden", async () => {
  const { page: origin, streams, opened, end } = await front(world.page);
  const { context, page } = await open(origin);
  await page.goto("/");
  await page.waitForSelector("text=3 models");
  await expect.poll(streams, { timeout: 10_000 }).toBe(1);
  // With a stream a tab, the browser would have no connection left for the seventh.
  const others = await Promise.all(
    Array.from({ length: 7 }, async () => {
      const other = await context.newPage();
      await other.goto(`/m/${world.models.text}`);
      await other.waitForSelector("textarea");
      return other;
    }),
  );
  await page.getByRole("link", { name: "films" }).click();
  await page.waitForSelector("textarea");
  expect([streams(), opened()]).toEqual([1, 1]);
  const [last] = others;
  if (!last) throw new Error("no other tab");
  for (const other of others) if (other !== last) await close(other);
  await hide(page, true);
  expect([streams(), opened()]).toEqual([1, 1]);
  await hide(last, true);
  await expect.poll(streams, { timeout: 10_000 }).toBe(0);
  await hide(page, false);
  await expect.poll(streams, { timeout: 10_000 }).toBe(1);
  // A tab that is closed holds none, either.
  await close(page);
  await expect.poll(streams, { timeout: 10_000 }).toBe(0);
  await hide(last, false);
  await expect.poll(streams, { timeout: 10_000 }).toBe(1);
  expect(opened()).toBe(3);
  await context.close();
  end();
});

it("tells each tab, and one that was hidden what it missed", async () => {
  const { context, page } = await open(world.page);
  const other = await context.newPage();
  for (const tab of [page, other]) {
    await tab.goto(`/m/${world.models.picture}`);
    await tab.waitForSelector("text=Nobody has contributed yet.");
  }
  await hide(other, true);
  const args = ["--model", "digits", "--label", "0", "--dev", "1", "--yes"];
  args.push("--allow-clipped");
  args.push("--row", Array.from({ length: 64 }, (_, at) => at % 17).join(","));
  await cotrain(world.state, "contribute", ...args);
  await page.waitForSelector("text=/1 contribution$/");
  expect(await other.locator("text=Nobody has contributed").count()).toBe(1);
  await hide(other, false);
  await other.waitForSelector("text=/1 contribution$/");
  await context.close();
});

it("reads anew what came while it was hidden, before the first event", async () => {
  const { context, page } = await open(world.page);
  await page.goto(`/m/${world.models.row}`);
  await page.waitForSelector("text=Nobody has contributed yet.");
  await hide(page, true);
  const args = ["--model", "plants", "--row", "22,red,true"];
  args.push("--label", "tree", "--dev", "1", "--yes");
  await cotrain(world.state, "contribute", ...args);
  // Its event has passed before the page is seen again.
  await expect
    .poll(async () => {
      const path = `/v1/events?trainer=${world.models.row}`;
      return (await fetch(world.page + path)).text();
    })
    .toContain('"contributed"');
  await hide(page, false);
  await page.waitForSelector("text=/1 contribution$/");
  await context.close();
});

it("tells that it may not ask, keeps what it has, and asks again once it may", async () => {
  const { context, page } = await open(world.page);
  await page.goto(`/m/${world.models.text}`);
  const input = page.getByLabel("Your text");
  await input.fill("dull");
  let refused = 0;
  await page.route("**/weights", (route) => {
    refused += 1;
    return refused > 1
      ? route.continue()
      : route.fulfill({
          status: 429,
          headers: { "retry-after": "1" },
          json: { type: "/problems/rate-limited", detail: "too many" },
        });
  });
  const args = ["--model", "films", "--text", "dull", "--label", "negative"];
  await cotrain(world.state, "contribute", ...args, "--dev", "1", "--yes");
  await page.waitForSelector("text=the page asks again after 1 second.");
  expect(await input.inputValue()).toBe("dull");
  expect(await page.locator(".answer .class").innerText()).toBe("negative");
  await expect.poll(() => refused).toBe(2);
  await expect.poll(() => page.locator(".line p").count()).toBe(0);
  await context.close();
});

it("loads itself anew, once, if a part of it is gone", async () => {
  const { context, page } = await open(world.page);
  let loads = 0;
  page.on("request", (request) => {
    if (request.isNavigationRequest()) loads += 1;
  });
  let isGone = true;
  await page.route("**/assets/ModelPage-*.js", (route) =>
    isGone ? route.fulfill({ status: 404 }) : route.continue(),
  );
  await page.goto(`/m/${world.models.text}`);
  await page.waitForSelector("text=This could not be loaded.");
  expect(loads).toBe(2);
  isGone = false;
  await page.reload();
  await page.getByLabel("Your text").fill("dull");
  await context.close();
});

it("compares anew while the model learns, and tells no difference", async () => {
  const { context, page } = await open(world.page);
  let asked = 0;
  await page.route("**/predict", async (route) => {
    asked += 1;
    const response = await route.fetch();
    const json = (await response.json()) as { block: number };
    const label = { label: 1, class: "positive", score: 0.9 };
    const other = { ...json, block: json.block + 1, predictions: [label] };
    await route.fulfill({ response, json: asked === 1 ? other : json });
  });
  await page.goto(`/m/${world.models.text}`);
  await page.getByLabel("Your text").fill("dull");
  await page.getByRole("button", { name: "Compare with the contract" }).click();
  await page.waitForSelector("text=The coordinator computes the same class");
  expect(asked).toBe(2);
  await context.close();
});

it("tells a model that the coordinator does not follow", async () => {
  const { context, page } = await open(world.page);
  await page.goto(`/m/0x${"0".repeat(39)}1`);
  await page.waitForSelector("h1:has-text('This model is not followed here')");
  await page.getByRole("link", { name: "Go to the models" }).click();
  await page.waitForSelector("text=3 models");
  await context.close();
});

it("tells what became of a transaction whose node was killed and came back", async () => {
  const { page: origin, end } = await serve(world);
  const { context, page } = await open(origin);
  const wallet = await injectWallet(context, world, { devIndex: 5 });
  await page.goto(`/m/${world.models.text}/teach`);
  await page.getByLabel("Your text").fill("a warm and touching comedy");
  await page.getByRole("radio", { name: "positive" }).check();
  await page.getByRole("button", { name: "Add to the list" }).click();
  const main = page.locator("main");
  await main.getByRole("button", { name: "Test wallet" }).click();
  await askNode(world, "evm_setAutomine", false);
  await page.getByRole("button", { name: "Teach 1 example" }).click();
  await main.getByText("It waits for a block.").waitFor();
  const { pending } = await askNode<{
    pending: Record<string, Record<string, { hash: string }>>;
  }>(world, "txpool_content");
  const [{ hash } = { hash: "" }] = Object.values(pending).flatMap((it) =>
    Object.values(it),
  );
  const raw = await askNode(world, "eth_getRawTransactionByHash", hash);

  const comeBack = await killNode(world);
  await page.waitForSelector("text=The coordinator is not ready");
  // Nobody can know what became of it, so it is told to be pending, also after a reload.
  await main.getByText("It waits for a block.").waitFor();
  await page.reload();
  await page.waitForSelector("text=The coordinator is not ready");
  await page.waitForSelector("header >> text=1 pending");

  // The node has forgotten what was in no block.
  comeBack();
  await expect
    .poll(() => page.locator(".line p").count(), { timeout: 40_000 })
    .toBe(0);
  await main.getByText("The network forgot it").first().waitFor();
  // Wallets send such a one again.
  await askNode(world, "eth_sendRawTransaction", raw);
  await main.getByText("Done, in block").waitFor();
  await main.getByText("What happens next").waitFor();
  const path = `/v1/models/${world.models.text}/contributions`;
  const made = await fetch(`${origin}${path}?author=${wallet.address()}`);
  expect(await made.json()).toMatchObject({ rows: [{ transaction: hash }] });
  await context.close();
  await end();
});

it("outlasts a coordinator that is killed and comes back", async () => {
  const { context, page } = await open(world.page);
  await page.goto(`/m/${world.models.text}`);
  const input = page.getByLabel("Your text");
  await input.fill("a warm and funny film");
  await end(world, "SIGKILL");
  await page.waitForSelector("text=The coordinator has not answered since");
  // The model is in the page, so it goes on answering.
  await input.fill("dull");
  expect(await page.locator(".answer .class").innerText()).toBe("negative");
  await page.getByRole("button", { name: "Compare with the contract" }).click();
  await page.waitForSelector("text=The coordinator does not answer.");
  await start(world.state, world.ports);
  await expect
    .poll(() => page.locator(".line p").count(), { timeout: 40_000 })
    .toBe(0);
  expect(await input.inputValue()).toBe("dull");
  await page.getByRole("button", { name: "Compare with the contract" }).click();
  await page.waitForSelector("text=The coordinator computes the same class");
  await context.close();
});
