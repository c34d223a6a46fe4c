import { tick } from "svelte";
import { routeOf, type Route } from "./routes.ts";

/** Time without scrolling after which its position is noted, in milliseconds. */
const REST = 150;
/** Time in which a page may grow to the height that it had, in milliseconds. */
const GROWTH = 5_000;

let current = $state<Route>(routeOf(location.pathname));
let query = $state(location.search);

/** Returns the page that is shown. */
export function route(): Route {
  return current;
}

/** Returns the query of the page that is shown: it begins with `?`, or is empty. */
export function search(): string {
  return query;
}

/** Goes to a path of this page, which may have a query. */
export function go(path: string): void {
  note();
  history.pushState(null, "", path);
  show();
  void tick().then(() => window.scrollTo(0, 0));
}

/** Changes the query of the page that is shown, so that it is there on coming back. */
export function setSearch(parameters: URLSearchParams): void {
  const text = parameters.toString();
  query = text === "" ? "" : `?${text}`;
  try {
    history.replaceState(history.state, "", `${location.pathname}${query}`);
  } catch {
    // Some browsers allow few changes in a short time; then the address lags behind.
  }
}

function show(): void {
  stopRestoring?.();
  current = routeOf(location.pathname);
  query = location.search;
  // Screen readers and the keyboard go on at the beginning of the new page.
  void tick().then(() =>
    document.getElementById("content")?.focus({ preventScroll: true }),
  );
}

/** Ends the wait for a page to grow; undefined if there is none. */
let stopRestoring: (() => void) | undefined;

/** Notes how far the page is scrolled in its entry of the history. */
function note(): void {
  if (stopRestoring) return;
  try {
    history.replaceState({ ...history.state, scroll: window.scrollY }, "");
  } catch {
    // See above; then the page is shown from its beginning on coming back.
  }
}

/** Scrolls as far as the entry of the history says, once the page is high enough. */
function restore(): void {
  const noted = (history.state as { scroll?: number } | null)?.scroll;
  if (noted === undefined && location.hash !== "") return;
  const wanted = noted ?? 0;
  const inputs = ["wheel", "touchstart", "pointerdown", "keydown"] as const;
  const stop = (): void => {
    stopRestoring = undefined;
    clearTimeout(timer);
    growth.disconnect();
    for (const input of inputs) window.removeEventListener(input, stop);
  };
  const growth = new ResizeObserver(() => {
    const { scrollHeight } = document.documentElement;
    if (scrollHeight - window.innerHeight < wanted) return;
    window.scrollTo(0, wanted);
    stop();
  });
  const timer = setTimeout(stop, GROWTH);
  // Who begins to read elsewhere is not torn away.
  for (const input of inputs) window.addEventListener(input, stop);
  stopRestoring = stop;
  void tick().then(() => growth.observe(document.body));
}

/** Follows the history, and links within the page. Returns how to stop. */
export function start(): () => void {
  let rest: ReturnType<typeof setTimeout> | undefined;
  const back = (): void => {
    show();
    restore();
  };
  const click = (event: MouseEvent): void => {
    const path = inner(event);
    if (path === undefined) return;
    event.preventDefault();
    if (path !== location.pathname + location.search) go(path);
  };
  const scrolled = (): void => {
    clearTimeout(rest);
    rest = setTimeout(note, REST);
  };
  // The content of a page comes after the browser would scroll.
  history.scrollRestoration = "manual";
  restore();
  window.addEventListener("popstate", back);
  window.addEventListener("scroll", scrolled, { passive: true });
  document.addEventListener("click", click);
  return () => {
    clearTimeout(rest);
    window.removeEventListener("popstate", back);
    window.removeEventListener("scroll", scrolled);
    document.removeEventListener("click", click);
  };
}

/** Returns the path of a clicked link that this page can follow without loading. */
function inner(event: MouseEvent): string | undefined {
  const held = event.metaKey || event.ctrlKey || event.shiftKey || event.altKey;
  if (event.defaultPrevented || event.button !== 0 || held) return undefined;
  const link = event.target instanceof Element && event.target.closest("a");
  if (!link || link.target || link.hasAttribute("download")) return undefined;
  if (link.origin !== location.origin || link.hash) return undefined;
  return link.dataset["served"] === undefined
    ? link.pathname + link.search
    : undefined;
}
