const KEY = "cotrain-reloaded";
/** Time in which a second reload would not help either, in milliseconds. */
const PAUSE = 60_000;

/** Reloads the page, unless it has just done so. Returns `true` if it does. */
export function reloadOnce(): boolean {
  const last = Number(sessionStorage.getItem(KEY) ?? 0);
  if (Date.now() - last < PAUSE) return false;
  sessionStorage.setItem(KEY, String(Date.now()));
  location.reload();
  return true;
}
