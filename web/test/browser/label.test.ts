import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { gunzipSync } from "node:zlib";
import { verifyTypedData } from "ethers";
import type { Page } from "playwright-core";
import { expect, it } from "vitest";
import { expectRoom, expectSound, open, useBrowser } from "./browser.ts";
import { injectWallet } from "./wallet.ts";
import { end, start, useWorld } from "./world.ts";

const world = await useWorld();
const { page: origin } = world;
useBrowser();

/** Digit of each picture of the example. */
const digits = gunzipSync(readFileSync("../crates/learning/data/digits.csv.gz"))
  .toString()
  .trim()
  .split("\n")
  .map((line) => line.split(",").at(-1) ?? "");

const rowTitle = "h2#row:has-text('Row ')";

/** Returns the row that is asked for, once there is one, from 0. */
async function askedRow(page: Page): Promise<number> {
  const title = await page.locator(rowTitle).innerText();
  return Number(/Row ([\d,]+) of/.exec(title)?.[1]?.replace(",", "")) - 1;
}

/** Goes by the tabulator to what has a name. */
async function tabTo(page: Page, name: string): Promise<void> {
  for (let presses = 0; presses < 60; presses += 1) {
    await page.keyboard.press("Tab");
    const found = await page.evaluate(
      () => document.activeElement?.textContent.trim() ?? "",
    );
    if (found.startsWith(name)) return;
  }
  throw new Error(`the keyboard does not reach ${name}`);
}

/** Answers a row by the key of its true class. Returns what the page says to it. */
async function answer(
  page: Page,
  key: (row: number) => string,
): Promise<string> {
  await page.locator(rowTitle).waitFor();
  const row = await askedRow(page);
  await page.keyboard.press(key(row));
  const told = page.locator(".told");
  await expect
    .poll(() => told.innerText())
    .toMatch(new RegExp(`^Row ${row + 1} is `));
  return told.innerText();
}

const figure = async (page: Page, name: string): Promise<string> =>
  page.locator(`dt:has-text("${name}") + dd`).innerText();

async function saved(page: Page, button: string): Promise<string> {
  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: button }).click();
  return readFile(await (await download).path(), "utf8");
}

