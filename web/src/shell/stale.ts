/** Time in which a second reload would not help either, in milliseconds. */
const PAUSE = 60_000;

/**
 * Reloads the page, unless it has just done so. Returns `true` if it does.
 *
 * The time stands in the history, which outlasts a reload, and which no browser forbids.
 */
export function reloadOnce(): boolean {
  const state = (history.state ?? {}) as { reloaded?: number };
  if (Date.now() - (state.reloaded ?? 0) < PAUSE) return false;
  history.replaceState({ ...state, reloaded: Date.now() }, "");
  location.reload();
  return true;
}
