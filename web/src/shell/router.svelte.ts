import { tick } from "svelte";
import { routeOf, type Route } from "./routes.ts";

let current = $state<Route>(routeOf(location.pathname));

/** Returns the page that is shown. */
export function route(): Route {
  return current;
}

/** Goes to a path of this page. */
export function go(path: string): void {
  history.pushState(null, "", path);
  show(true);
}

function show(isNew: boolean): void {
  current = routeOf(location.pathname);
  void tick().then(() => {
    // Screen readers and the keyboard go on at the beginning of the new page.
    document.getElementById("content")?.focus({ preventScroll: true });
    if (isNew) window.scrollTo(0, 0);
  });
}

/** Follows the history, and links within the page. Returns how to stop. */
export function start(): () => void {
  const back = (): void => show(false);
  const click = (event: MouseEvent): void => {
    const path = inner(event);
    if (path === undefined) return;
    event.preventDefault();
    if (path !== location.pathname) go(path);
  };
  window.addEventListener("popstate", back);
  document.addEventListener("click", click);
  return () => {
    window.removeEventListener("popstate", back);
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
  return link.dataset["served"] === undefined ? link.pathname : undefined;
}
