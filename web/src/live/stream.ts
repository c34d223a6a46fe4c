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
/** Time without a sign after which a tab counts as hidden: it may have crashed. In milliseconds. */
const SILENT = 30_000;
/** Time in which several tabs that notice a comeback of the coordinator mean the same one. */
const TOGETHER = 8_000;
/** Time for which events are kept for a tab that comes while it reads its first data. */
const RECENT = 5_000;
/** Maximum number of events that are kept for a tab. */
const KEPT = 100;

/** What a tab is told. */
export type Told =
  | { kind: "open" }
  /** Updates stopped, at a time in milliseconds. */
  | { kind: "stopped"; since: number }
  /** An event, as the coordinator wrote it. */
  | { kind: "event"; data: string }
  /** Some events may have been missed. */
  | { kind: "gap" };

/** What a tab tells. */
export type Said =
  /** It is there, and its user sees it or not. */
  { kind: "here"; isVisible: boolean } | { kind: "restart" } | { kind: "left" };

interface Tab {
  isVisible: boolean;
  /** Time of its last sign, in milliseconds. */
  heard: number;
  /** Events that it has not been told; undefined if they are too many. */
  missed: string[] | undefined;
}

/**
 * One event stream for many tabs. It is open while a user sees one of them, since a browser opens
 * only six connections to a server. A tab that was hidden is told what it missed.
 */
export class Hub<Key> {
  readonly #tabs = new Map<Key, Tab>();
  readonly #tell: (tab: Key, told: Told) => void;
  #source: EventSource | undefined;
  /** Id of the last event. */
  #last: string | undefined;
  #recent: { at: number; data: string }[] = [];
  /** `true` once a stream was asked for. */
  #hasBegun = false;
  #stopped: number | undefined;
  #wait: number = SOON;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #silence: ReturnType<typeof setInterval> | undefined;
  #restarted = Number.NEGATIVE_INFINITY;

  constructor(tell: (tab: Key, told: Told) => void) {
    this.#tell = tell;
  }

  /** Hears what a tab says. */
  hear(key: Key, said: Said): void {
    if (said.kind === "restart") this.#restart();
    else if (said.kind === "left") this.#tabs.delete(key);
    else this.#see(key, said.isVisible);
    this.#openOrClose();
  }

  #see(key: Key, isVisible: boolean): void {
    const now = Date.now();
    const tab = this.#tabs.get(key) ?? {
      isVisible: false,
      heard: now,
      missed: this.#recent
        .filter(({ at }) => now - at < RECENT)
        .map(({ data }) => data),
    };
    this.#tabs.set(key, tab);
    tab.heard = now;
    tab.isVisible = isVisible;
    if (!isVisible) return;
    this.#tellState(key);
    const { missed } = tab;
    tab.missed = [];
    if (!missed) this.#tell(key, { kind: "gap" });
    for (const data of missed ?? []) this.#tell(key, { kind: "event", data });
  }

  #tellState(key: Key): void {
    const since = this.#stopped;
    if (since !== undefined) this.#tell(key, { kind: "stopped", since });
    else if (this.#source?.readyState === EventSource.OPEN) {
      this.#tell(key, { kind: "open" });
    }
  }

  #openOrClose(): void {
    const isSeen = [...this.#tabs.values()].some((tab) => tab.isVisible);
    if (!isSeen) return this.#close();
    this.#silence ??= setInterval(() => this.#listenForSigns(), SILENT / 2);
    if (!this.#source && this.#retry === undefined) this.#open();
  }

  #listenForSigns(): void {
    const now = Date.now();
    for (const tab of this.#tabs.values()) {
      if (now - tab.heard > SILENT) tab.isVisible = false;
    }
    this.#openOrClose();
  }

  #open(): void {
    const after = this.#last;
    const query =
      after === undefined ? "" : `?after=${encodeURIComponent(after)}`;
    const isAgain = this.#hasBegun;
    this.#hasBegun = true;
    const source = new EventSource(`/v1/events/stream${query}`);
    this.#source = source;
    let wasOpen = false;
    source.onopen = () => {
      this.#stopped = undefined;
      this.#wait = SOON;
      for (const key of this.#tabs.keys()) this.#tellState(key);
      // Before the first event there is no id to go on from.
      if ((isAgain || wasOpen) && this.#last === undefined) this.#tellGap();
      wasOpen = true;
    };
    source.onerror = () => {
      this.#stopped ??= Date.now();
      for (const key of this.#tabs.keys()) this.#tellState(key);
      // The browser connects again by itself, except after an answer that is no stream.
      if (source.readyState !== EventSource.CLOSED) return;
      this.#source = undefined;
      this.#retry = setTimeout(() => {
        this.#retry = undefined;
        this.#openOrClose();
      }, this.#wait);
      this.#wait = Math.min(2 * this.#wait, LATE);
    };
    const read = ({ data, lastEventId }: MessageEvent<string>): void => {
      this.#last = lastEventId;
      this.#tellEvent(data);
    };
    for (const kind of KINDS) source.addEventListener(kind, read);
  }

  #close(): void {
    clearTimeout(this.#retry);
    clearInterval(this.#silence);
    this.#source?.close();
    this.#retry = this.#silence = this.#source = undefined;
  }

  #tellEvent(data: string): void {
    const now = Date.now();
    this.#recent = [...this.#recent, { at: now, data }].slice(-KEPT);
    for (const [key, tab] of this.#tabs) {
      if (tab.isVisible) this.#tell(key, { kind: "event", data });
      else if (tab.missed) {
        tab.missed.push(data);
        if (tab.missed.length > KEPT) tab.missed = undefined;
      }
    }
  }

  #tellGap(): void {
    for (const [key, tab] of this.#tabs) {
      if (tab.isVisible) this.#tell(key, { kind: "gap" });
      else tab.missed = undefined;
    }
  }

  /**
   * Opens the stream anew, from the next event on. A coordinator that came back may follow another
   * chain, whose events have lower ids.
   */
  #restart(): void {
    const now = Date.now();
    if (now - this.#restarted < TOGETHER) return;
    this.#restarted = now;
    this.#last = undefined;
    this.#close();
  }
}
