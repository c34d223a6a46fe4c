import { Failure } from "../api/client.ts";
import { drawn } from "./draw.ts";
import { newId } from "./ids.ts";
import { newNonce, unsigned, type Payment } from "./payment.ts";
import { numbersOf, type Numbers, type Pool } from "./pool.ts";
import * as service from "./service.ts";
import type { OpenBody, Quotes } from "./service.ts";
import * as state from "./state.ts";
import type { Bounds, Labeling, Labeled, Rule, Work } from "./state.ts";
import * as store from "./store.ts";

/** Maximum size of a body, in bytes: the coordinator takes a little more. */
const MAX_BODY = 900_000;
/** Size of a number of six digits in a body, with its comma. */
const NUMBER = 12;
/** Maximum number of rows that a rule to stop looks at. */
const FIXED = 100;
/** Waits before the coordinator is asked again that gave no answer, in seconds. */
const WAITS = [2, 4, 8, 15, 30] as const;

/** Reason why the work stands still. */
export type Trouble =
  /** The session is unknown to the coordinator. */
  | { kind: "gone" }
  /** The next work costs more units than are left. */
  | { kind: "units"; price: number | undefined }
  /** Units must be paid for; the answer's fields have the offers. `reason` says why a payment was refused. */
  | { kind: "payment"; fields: Failure["fields"]; reason: string | undefined }
  /** The coordinator asks to wait; `until` is in milliseconds. `isPaid` if it is about a payment. */
  | { kind: "wait"; until: number; error: unknown; isPaid: boolean }
  | { kind: "refused"; error: unknown };

/** Returns the bounds of a session of rows with so many numbers. */
export function boundsOf(quotes: Quotes, features: number): Bounds {
  const { bounds } = quotes;
  const width = Math.max(1, features);
  const fits = Math.floor(MAX_BODY / (width * NUMBER + 30));
  const fixed = fixedOf(quotes, features);
  return {
    call: Math.max(1, Math.min(bounds.call, fits)),
    labels: Math.min(bounds.rows, Math.floor(bounds.numbers / width) - fixed),
  };
}

/** Returns the number of rows that a rule to stop looks at. */
export function fixedOf({ bounds }: Quotes, features: number): number {
  const quarter = Math.floor(bounds.numbers / 4 / Math.max(1, features));
  return Math.max(1, Math.min(FIXED, quarter, bounds.call));
}

/** Bounds of the rules, as docs/labels.md has them. */
const rules: Readonly<Record<Rule, OpenBody["stopping"]>> = {
  kappa: [{ kind: "kappa-average", bound: 0.99, window: 3 }],
  uncertainty: [{ kind: "overall-uncertainty", bound: 0.05 }],
  none: [],
};

/**
 * Labeling that goes on: it asks the coordinator for rows ahead of the user, teaches the labels, and
 * keeps all of it in this browser.
 */
export class Running {
  readonly pool: Pool;
  readonly numbers: Numbers;
  labeling = $state.raw<Labeling>({} as Labeling);
  trouble = $state.raw<Trouble | undefined>();
  /** `true` while the coordinator works. */
  isBusy = $state(false);
  /** `true` if the browser could store the last change. */
  isKept = $state(true);
  #bounds: Bounds | undefined;
  #attempt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;
  #kept: Promise<void> = Promise.resolve();

  constructor(pool: Pool, labeling: Labeling) {
    this.pool = pool;
    this.numbers = numbersOf(pool);
    this.labeling = labeling;
  }

  /** Units that all sessions spent. */
  get spent(): number {
    return this.labeling.before + this.labeling.units.spent;
  }

  /** Units that may still be spent. */
  get left(): number {
    const { session, account, units, options } = this.labeling;
    return session || account
      ? units.left
      : Math.max(0, options.units - this.spent);
  }

  /** Begins, or goes on after a reload. A session that ended is opened anew on demand alone. */
  start(): void {
    const { session, answers, payment } = this.labeling;
    const isPaying = payment?.header !== undefined;
    if (!session && answers.length > 0 && !isPaying)
      this.trouble = { kind: "gone" };
    else void this.#go();
  }

