import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import {
  chromium,
  type Browser,
  type BrowserContext,
  type Page,
} from "playwright-core";
import { afterAll, beforeAll, expect } from "vitest";

const axe = readFileSync(
  createRequire(import.meta.url).resolve("axe-core/axe.min.js"),
  "utf8",
);
const executablePath = process.env["CHROMIUM"] ?? "/usr/bin/chromium";

/** What a page has done so far. */
export interface Watch {
  /** Messages in the console, and errors that nobody caught. */
  noise: string[];
  /** Requests to other origins. */
  strangers: string[];
}

/** Size and colors of a view. */
export interface View {
  scheme: "light" | "dark";
  width: number;
  /** Size of the text that the reader has chosen, in percent. */
  textSize?: number;
}

let browser: Browser;

/** Starts a browser for the tests of a file. */
export function useBrowser(): void {
  beforeAll(async () => {
    browser = await chromium.launch({
      executablePath,
      args: ["--no-sandbox", "--disable-dev-shm-usage"],
    });
  });
  afterAll(() => browser.close());
}

/** Opens a view, and watches what its page does. */
export async function open(
  origin: string,
  view: View = { scheme: "light", width: 1280 },
  options: { reducedMotion?: "reduce"; forcedColors?: "active" } = {},
): Promise<{ context: BrowserContext; page: Page; watch: Watch }> {
  const context = await browser.newContext({
    baseURL: origin,
    viewport: { width: view.width, height: 800 },
    colorScheme: view.scheme,
    ...options,
  });
  // Layout shifts are counted from the first paint to the first input: what follows one may come
  // late, from a chain or a wallet.
  await context.addInitScript(() => {
    const shifts = { sum: 0 };
    Reflect.set(window, "shifts", shifts);
    let isTouched = false;
    for (const kind of ["pointerdown", "keydown"])
      addEventListener(kind, () => (isTouched = true), { capture: true });
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) {
        if (!isTouched && Reflect.get(entry, "hadRecentInput") !== true) {
          shifts.sum += Number(Reflect.get(entry, "value"));
        }
      }
    }).observe({ type: "layout-shift", buffered: true });
  });
  if (view.textSize !== undefined) {
    await context.addInitScript((size) => {
      addEventListener("DOMContentLoaded", () => {
        document.documentElement.style.fontSize = size;
      });
    }, `${view.textSize}%`);
  }
  const page = await context.newPage();
  const watch: Watch = { noise: [], strangers: [] };
  page.on("console", (message) =>
    watch.noise.push(`${message.type()}: ${message.text()}`),
  );
  page.on("pageerror", (error) => watch.noise.push(String(error)));
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(`${origin}/`) && !url.startsWith("data:"))
      watch.strangers.push(url);
  });
  return { context, page, watch };
}

/** Checks what holds of every page. */
export async function expectSound(page: Page, watch: Watch): Promise<void> {
  // A script of the page's own origin alone may run, so axe comes by the debugger.
  await page.evaluate(axe);
  const found = await page.evaluate(async () => {
    const tool = Reflect.get(window, "axe") as typeof import("axe-core");
    const tags = [
      "wcag2a",
      "wcag2aa",
      "wcag21a",
      "wcag21aa",
      "wcag22aa",
      "best-practice",
    ];
    const { violations } = await tool.run(document, {
      runOnly: { type: "tag", values: tags },
      resultTypes: ["violations"],
    });
    return violations.map(
      ({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`,
    );
  });
  expect(found).toEqual([]);
  const { width, room, shifts } = await page.evaluate(() => ({
    width: document.documentElement.scrollWidth,
    room: window.innerWidth,
    shifts: (Reflect.get(window, "shifts") as { sum: number }).sum,
  }));
  expect(width, "width of the content").toBeLessThanOrEqual(room);
  expect(shifts, "sum of layout shifts").toBeLessThan(0.05);
  expect(watch.noise, "messages in the console").toEqual([]);
  expect(watch.strangers, "requests to other origins").toEqual([]);
}

/** Checks that nothing is wider than its room, and that all that can be used can be reached. */
export async function expectRoom(page: Page, state: string): Promise<void> {
  const faults = await page.evaluate(() => {
    const root = document.documentElement;
    const dialog = document.querySelector("dialog[open]");
    const faults: string[] = [];
    for (const box of [root, ...(dialog ? [dialog] : [])]) {
      const over = box.scrollWidth - box.clientWidth;
      if (over > 0) faults.push(`${box.tagName} is ${over} px too wide`);
    }
    const usable = "button, a[href], input, select, textarea, summary";
    for (const one of (dialog ?? document).querySelectorAll(usable)) {
      if (!one.checkVisibility() || one.closest("[inert]")) continue;
      one.scrollIntoView({ block: "center", behavior: "instant" });
      const { left, right, top, bottom, width } = one.getBoundingClientRect();
      // A link of one pixel, or beside the page, is there for the keyboard alone.
      if (width <= 1 || right <= 0) continue;
      const name = `${one.tagName} ${one.textContent.trim().slice(0, 40)}`;
      if (left < 0 || right > root.clientWidth)
        faults.push(`${name} reaches from ${left} to ${right} px`);
      const middle = (Math.max(top, 0) + Math.min(bottom, innerHeight)) / 2;
      const hit = document.elementFromPoint(left + width / 2, middle);
      if (hit !== one && !one.contains(hit) && !hit?.contains(one))
        faults.push(`${name} is covered by ${hit?.outerHTML.slice(0, 80)}`);
    }
    scrollTo(0, 0);
    return faults;
  });
  expect(faults, state).toEqual([]);
}