it("labels pictures by the keyboard alone, over a reload, and gives the model", async () => {
  const { context, page, watch } = await open(origin);
  await page.goto("/label");
  await page.getByText(/enough for about/).waitFor();
  const bound = await page
    .getByLabel("Spend at most, in units")
    .getAttribute("placeholder");
  await tabTo(page, "Open the session");
  await page.keyboard.press("Enter");
  await page.locator(rowTitle).waitFor();
  expect(await page.locator("svg[role=img]").count()).toBe(1);
  expect(await page.evaluate(() => document.activeElement?.tagName)).toBe("H1");
  await expectSound(page, watch);

  const [random, chosen] = [
    { right: 0, of: 0 },
    { right: 0, of: 0 },
  ];
  const labels: string[] = [];
  async function label(count: number): Promise<void> {
    for (let at = 0; at < count; at += 1) {
      await page.locator(rowTitle).waitFor();
      const isRandom =
        (await page.locator(".badge").innerText()) === "random row";
      if (isRandom)
        expect(await page.getByText("The model guesses").count()).toBe(0);
      const row = await askedRow(page);
      const told = await answer(page, (row) => digits[row] ?? "");
      labels.push(`${row}:${digits[row]}`);
      const counted = isRandom ? random : chosen;
      if (told.includes("had guessed")) counted.of += 1;
      if (told.includes("had guessed it")) counted.right += 1;
    }
  }
  await label(24);

  // A mistake is undone, and a row is skipped.
  const row = await askedRow(page);
  const wrong = String((Number(digits[row]) + 1) % 10);
  await answer(page, () => wrong);
  await page.keyboard.press("u");
  await page.getByText(`The answer to row ${row + 1} is undone.`).waitFor();
  expect(await askedRow(page)).toBe(row);
  await label(1);
  const skipped = await askedRow(page);
  await page.keyboard.press("s");
  await page.getByText(`Row ${skipped + 1} is skipped.`).waitFor();

  // All of it is there after a reload, without another session.
  const session = await stored(page);
  await page.reload();
  await page.locator(rowTitle).waitFor();
  expect(await figure(page, "Labels")).toBe("25 of 800");
  expect(await figure(page, "Skipped")).toBe("1");
  expect(await stored(page)).toBe(session);
  await label(35);
  expect(await page.locator(rowTitle).innerText()).not.toContain(
    `Row ${skipped + 1} of`,
  );

  // Each figure is that of the guesses before the labels, kept apart.
  const text = ({ right, of }: typeof random): string => `(${right} of ${of})`;
  expect(random.of).toBeGreaterThan(3);
  expect(await figure(page, "On random rows")).toContain(text(random));
  expect(await figure(page, "On chosen rows")).toContain(text(chosen));
  await page.getByText("With a chance of 95 %").waitFor();
  await expectSound(page, watch);

  await tabTo(page, "End and get the model");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Take it along" }).waitFor();
  await expect.poll(() => figure(page, "Learned")).toBe("60");
  const count = (text: string): number => Number(text.replaceAll(",", ""));
  const [spent, left] = [
    count(await figure(page, "Units spent")),
    count(await figure(page, "Units left")),
  ];
  expect(spent + left).toBe(count(bound ?? ""));
  expect(spent).toBeGreaterThan(60);
  await expectSound(page, watch);

  const csv = (await saved(page, "Labels (CSV)")).trim().split("\r\n");
  expect(csv[0]?.split(",").slice(-2)).toEqual(["px63", "label"]);
  expect(csv.slice(1).map((line) => line.split(",").at(-1))).toEqual(
    labels.map((one) => one.split(":")[1]),
  );
  const model = JSON.parse(await saved(page, "Model (JSON)")) as object;
  expect(model).toHaveProperty("format", "cotrain-learner/1");
  const onnx = page.waitForEvent("download");
  await page.getByRole("button", { name: "Model (ONNX)" }).click();
  expect((await onnx).suggestedFilename()).toBe("digits-model.onnx");
  const bytes = await readFile(await (await onnx).path());
  expect(bytes.includes("cotrain")).toBe(true);
  const columns = JSON.parse(await saved(page, "How rows become numbers"));
  expect(columns.features).toHaveLength(64);
  expect(columns.features[0]).toEqual({
    column: "px0",
    kind: "pixel",
    max: 16,
  });

  await page.getByRole("button", { name: "Close the session" }).click();
  await page.getByText("The session is closed.").waitFor();
  const [id, token] = session.split(" ");
  const gone = await fetch(`${origin}/v1/label/sessions/${id}`, {
    headers: { authorization: `Bearer ${token}` },
  });
  expect(gone.status).toBe(404);
  await expectSound(page, watch);
  await context.close();
});

/** Returns the session that the browser keeps. */
function stored(page: Page): Promise<string> {
  return page.evaluate(
    () =>
      new Promise<string>((done) => {
        const request = indexedDB.open("cotrain-labelings-1");
        request.onsuccess = () => {
          const table = request.result
            .transaction("labelings")
            .objectStore("labelings")
            .getAll();
          table.onsuccess = () => {
            const [{ session }] = table.result as [
              { session: { id: string; token: string } },
            ];
            request.result.close();
            done(`${session.id} ${session.token}`);
          };
        };
      }),
  );
}

/** Opens a session on a table with hostile names. */
async function openTable(page: Page): Promise<void> {
  await page.goto("/label");
  await page.getByLabel("My own table").check();
  const bad = `<img src=x onerror="alert(1)">\u202e${"W".repeat(5_000)}`;
  const quoted = `"${bad.replaceAll('"', '""')}"`;
  const lines = Array.from({ length: 60 }, (_, at) => {
    const note = at === 0 ? `"<b>bold</b>, ""said"""` : `note ${at}`;
    return `${at % 20},${(at * 7) % 11},${note},${at < 4 ? (at % 2 ? quoted : "ok") : ""}`;
  });
  await page.getByLabel("CSV or TSV file").setInputFiles({
    name: `${"<i>x</i>".repeat(20)}.csv`,
    mimeType: "text/csv",
    buffer: Buffer.from(`size,${quoted},note,class\n${lines.join("\n")}\n`),
  });
  await page.getByText("60 rows with 4 columns.").waitFor();
}

