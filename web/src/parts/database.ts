/** Database of this browser: each table has objects with an `id`. */
export class Database {
  readonly #name: string;
  readonly #tables: readonly string[];

  /** The number in a name is that of the form of what is stored. */
  constructor(name: string, tables: readonly string[]) {
    this.#name = name;
    this.#tables = tables;
  }

  /** Does something with a table, in a transaction of its own. */
  async use<T>(
    table: string,
    mode: IDBTransactionMode,
    request: (table: IDBObjectStore) => IDBRequest<T>,
  ): Promise<T> {
    const database = await this.#opened();
    try {
      return await new Promise((resolve, reject) => {
        const transaction = database.transaction(table, mode);
        const asked = request(transaction.objectStore(table));
        // What is written is safe once the transaction has ended.
        transaction.oncomplete = () => resolve(asked.result);
        transaction.onabort = () =>
          reject(new Error(transaction.error?.message ?? "it was stopped"));
      });
    } finally {
      database.close();
    }
  }

  #opened(): Promise<IDBDatabase> {
    return new Promise((resolve, reject) => {
      const request = indexedDB.open(this.#name, 1);
      request.onupgradeneeded = () => {
        for (const table of this.#tables)
          request.result.createObjectStore(table, { keyPath: "id" });
      };
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(new Error(request.error?.message));
    });
  }
}