  /** Stops to ask the coordinator. What is kept stays. */
  stop(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  answer(label: number | undefined): void {
    this.#set(state.answered(this.labeling, label));
    this.#goOn();
  }

  undo(): void {
    this.#set(state.undone(this.labeling));
    this.#goOn();
  }

  /** Ends the questions, or begins them again. */
  end(isEnded: boolean): void {
    this.#set({ ...this.labeling, isEnded });
    if (this.trouble === undefined) this.start();
  }

  /** Closes the session: the coordinator deletes it, and the labels stay here. */
  async close(): Promise<void> {
    const { session } = this.labeling;
    if (!session) return;
    await service.close(session);
    // What was left of an account goes back.
    const { account: _, ...rest } = this.labeling;
    this.#set(state.withoutSession(rest));
  }

  /** Buys units for the session: the coordinator says what they cost, and then the wallet is asked. */
  buy(units: number): void {
    const { session } = this.labeling;
    if (!session) return;
    this.#set({
      ...this.labeling,
      payment: this.#purchase("units", units, session.id),
    });
    this.trouble = undefined;
    void this.#go();
  }

  /** Pays for the purchase by a signed transfer. It is kept before it leaves. */
  pay(header: string): void {
    const { payment } = this.labeling;
    if (!payment) return;
    this.#set({ ...this.labeling, payment: { ...payment, header } });
    void this.#go();
  }

  /** Gives up a purchase for which nothing is signed. */
  giveUp(): void {
    if (this.labeling.payment?.header !== undefined) return;
    const { payment: _, ...rest } = this.labeling;
    this.#set(rest);
    this.trouble = { kind: "units", price: undefined };
  }

  #purchase(call: Payment["call"], units: number, session?: string): Payment {
    const payment = { call, units, key: newId(), nonce: newNonce() };
    return session === undefined ? payment : { ...payment, session };
  }

  /** Opens another session, which learns all labels that are kept. */
  renew(units: number): void {
    const bare = state.withoutSession(this.labeling);
    this.#set({ ...bare, options: { ...bare.options, units } });
    this.trouble = undefined;
    void this.#go();
  }

  /** Asks again after a trouble. */
  again(): void {
    void this.#go();
  }

  /** Goes on, unless a trouble waits for the user. */
  #goOn(): void {
    if (this.trouble === undefined) void this.#go();
  }

  async #go(): Promise<void> {
    clearTimeout(this.#timer);
    if (this.isBusy || this.#isClosed) return;
    this.isBusy = true;
    try {
      let goesOn = true;
      while (goesOn && !this.#isClosed) {
        goesOn = await this.#step();
        this.#attempt = 0;
        this.trouble = undefined;
      }
    } catch (error) {
      this.#failed(error);
    } finally {
      this.isBusy = false;
    }
  }

  /** Does a piece of work. Returns `false` if there is none. */
  async #step(): Promise<boolean> {
    const { features } = this.numbers;
    if (!this.#bounds) {
      const quotes = await service.quote({});
      this.#bounds = boundsOf(quotes, features.length);
    }
    if (this.labeling.payment?.call === "units") {
      await this.#bought(this.labeling.payment);
      return true;
    }
    const filled = state.refilled(this.labeling, this.#bounds);
    if (filled !== this.labeling) this.#set(filled);
    const work = this.labeling.pending ?? this.#next(this.#bounds);
    if (!work) return false;
    const session = this.labeling.session ?? (await this.#open());
    // It is stored first: after a reload, the same key is charged once.
    await this.#kept;
    const isOn = (): boolean => this.labeling.pending?.key === work.key;
    if (!isOn() || this.#isClosed) return !this.#isClosed;
    const after = await this.#asked(session, work.key, work);
    // Another page may go on with it by now, and repeats the request by its key.
    if (this.#isClosed) return false;
    // The user may have begun anew meanwhile.
    if (isOn() && this.labeling.session?.id === session.id)
      this.#set(after(this.labeling));
    return true;
  }

  #next(bounds: Bounds): (Work & { key: string }) | undefined {
    const work = state.nextWork(this.labeling, bounds);
    if (!work) return undefined;
    const pending = { ...work, key: newId() };
    this.#set({ ...this.labeling, pending });
    return pending;
  }

  /** Asks the coordinator for work. Returns what makes the labeling after it. */
  async #asked(
    session: service.Session,
    key: string,
    work: Work,
  ): Promise<(before: Labeling) => Labeling> {
    const row = (at: number): readonly number[] => this.numbers.rows[at] ?? [];
    switch (work.kind) {
      case "teach": {
        const rows = work.labels.map(([at, y]: Labeled) => ({ x: row(at), y }));
        const { units, advice } = await service.teach(session, key, rows);
        return (before) => ({
          ...state.learned(before, rows.length, advice),
          units,
        });
      }
      case "ask": {
        const pool = work.rows.map(row);
        const found = await service.choose(session, key, pool, work.count);
        const rows = found.rows.flatMap((at) => work.rows[at] ?? []);
        return (before) => ({
          ...state.chosen(before, rows),
          units: found.units,
        });
      }
      case "guess": {
        const rows = work.rows.map(row);
        const found = await service.predict(session, key, rows);
        const guesses = new Map(
          work.rows.flatMap((at, index) => {
            const guess = found.guesses[index];
            return guess ? [[at, guess] as const] : [];
          }),
        );
        return (before) => ({
          ...state.guessed(before, guesses),
          units: found.units,
        });
      }
    }
  }

  async #open(): Promise<service.Session> {
    const { options, classes } = this.labeling;
    const { learner, strategy, seed } = options;
    const features = this.numbers.features.length;
    const stopping = rules[options.rule] ?? [];
    const quotes = await service.quote({});
    const fixed = drawn(
      this.numbers.rows,
      fixedOf(quotes, features),
      seed + 1,
    ).map((row) => [...row]);
    const units = Math.max(0, options.units - this.labeling.before);
    const payment =
      this.labeling.payment ?? this.#purchase("open", units, undefined);
    this.#set({ ...this.labeling, payment });
    await this.#kept;
    const body = {
      learner,
      strategy,
      seed,
      classes: classes.length,
      features,
      units: payment.units,
      ...(stopping.length === 0 ? {} : { stopping, fixed }),
    };
    const { account } = this.labeling;
    const opened = await service.open(body, payment, account);
    // See #step; a payment finds its session again.
    if (this.#isClosed) throw new Error("the labeling is left");
    const token = opened.token ?? account ?? "";
    const session = { id: opened.session, token };
    const isPaid = payment.header !== undefined || account !== undefined;
    const { payment: _, ...rest } = this.labeling;
    this.#set({
      ...rest,
      session,
      ...(isPaid ? { account: token } : {}),
      units: opened.units,
      isDry: false,
    });
    return session;
  }

  async #bought(payment: Payment): Promise<void> {
    await this.#kept;
    const { units } = await service.buy(payment);
    if (this.#isClosed) return;
    const { payment: _, ...rest } = this.labeling;
    this.#set({ ...rest, units: { ...rest.units, left: units.left } });
  }

  #failed(error: unknown): void {
    if (this.#isClosed) return;
    const kind = error instanceof Failure ? error.kind : undefined;
    const { payment } = this.labeling;
    if (kind === "payment-required" && error instanceof Failure && payment) {
      const reason = error.fields["error"];
      const hasPaid = payment.header !== undefined;
      this.#set({ ...this.labeling, payment: unsigned(payment, reason) });
      this.trouble = {
        kind: "payment",
        fields: error.fields,
        reason: hasPaid ? error.message : undefined,
      };
    } else if (kind === "payment-conflict" || kind === "payment-malformed") {
      // Nothing can come of it any more: a purchase begins anew only if the user says so.
      const { payment: _, ...rest } = this.labeling;
      this.#set(rest);
      this.trouble = { kind: "refused", error };
    } else if (
      kind === "unknown-session" ||
      kind === "wrong-token" ||
      kind === "answer-lost"
    ) {
      this.#set(state.withoutSession(this.labeling));
      this.trouble = { kind: "gone" };
    } else if (
      (kind === "out-of-units" || kind === "payment-required") &&
      error instanceof Failure
    ) {
      const price = error.fields["price"];
      const known = typeof price === "number" ? price : undefined;
      this.trouble = { kind: "units", price: known };
    } else if (kind === "other-request") {
      // A request that was not kept as it was sent.
      const { pending: _, ...rest } = this.labeling;
      this.#set(rest);
      this.trouble = { kind: "refused", error };
    } else if (
      error instanceof Failure &&
      (kind === "away" || error.wait !== undefined)
    ) {
      const again = WAITS[Math.min(this.#attempt, WAITS.length - 1)] ?? 2;
      this.#attempt += 1;
      const seconds = error.wait ?? again;
      this.trouble = {
        kind: "wait",
        until: Date.now() + seconds * 1_000,
        error,
        isPaid: payment?.header !== undefined,
      };
      this.#timer = setTimeout(() => this.again(), seconds * 1_000);
    } else {
      this.trouble = { kind: "refused", error };
    }
  }

  #set(labeling: Labeling): void {
    this.labeling = labeling;
    this.#kept = this.#kept
      .then(() => store.keep(labeling))
      .then(
        () => (this.isKept = true),
        () => (this.isKept = false),
      )
      .then(() => undefined);
  }
}
