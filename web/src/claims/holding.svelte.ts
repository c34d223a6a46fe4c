import type { Contribution, Model } from "../api/client.ts";
import { now } from "../live/clock.svelte.ts";
import { readOpen, readOwn, type Open } from "./read.ts";
import { itemOf, ordered, sumsOf, type Item, type Sums } from "./standing.ts";

/** What an account holds of a model: its open contributions, and on demand those that are settled. */
export class Holding {
  readonly model: Model;
  readonly account: string;
  open = $state.raw<Open | undefined>();
  error = $state.raw<unknown>();
  /** Settled contributions that were read so far; undefined until they are asked for. */
  settled = $state.raw<readonly Contribution[] | undefined>();
  settledError = $state.raw<unknown>();
  /** `true` if there are more settled contributions. */
  hasMore = $state(false);
  readonly items: readonly Item[] = $derived.by(() => this.#items());
  readonly sums: Sums = $derived(sumsOf(this.items));

  constructor(model: Model, account: string) {
    this.model = model;
    this.account = account;
  }

  /** Reads the open contributions anew, and the settled ones that are shown. */
  load = async (): Promise<void> => {
    try {
      this.open = await readOpen(this.model.trainer, this.account);
      this.error = undefined;
      if (this.settled) await this.#readSettled(this.settled.length);
    } catch (cause) {
      // What was read before stays; the line of state tells that it is old.
      if (!this.open) this.error = cause;
    }
  };

  /** Reads the next settled contributions. */
  loadSettled = async (): Promise<void> => {
    await this.#readSettled((this.settled?.length ?? 0) + 1);
  };

  /** Reads settled contributions from the first one on, until there are at least as many. */
  async #readSettled(wanted: number): Promise<void> {
    try {
      const { trainer } = this.model;
      const rows: Contribution[] = [];
      for (;;) {
        const after = rows.at(-1)?.position;
        const page = await readOwn(trainer, this.account, false, after);
        rows.push(...page.rows);
        this.hasMore = page.next !== null && page.rows.length > 0;
        if (!this.hasMore || rows.length >= wanted) break;
      }
      this.settled = rows;
      this.settledError = undefined;
    } catch (cause) {
      this.settledError = cause;
    }
  }

  #items(): Item[] {
    const [open, time] = [this.open, now()];
    if (!open || time === undefined) return [];
    return ordered(
      open.contributions.map((one) =>
        itemOf(this.model, one, open.predicted.get(one.position), time),
      ),
    );
  }
}
