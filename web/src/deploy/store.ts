import type { Address, Hex } from "../chain/rpc.ts";
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

const [NAME, TABLE] = ["cotrain-deployments-1", "deployments"] as const;

function opened(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () =>
      request.result.createObjectStore(TABLE, { keyPath: "id" });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(new Error(request.error?.message));
  });
}

async function use<T>(
  mode: IDBTransactionMode,
  request: (table: IDBObjectStore) => IDBRequest<T>,
): Promise<T> {
  const database = await opened();
  try {
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction(TABLE, mode);
      const asked = request(transaction.objectStore(TABLE));
      // What is written is safe once the transaction has ended.
      transaction.oncomplete = () => resolve(asked.result);
      transaction.onabort = () =>
        reject(new Error(transaction.error?.message ?? "it was stopped"));
    });
  } finally {
    database.close();
  }
}

/** Returns all deployments that were begun, the newest first. */
export async function all(): Promise<Deployment[]> {
  const found = await use(
    "readonly",
    (table) => table.getAll() as IDBRequest<Deployment[]>,
  );
  return found.sort((one, other) => other.begun - one.begun);
}

/** Returns a deployment as it is stored now; undefined if there is none. */
export async function find(id: string): Promise<Deployment | undefined> {
  return use(
    "readonly",
    (table) => table.get(id) as IDBRequest<Deployment | undefined>,
  );
}

/** Stores a deployment with its progress. */
export async function save(deployment: Deployment): Promise<void> {
  await use("readwrite", (table) => table.put(deployment));
}

/** Forgets a deployment. */
export async function remove(id: string): Promise<void> {
  await use("readwrite", (table) => table.delete(id));
}