it("takes hostile names as text, and begins with the labels of the file", async () => {
  const view = { scheme: "light", width: 360 } as const;
  const { context, page, watch } = await open(origin, view);
  await openTable(page);
  await page.getByText("4 labels of the file will be learned").waitFor();
  await expectSound(page, watch);
  await page.getByRole("button", { name: "Open the session" }).click();
  await page.locator(rowTitle).waitFor();
  // The four labels of the file are learned, so there is a guess at once.
  await page.getByText("The model guesses").waitFor();
  await page
    .getByText('<img src=x onerror="alert(1)">\\u{202e}WWW')
    .first()
    .waitFor();
  expect(await figure(page, "Labels")).toBe("4 of 60");
  for (let at = 0; at < 8; at += 1)
    await answer(page, (row) => (row % 20 < 10 ? "1" : "2"));
  await expectSound(page, watch);
  expect(await page.locator("main b, main i, main img").count()).toBe(0);
  const text = await page.locator("main").innerText();
  expect(text.length).toBeLessThan(6_000);
  const csv = await saved(page, "Save the labels");
  expect(csv.split("\r\n")[1]).toContain(`"<b>bold</b>, ""said"""`);
  // It is in the list of what was begun, and can be forgotten.
  await page.getByRole("button", { name: "Other rows" }).click();
  await page.getByText("12 labels, 60 rows").waitFor();
  await page.getByRole("button", { name: /^Go on with/ }).click();
  await page.locator(rowTitle).waitFor();
  expect(await figure(page, "Labels")).toBe("12 of 60");
  await page.getByRole("button", { name: "Other rows" }).click();
  const forget = page.getByRole("button", { name: /^Forget/ });
  await forget.click();
  await page.getByText("Nothing brings them back.").waitFor();
  await expectSound(page, watch);
  await forget.click();
  await expect.poll(() => forget.count()).toBe(0);
  expect(watch.noise).toEqual([]);
  await context.close();
});

it("keeps the labels when the coordinator ends, and goes on in a new session on demand", async () => {
  const { context, page } = await open(origin);
  await openTable(page);
  await page.getByRole("button", { name: "Open the session" }).click();
  for (let at = 0; at < 6; at += 1) await answer(page, () => "1");
  const before = Number(await figure(page, "Units spent"));
  await end(world, "SIGINT");
  // The rows of the queue can be answered meanwhile.
  for (let at = 0; at < 3; at += 1) await answer(page, () => "2");
  await page.getByText("The coordinator cannot go on just now").waitFor();
  const labels = await figure(page, "Labels");
  await start(world.state, world.ports);
  await page.getByText("The session has ended").waitFor({ timeout: 60_000 });
  expect(await figure(page, "Labels")).toBe(labels);
  // Nothing is opened by itself, not by a reload either.
  await page.reload();
  await page.getByText("The session has ended").waitFor();
  await page.getByText(/It learns \d+ labels again/).waitFor();
  expect(await figure(page, "Learned")).toBe("0");
  await page
    .getByRole("button", { name: "Open a new session with my labels" })
    .click();
  await expect.poll(() => figure(page, "Learned")).not.toBe("0");
  await expect
    .poll(() => page.getByText("The session has ended").count())
    .toBe(0);
  const spent = Number((await figure(page, "Units spent")).replace(",", ""));
  expect(spent).toBeGreaterThan(before + 10);
  await answer(page, () => "1");
  await context.close();
});

