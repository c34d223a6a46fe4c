import { join } from "node:path";
import { expect, it } from "vitest";
import { expectSound, open, useBrowser } from "./browser.ts";
import { cotrain, useWorld } from "./world.ts";

const { page: origin, state } = await useWorld();
useBrowser();

const SAMPLES = '[id="data.train_samples"]';

it("runs a scenario with changed numbers, and shows who gained and lost", async () => {
  const { context, page, watch } = await open(origin);
  await page.goto("/simulate");
  await page.getByLabel("Choose a scenario").selectOption("digits");
  await page.getByText("Data and run").click();
  await page.fill(SAMPLES, "150");
  await page
    .getByLabel("Wait before a deposit can be taken back (days)")
    .fill("2");
  await page.getByText("2 numbers changed").waitFor();
  await page.getByLabel("Seed").fill("5");
  await page.getByRole("button", { name: "Run it" }).click();

  const card = page.getByRole("article", { name: "digits, seed 5" });
  await card.getByRole("table").waitFor({ timeout: 60_000 });
  const id = await page.evaluate(
    () => JSON.parse(sessionStorage.getItem("cotrain:simulations") ?? "")[0].id,
  );
  const view = await (await fetch(`${origin}/v1/simulations/${id}`)).json();
  const { final } = view.summary.accuracy as { final: number };
  await card
    .getByText(`${(final * 100).toFixed(1)} %`)
    .first()
    .waitFor();
  const rows = await card.locator("tbody tr").allInnerTexts();
  expect(rows.map((row) => row.split("\t").slice(0, 2).join())).toEqual([
    "Good,harmless",
    "Bad,hostile",
  ]);

  // The saved scenario gives the same run elsewhere, by the command that is shown.
  const download = page.waitForEvent("download");
  await card.getByRole("button", { name: "Save the scenario" }).click();
  const file = join(state, (await download).suggestedFilename());
  await (await download).saveAs(file);
  await card.getByText("cotrain simulate digits.toml --seed 5").waitFor();
  const options = ["--seed", "5", "--json", "--quiet"];
  const out = join(state, "digits-run");
  const elsewhere = JSON.parse(
    await cotrain(state, "simulate", file, ...options, "--out", out),
  ) as { digest: string };
  expect(view.summary.digest).toBe(elsewhere.digest);

  // Its charts are drawn in a frame that reaches neither this page nor its coordinator.
  await card.getByText("Charts and all figures").click();
  const frame = page.frameLocator("iframe");
  await frame.locator("canvas").first().waitFor();
  const reached = await frame.locator("body").evaluate(async () => {
    const asked = await fetch("/v1/models").then(
      () => "answered",
      () => "refused",
    );
    return [origin, asked];
  });
  expect(reached).toEqual(["null", "refused"]);
  // What was tried here is told in the console.
  expect(
    watch.noise
      .splice(0)
      .every((it) =>
        /Content Security Policy|Failed to load|violates/.test(it),
      ),
  ).toBe(true);
  await expectSound(page, watch);

  // The session keeps its runs, and forgets one on demand.
  await page.reload();
  await card.getByRole("table").waitFor();
  await card.getByRole("button", { name: "Forget" }).click();
  await page.getByText("No run yet.").waitFor();
  const gone = await fetch(`${origin}/v1/simulations/${id}`);
  expect(gone.status).toBe(404);
  await context.close();
});

it("tells in words what it does not run, and cancels what runs", async () => {
  const { context, page } = await open(origin);
  await page.goto("/simulate");
  await page.getByLabel("Choose a scenario").waitFor();
  // A number beyond its bounds is shown, also in a part that is closed.
  await page.evaluate(() => {
    const input = document.getElementById("agents.Good.mistakes");
    if (!(input instanceof HTMLInputElement)) throw new Error("no input");
    input.value = "101";
    input.dispatchEvent(new Event("input", { bubbles: true }));
  });
  await page.getByRole("button", { name: "Run it" }).click();
  await page.locator('[id="agents.Good.mistakes"]:visible').waitFor();
  expect(await page.getByRole("article").count()).toBe(0);

  await page.getByLabel("Choose a scenario").selectOption("Your own, as text");
  const text = page.getByLabel("Your scenario, in TOML");
  const toml = await text.inputValue();
  expect(toml).toContain('source = "movie-reviews"');
  await text.fill(
    toml.replace(
      'source = "movie-reviews"',
      'source = "csv"\ntrain = "/etc/passwd"\nlabel = "a"\ntext = "b"',
    ),
  );
  await page.getByRole("button", { name: "Run it" }).click();
  await page.getByRole("alert").getByText("the scenario reads files").waitFor();
  await text.fill(toml);
  await page.getByRole("button", { name: "Run it" }).click();
  const card = page.getByRole("article", { name: "own, seed 1" });
  await card.getByText(/of .* contributions/).waitFor({ timeout: 60_000 });
  expect(await page.getByRole("alert").count()).toBe(0);
  await card.getByRole("button", { name: "Cancel" }).click();
  await page.getByText("No run yet.").waitFor();
  await context.close();
});
