import { Hub, type Said, type Told } from "./stream.ts";

/** Interval at which a tab that is seen says so, in milliseconds. */
const SIGN = 10_000;

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
/** Time at which the stream stopped, in milliseconds; undefined while it runs. */
let stopped = $state<number | undefined>();
/** Tells the holder of the stream; undefined while this page follows none. */
let say: ((said: Said) => void) | undefined;

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

function hear(told: Told): void {
  if (told.kind === "gap") tell(undefined);
  else if (told.kind === "open") stopped = undefined;
  else if (told.kind === "stopped") stopped = told.since;
  else {
    let event: ModelEvent;
    try {
      event = JSON.parse(told.data) as ModelEvent;
    } catch {
      return;
    }
    tell(event);
  }
}

/** Follows by a stream of this page alone. Returns how to tell its holder. */
function alone(): (said: Said) => void {
  const hub = new Hub<"page">((_, told) => hear(told));
  return (said) => hub.hear("page", said);
}

/**
 * Follows by the stream that all tabs of this browser share. Returns how to tell its holder, which
 * is this page itself once the other one does not answer.
 */
function shared(): (said: Said) => void {
  let worker: SharedWorker;
  try {
    worker = new SharedWorker(new URL("./worker.ts", import.meta.url), {
      type: "module",
    });
  } catch {
    return alone();
  }
  let own: ((said: Said) => void) | undefined;
  /** Time since which an answer is awaited; undefined if none is. */
  let awaited: number | undefined;
  const takeOver = (): void => {
    if (own) return;
    worker.port.close();
    own = alone();
    own({ kind: "here", isVisible: !document.hidden });
  };
  worker.onerror = takeOver;
  worker.port.onmessage = ({
    data,
  }: MessageEvent<Told | { kind: "heard" }>) => {
    awaited = undefined;
    if (data.kind !== "heard" && !own) hear(data);
  };
  return (said) => {
    if (own) return own(said);
    const now = performance.now();
    if (now - (awaited ?? now) > SIGN / 2) return takeOver();
    awaited ??= now;
    worker.port.postMessage(said);
  };
}

/** Opens the stream anew, since the coordinator came back. */
export function restart(): void {
  say?.({ kind: "restart" });
}

/** Follows the events while the page is seen. Returns how to stop. */
export function start(): () => void {
  const said = "SharedWorker" in window ? shared() : alone();
  say = said;
  let timer: ReturnType<typeof setInterval> | undefined;
  const sign = (): void => said({ kind: "here", isVisible: !document.hidden });
  // A page that is left becomes hidden afterwards.
  let isLeft = false;
  const seen = (): void => {
    clearInterval(timer);
    if (isLeft) return;
    if (!document.hidden) timer = setInterval(sign, SIGN);
    sign();
  };
  const leave = (event: PageTransitionEvent): void => {
    clearInterval(timer);
    isLeft = true;
    said(
      event.persisted ? { kind: "here", isVisible: false } : { kind: "left" },
    );
  };
  const comeBack = (event: PageTransitionEvent): void => {
    if (!event.persisted) return;
    isLeft = false;
    seen();
  };
  document.addEventListener("visibilitychange", seen);
  window.addEventListener("pagehide", leave);
  window.addEventListener("pageshow", comeBack);
  seen();
  return () => {
    clearInterval(timer);
    document.removeEventListener("visibilitychange", seen);
    window.removeEventListener("pagehide", leave);
    window.removeEventListener("pageshow", comeBack);
    said({ kind: "left" });
    say = undefined;
  };
}