it("stops at the bound of units, tells the price of the next step, and takes a higher bound", async () => {
  const { context, page, watch } = await open(origin);
  await openTable(page);
  const field = page.getByLabel("Spend at most, in units");
  await page.getByText(/enough for about/).waitFor();
  await field.fill("1");
  const little = await page.getByText("too little to begin").innerText();
  const least = /: ([\d,]+) units/.exec(little)?.[1]?.replace(",", "") ?? "";
  await field.fill(least);
  await page.getByRole("button", { name: "Open the session" }).click();
  for (let at = 0; at < 5; at += 1) {
    if ((await page.getByText("The units are spent").count()) > 0) break;
    await answer(page, () => "1");
  }
  await page.getByText("The units are spent").waitFor();
  await page
    .getByText(/The next step costs \d+ units?, and \d+ units? (is|are) left/)
    .waitFor();
  expect(watch.noise.every((it) => it.includes("402"))).toBe(true);
  watch.noise.length = 0;
  await expectSound(page, watch);
  await page.getByRole("button", { name: "Open a new session" }).click();
  await expect
    .poll(() => page.getByText("The units are spent").count())
    .toBe(0);
  await page.locator(rowTitle).waitFor();
  await answer(page, () => "2");
  await context.close();
});

it("does nothing by keys that are switched off, and lets one tab alone go on", async () => {
  const { context, page } = await open(origin);
  await openTable(page);
  await page.getByRole("button", { name: "Open the session" }).click();
  await page.locator(rowTitle).waitFor();
  await page.keyboard.press("?");
  await page.getByRole("dialog").getByText("undo the last answer").waitFor();
  await page.getByLabel("Use these keys").uncheck();
  await page.keyboard.press("Escape");
  const row = await askedRow(page);
  for (const key of ["1", "s", "u", "?"]) await page.keyboard.press(key);
  expect(await askedRow(page)).toBe(row);
  expect(await page.locator("dialog[open]").count()).toBe(0);
  await page.getByRole("button", { name: "ok", exact: true }).click();
  await page.getByText(`Row ${row + 1} is ok.`).waitFor();
  // The focus stays where the hand is.
  const focused = await page.evaluate(
    () => document.activeElement?.textContent,
  );
  expect(focused?.trim()).toBe("ok");

  const other = await context.newPage();
  await other.goto("/label");
  await other.getByRole("button", { name: /^Go on with/ }).click();
  await other.getByText("open in another tab").waitFor();
  await page.close();
  await other.getByRole("button", { name: /^Go on with/ }).click();
  await other.locator(rowTitle).waitFor();
  await context.close();
});

it.each([360, 768])("has room for text of 200 % at %d px", async (width) => {
  const view = { scheme: "light", width, textSize: 200 } as const;
  const { context, page } = await open(origin, view);
  await openTable(page);
  await page.getByText(/enough for about/).waitFor();
  await page.getByText("More choices").click();
  await expectRoom(page, "setup");
  await page.getByRole("button", { name: "Open the session" }).click();
  await page.getByText("The model guesses").waitFor();
  for (let at = 0; at < 9; at += 1) await answer(page, () => "1");
  await expectRoom(page, "session");
  await context.route("**/v1/label/sessions/**", (route) =>
    route.fulfill({
      status: 404,
      contentType: "application/problem+json",
      json: { type: "/problems/unknown-session", title: "x", detail: "x" },
    }),
  );
  await page.getByRole("button", { name: "End and get the model" }).click();
  await page.getByText("The session has ended").waitFor();
  await expectRoom(page, "ended");
  await context.close();
});

/** Offer of units, as a coordinator sends it that takes money. */
const offer = {
  scheme: "exact",
  network: "eip155:31337",
  amount: "250000",
  asset: `0x${"ab".repeat(20)}`,
  payTo: `0x${"cd".repeat(20)}`,
  maxTimeoutSeconds: 300,
  extra: {
    assetTransferMethod: "eip3009",
    name: "<b>USD</b> Coin",
    version: "2",
  },
};

