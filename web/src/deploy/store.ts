import type { Address, Hex } from "../chain/rpc.ts";
import { Database } from "../parts/database.ts";
import type { Plan } from "./service.ts";
import type { Contracts } from "./steps.ts";

/** Progress of one step. */
export interface Progress {
  /** State of the account when the wallet was asked; the answer may have come after a reload. */
  asked?: { nonce: number; block: number };
  /** Transaction that was sent. */
  sent?: { hash: Hex; id: string };
  /** Transaction in a block, with its cost in wei. */
  done?: { hash: Hex; block: number; cost: string };
}

/** Deployment that was begun in this browser. The file that it was planned from is not part of it. */
export interface Deployment {
  id: string;
  /** Time of its beginning on this computer, in milliseconds. */
  begun: number;
  account: Address;
  /** Hash of the chain's first block, as far as it is known. */
  genesis: string | undefined;
  plan: Plan;
  contracts: Contracts;
  /** Progress of each step that was begun, by name. */
  steps: Record<string, Progress>;
  isClosed: boolean;
}

const TABLE = "deployments";
const database = new Database("cotrain-deployments-1", [TABLE]);

/** Returns all deployments that were begun, the newest first. */
export async function all(): Promise<Deployment[]> {
  const found = await database.use(
    TABLE,
    "readonly",
    (table) => table.getAll() as IDBRequest<Deployment[]>,
  );
  return found.sort((one, other) => other.begun - one.begun);
}

/** Returns a deployment as it is stored now; undefined if there is none. */
export async function find(id: string): Promise<Deployment | undefined> {
  return database.use(
    TABLE,
    "readonly",
    (table) => table.get(id) as IDBRequest<Deployment | undefined>,
  );
}

/** Stores a deployment with its progress. */
export async function save(deployment: Deployment): Promise<void> {
  await database.use(TABLE, "readwrite", (table) => table.put(deployment));
}

/** Forgets a deployment. */
export async function remove(id: string): Promise<void> {
  await database.use(TABLE, "readwrite", (table) => table.delete(id));
}
