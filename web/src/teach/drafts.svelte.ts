import type { Model } from "../api/client.ts";
import type { Given } from "../model/form.ts";
import { isGiven } from "./originals.ts";

/** Example that is not sent yet. */
export interface Draft {
  id: string;
  given: Given;
  label: number;
  /** `true` if it is sent although something speaks against it. */
  isWanted: boolean;
}

/** Maximum number of drafts of a model. */
export const MAX_DRAFTS = 500;

interface Saved {
  given: Given | undefined;
  label: number | undefined;
  drafts: Draft[];
}

/**
 * Drafts of a model, and the input in the form: kept in this browser, whoever is connected. All tabs
 * share the list, so each change is made to what is stored.
 */
export class Drafts {
  readonly #key: string;
  readonly #classes: number;
  list = $state.raw<readonly Draft[]>([]);
  /** Input in the form; undefined before anything is typed. */
  given = $state.raw<Given | undefined>();
  /** Class that is chosen in the form. */
  label = $state<number | undefined>();
  /** `true` if the browser could store the last change. */
  isKept = $state(true);

  constructor({ chainId, trainer, classes }: Model) {
    this.#key = `cotrain-drafts:${chainId}:${trainer.toLowerCase()}`;
    this.#classes = classes;
    const saved = this.#read();
    this.list = saved.drafts;
    this.given = saved.given;
    this.label = saved.label;
  }

  /** Follows the changes of other tabs. Returns how to stop. */
  follow(): () => void {
    const hear = ({ key }: StorageEvent): void => {
      if (key === this.#key || key === null) this.list = this.#read().drafts;
    };
    window.addEventListener("storage", hear);
    return () => window.removeEventListener("storage", hear);
  }

  get isFull(): boolean {
    return this.list.length >= MAX_DRAFTS;
  }

  /** Notes what is typed and chosen. */
  type(given: Given | undefined, label: number | undefined): void {
    this.given = given;
    this.label = label;
    this.#change((list) => list);
  }

  add(examples: readonly { given: Given; label: number }[]): void {
    const begin = Date.now().toString(36);
    const added = examples.map(({ given, label }, index) => ({
      id: `${begin}-${index}-${this.list.length}`,
      given,
      label,
      isWanted: false,
    }));
    this.#change((list) => [...list, ...added].slice(0, MAX_DRAFTS));
  }

  /** Takes a draft out of the queue into the form. */
  edit(id: string): void {
    const draft = this.list.find((one) => one.id === id);
    if (!draft) return;
    this.remove(new Set([id]));
    this.type(draft.given, draft.label);
  }

  want(id: string, isWanted: boolean): void {
    this.#change((list) =>
      list.map((one) => (one.id === id ? { ...one, isWanted } : one)),
    );
  }

  remove(ids: ReadonlySet<string>): void {
    this.#change((list) => list.filter((one) => !ids.has(one.id)));
  }

  /** Changes the list that is stored, or that of this page if the browser stored nothing of it. */
  #change(by: (list: readonly Draft[]) => readonly Draft[]): void {
    this.list = by(this.isKept ? this.#read().drafts : this.list);
    const saved: Partial<Saved> = { drafts: [...this.list] };
    if (this.given) saved.given = this.given;
    if (this.label !== undefined) saved.label = this.label;
    try {
      localStorage.setItem(this.#key, JSON.stringify(saved));
      this.isKept = true;
    } catch {
      this.isKept = false;
    }
  }

  #read(): Saved {
    const nothing = { given: undefined, label: undefined, drafts: [] };
    try {
      const text = localStorage.getItem(this.#key);
      if (text === null) return nothing;
      const saved = JSON.parse(text) as Record<string, unknown>;
      const isLabel = (value: unknown): value is number =>
        Number.isSafeInteger(value) &&
        (value as number) >= 0 &&
        (value as number) < this.#classes;
      const drafts = Array.isArray(saved["drafts"]) ? saved["drafts"] : [];
      return {
        given: isGiven(saved["given"]) ? saved["given"] : undefined,
        label: isLabel(saved["label"]) ? saved["label"] : undefined,
        drafts: (drafts as Partial<Draft>[]).flatMap((one) =>
          isGiven(one.given) && isLabel(one.label) && typeof one.id === "string"
            ? [
                {
                  id: one.id,
                  given: one.given,
                  label: one.label,
                  isWanted: one.isWanted === true,
                },
              ]
            : [],
        ),
      };
    } catch {
      return nothing;
    }
  }
}