it("pays for an opening by the wallet, and asks for no second payment while the first is not decided", async () => {
  const view = { scheme: "light", width: 360 } as const;
  const { context, page, watch } = await open(origin, view);
  const wallet = await injectWallet(context, world, {
    devIndex: 6,
    name: "One",
  });
  const sent: { key: string | undefined; payment: string | undefined }[] = [];
  const problem = (type: string, more: object = {}): string =>
    JSON.stringify({
      type: `/problems/${type}`,
      title: type,
      detail: type,
      ...more,
    });
  let undecided = 2;
  await context.route("**/v1/label/sessions", async (route) => {
    const headers = route.request().headers();
    const payment = headers["payment-signature"];
    sent.push({ key: headers["idempotency-key"], payment });
    const type = { contentType: "application/problem+json" };
    if (payment === undefined) {
      const body = problem("payment-required", {
        x402Version: 2,
        accepts: [offer],
      });
      return route.fulfill({ ...type, status: 402, body });
    }
    if (undecided > 0) {
      undecided -= 1;
      const body = problem("payment-pending");
      const wait = { "retry-after": "2" };
      return route.fulfill({ ...type, status: 503, body, headers: wait });
    }
    return route.continue();
  });
  await openTable(page);
  await page.getByRole("button", { name: "Open the session" }).click();
  await page.getByText(/^Pay for [\d,]+ units\.$/).waitFor();
  await page.getByText("250000 of the smallest unit").waitFor();
  await page.getByText(offer.asset).waitFor();
  await page.getByText(offer.payTo).waitFor();
  const main = page.locator("main");
  await main.getByRole("button", { name: "One", exact: true }).click();
  const sign = main.getByRole("button", { name: /^Sign and pay/ });
  await sign.waitFor();
  await expectSound(page, { ...watch, noise: [] });
  wallet.reject();
  await sign.click();
  await main.getByText("You declined in the wallet.").waitFor();
  expect(sent).toHaveLength(1);
  await sign.click();
  await page.getByText("Do not pay again.").waitFor();
  // The same payment goes on after a reload.
  await page.reload();
  await page.locator(rowTitle).waitFor({ timeout: 30_000 });
  expect(await sign.count()).toBe(0);
  const paid = sent.filter(({ payment }) => payment !== undefined);
  expect(paid.length).toBeGreaterThan(1);
  expect(new Set(paid.map(({ payment }) => payment)).size).toBe(1);
  expect(new Set(sent.map(({ key }) => key)).size).toBe(1);

  // What was signed is a transfer of the offer by the account, and nothing else.
  const json = Buffer.from(paid[0]?.payment ?? "", "base64").toString();
  const { accepted, payload } = JSON.parse(json) as {
    accepted: unknown;
    payload: { signature: string; authorization: Record<string, string> };
  };
  expect(accepted).toEqual(offer);
  const { authorization, signature } = payload;
  expect(authorization["to"]).toBe(offer.payTo);
  expect(authorization["value"]).toBe(offer.amount);
  const text = (name: string, type: string) => ({ name, type });
  const domain = {
    name: offer.extra.name,
    version: offer.extra.version,
    chainId: 31_337,
    verifyingContract: offer.asset,
  };
  const types = {
    TransferWithAuthorization: [
      text("from", "address"),
      text("to", "address"),
      text("value", "uint256"),
      text("validAfter", "uint256"),
      text("validBefore", "uint256"),
      text("nonce", "bytes32"),
    ],
  };
  const signer = verifyTypedData(domain, types, authorization, signature);
  expect(signer.toLowerCase()).toBe(wallet.address().toLowerCase());
  expect(authorization["from"]?.toLowerCase()).toBe(signer.toLowerCase());
  expect(await page.locator("main b").count()).toBe(0);
  await context.close();
});

it.each([360, 768])(
  "has room for text of 200 % in a payment at %d px",
  async (width) => {
    const view = { scheme: "light", width, textSize: 200 } as const;
    const { context, page } = await open(origin, view);
    await injectWallet(context, world, { devIndex: 6, name: "One" });
    await context.route("**/v1/label/sessions", (route) =>
      route.fulfill({
        status: 402,
        contentType: "application/problem+json",
        json: {
          type: "/problems/payment-required",
          title: "pay",
          detail: "pay",
          accepts: [offer, { ...offer, asset: `0x${"ef".repeat(20)}` }],
        },
      }),
    );
    await openTable(page);
    await page.getByRole("button", { name: "Open the session" }).click();
    await page.getByLabel("Pay with").waitFor();
    await expectRoom(page, "payment");
    await page
      .locator("main")
      .getByRole("button", { name: "One", exact: true })
      .click();
    await page.getByRole("button", { name: /^Sign and pay/ }).waitFor();
    await expectRoom(page, "payment, connected");
    await context.close();
  },
);
