import { untrack } from "svelte";
import { listen } from "./events.svelte.ts";
import { comebacks } from "./health.svelte.ts";
import { renewal } from "./renewal.ts";
import { allowedAfter, readBadly, readWell } from "./reread.svelte.ts";

/** Time in which events are gathered before a list is read anew, in milliseconds. */
const GATHERED = 1_000;

/** Rows of a list, with `true` if there are no more. */
export interface Listed<T> {
  readonly rows: readonly T[];
  readonly isComplete: boolean;
}

/** A list that is read in pages, and anew as events come. Made while its component is made. */
export class Listing<T> {
  rows = $state.raw<readonly T[] | undefined>();
  isComplete = $state(true);
  error = $state.raw<unknown>();
  /** Number of rows that are wanted at least. */
  #wanted = $state(1);
  #isLeft = false;
  readonly #page: (last: T | undefined) => Promise<Listed<T>>;
  readonly #heard: (listed: Listed<T>) => void;
  readonly #reading = renewal(() => this.#load(), GATHERED);

  /** `page` reads what follows a row, `heard` takes the whole list, and `kept` is there at once. */
  constructor(
    page: (last: T | undefined) => Promise<Listed<T>>,
    heard: (listed: Listed<T>) => void,
    kept?: Listed<T>,
  ) {
    this.#page = page;
    this.#heard = heard;
    if (kept) ({ rows: this.rows, isComplete: this.isComplete } = kept);
    $effect(() => {
      comebacks();
      untrack(this.#reading.now);
    });
    $effect(() => {
      const deafen = listen(this.#reading.ask);
      return () => {
        this.#isLeft = true;
        deafen();
        this.#reading.stop();
        readWell();
      };
    });
  }

  /** Returns `true` while more rows are asked for than there are. */
  get isMoreWanted(): boolean {
    return this.rows !== undefined && this.#wanted > this.rows.length;
  }

  /** Reads the list at once. */
  again = (): void => this.#reading.now();

  /** Reads a page more. */
  more = (): void => {
    this.#wanted = (this.rows?.length ?? 0) + 1;
    this.#reading.now();
  };

  /** Reads as many rows as are shown or wanted. Returns the time after which to try again. */
  async #load(): Promise<number | undefined> {
    const least = Math.max(this.rows?.length ?? 0, this.#wanted);
    try {
      let read: readonly T[] = [];
      let isComplete = false;
      while (read.length < least && !isComplete) {
        const page = await this.#page(read.at(-1));
        read = [...read, ...page.rows];
        ({ isComplete } = page);
      }
      this.rows = read;
      this.isComplete = isComplete;
      this.error = undefined;
      this.#wanted = 1;
      this.#heard({ rows: read, isComplete });
      if (!this.#isLeft) readWell();
      return undefined;
    } catch (cause) {
      if (this.rows === undefined || this.isMoreWanted) this.error = cause;
      else if (!this.#isLeft) return readBadly([cause]);
      return allowedAfter(cause);
    }
  }
}
