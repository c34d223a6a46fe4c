import { Database } from "../parts/database.ts";
import type { Pool } from "./pool.ts";
import { isLabeling, type Labeling } from "./state.ts";

const [POOLS, LABELINGS] = ["pools", "labelings"] as const;
/** Key of the labeling that is open in this tab. */
const OPEN = "cotrain:labeling";

const database = new Database("cotrain-labelings-1", [POOLS, LABELINGS]);

/** Returns all labelings that were begun in this browser, the newest first. */
export async function all(): Promise<Labeling[]> {
  const found = await database.use(
    LABELINGS,
    "readonly",
    (table) => table.getAll() as IDBRequest<unknown[]>,
  );
  return found.filter(isLabeling).sort((one, other) => other.begun - one.begun);
}

/** Returns a labeling with its pool; undefined if they are not there. */
export async function find(
  id: string,
): Promise<{ labeling: Labeling; pool: Pool } | undefined> {
  const labeling = await database.use(
    LABELINGS,
    "readonly",
    (table) => table.get(id) as IDBRequest<unknown>,
  );
  const pool = await database.use(
    POOLS,
    "readonly",
    (table) => table.get(id) as IDBRequest<Pool | undefined>,
  );
  return isLabeling(labeling) && pool && pool.rows.length === labeling.rows
    ? { labeling, pool }
    : undefined;
}

/** Stores the rows of a labeling, which do not change any more. */
export async function keepPool(pool: Pool): Promise<void> {
  await database.use(POOLS, "readwrite", (table) => table.put(pool));
}

/** Stores a labeling as it is now. */
export async function keep(labeling: Labeling): Promise<void> {
  await database.use(LABELINGS, "readwrite", (table) => table.put(labeling));
}

/** Forgets a labeling and its rows. */
export async function forget(id: string): Promise<void> {
  await database.use(LABELINGS, "readwrite", (table) => table.delete(id));
  await database.use(POOLS, "readwrite", (table) => table.delete(id));
}

/** Returns the labeling that was open in this tab before a reload. */
export function openBefore(): string | undefined {
  try {
    return sessionStorage.getItem(OPEN) ?? undefined;
  } catch {
    return undefined;
  }
}

/** Notes which labeling is open in this tab. */
export function noteOpen(id: string | undefined): void {
  try {
    if (id === undefined) sessionStorage.removeItem(OPEN);
    else sessionStorage.setItem(OPEN, id);
  } catch {
    // Then it is opened from the list after a reload.
  }
}
