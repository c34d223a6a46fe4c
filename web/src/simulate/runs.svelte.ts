import { Failure } from "../api/client.ts";
import { cancel, getSimulation, submit, type Simulation } from "./api.ts";
import type { SimulationBody } from "./api.ts";

/** Interval between two questions while a run goes on, in milliseconds. */
const INTERVAL = 500;
const STORED = "cotrain:simulations";

/** Run of this session. */
export interface Run {
  id: string;
  scenario: string;
  seed: number;
  /** Changed numbers in words. */
  changes: string[];
  /** Newest state; undefined until it was read. */
  view: Simulation | undefined;
  /** `true` if the coordinator has forgotten it. */
  isForgotten: boolean;
  /** Reason why it could not be read last. */
  error: unknown;
}

type Stored = Pick<Run, "id" | "scenario" | "seed" | "changes">;

/** Runs that were asked for in this session, newest first. They survive a reload. */
export class Runs {
  list = $state.raw<readonly Run[]>(stored());
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;

  /** Asks for a run. */
  async add(body: SimulationBody, changes: string[]): Promise<void> {
    const view = await submit(body);
    const { id, scenario, seed } = view;
    const run = { id, scenario, seed, changes, view };
    this.#set([{ ...run, isForgotten: false, error: undefined }, ...this.list]);
    this.#later();
  }

  /** Ends a run, and forgets it. */
  async remove(id: string): Promise<void> {
    await cancel(id);
    this.#set(this.list.filter((run) => run.id !== id));
  }

  /** Reads the state of each run until all have ended. Returns how to stop. */
  start(): () => void {
    this.#stopped = false;
    void this.#read();
    return () => {
      this.#stopped = true;
      clearTimeout(this.#timer);
    };
  }

  async #read(): Promise<void> {
    for (const { id } of this.list.filter(goesOn)) {
      const [view, error] = await getSimulation(id).then(
        (view) => [view, undefined] as const,
        (error: unknown) => [undefined, error] as const,
      );
      if (this.#stopped) return;
      const isForgotten =
        error instanceof Failure && error.kind === "unknown-simulation";
      this.list = this.list.map((run) =>
        run.id === id
          ? { ...run, view: view ?? run.view, isForgotten, error }
          : run,
      );
    }
    this.#later();
  }

  #later(): void {
    clearTimeout(this.#timer);
    if (this.#stopped || !this.list.some(goesOn)) return;
    this.#timer = setTimeout(() => void this.#read(), INTERVAL);
  }

  #set(list: Run[]): void {
    this.list = list;
    const kept = list.map(({ id, scenario, seed, changes }): Stored => {
      return { id, scenario, seed, changes };
    });
    try {
      sessionStorage.setItem(STORED, JSON.stringify(kept));
    } catch {
      // Without storage, the list ends with the page.
    }
  }
}

/** Returns `true` if the state of a run may still change. */
export function goesOn({ view, isForgotten }: Run): boolean {
  const state = view?.state;
  return !isForgotten && state !== "done" && state !== "failed";
}

function stored(): Run[] {
  try {
    const list: unknown = JSON.parse(sessionStorage.getItem(STORED) ?? "[]");
    if (!Array.isArray(list)) return [];
    return list.filter(isStored).map((run) => ({
      ...run,
      view: undefined,
      isForgotten: false,
      error: undefined,
    }));
  } catch {
    return [];
  }
}

function isStored(value: unknown): value is Stored {
  const of = (value ?? {}) as Partial<Record<keyof Stored, unknown>>;
  return (
    typeof of.id === "string" &&
    /^[0-9a-f]{32}$/.test(of.id) &&
    typeof of.scenario === "string" &&
    typeof of.seed === "number" &&
    Array.isArray(of.changes) &&
    of.changes.every((change) => typeof change === "string")
  );
}
