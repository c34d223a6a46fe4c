/** Kinds of events that change what the page shows of a model or a market. */
const KINDS = [
  "contributed",
  "relayed",
  "skipped",
  "refunded",
  "announced",
  "reported",
  "claimed-late",
  "deposited",
  "withdrawn",
  "rolled-back",
  "accuracy",
  "committed",
  "drawn",
  "revealed",
  "restarted",
  "copied",
  "advanced",
  "scored",
  "lesson-failed",
  "balance-changed",
  "removed",
  "settlement-advanced",
  "pass-settled",
  "collected",
  "remainder-collected",
  "forfeited",
] as const;

/** Shortest and longest time before another attempt, in milliseconds. */
const [SOON, LATE] = [2_000, 30_000] as const;

/** Event of a model, as far as the page reads it. */
export interface ModelEvent {
  id: number;
  trainer: string;
  kind: string;
  block: number;
}

/** Hears each event; undefined if some may have been missed, so anything may have changed. */
type Listener = (event: ModelEvent | undefined) => void;

const listeners = new Set<Listener>();
let source: EventSource | undefined;
let last: string | undefined;
/** `true` once a stream was open. */
let wasOpen = false;
let wait: number = SOON;
let retry: ReturnType<typeof setTimeout> | undefined;
/** Time at which the stream stopped, in milliseconds; undefined while it runs. */
let stopped = $state<number | undefined>();

/** Returns the time at which live updates stopped, undefined while they come. */
export const stoppedAt = (): number | undefined => stopped;

/** Calls a function for each event, and after a gap. Returns how to stop. */
export function listen(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function tell(event: ModelEvent | undefined): void {
  for (const listener of listeners) listener(event);
}

function read(message: MessageEvent<string>): void {
  last = message.lastEventId;
  let event: ModelEvent;
  try {
    event = JSON.parse(message.data) as ModelEvent;
  } catch {
    return;
  }
  tell(event);
}

function open(): void {
  close();
  // A hidden page holds no connection: a browser opens only six to a server. Once it is seen again,
  // the coordinator sends what came after the last event.
  if (document.hidden) return;
  const query = last === undefined ? "" : `?after=${encodeURIComponent(last)}`;
  source = new EventSource(`/v1/events/stream${query}`);
  source.onopen = () => {
    stopped = undefined;
    wait = SOON;
    // Before the first event there is no id to go on from.
    if (wasOpen && last === undefined) tell(undefined);
    wasOpen = true;
  };
  source.onerror = () => {
    stopped ??= Date.now();
    // The browser connects again by itself, except after an answer that is no stream.
    if (source?.readyState !== EventSource.CLOSED) return;
    close();
    retry = setTimeout(open, wait);
    wait = Math.min(2 * wait, LATE);
  };
  for (const kind of KINDS) source.addEventListener(kind, read);
}

function close(): void {
  clearTimeout(retry);
  source?.close();
  source = undefined;
}

/**
 * Opens the stream anew, from the next event on. A coordinator that came back may follow another
 * chain, whose events have lower ids.
 */
export function restart(): void {
  last = undefined;
  open();
}

/** Opens the one stream of this page. Returns how to close it. */
export function start(): () => void {
  document.addEventListener("visibilitychange", open);
  open();
  return () => {
    document.removeEventListener("visibilitychange", open);
    close();
  };
}
