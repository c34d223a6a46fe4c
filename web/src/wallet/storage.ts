/** Key of the transactions that were sent; the number is that of their form. */
export const JOURNAL = "cotrain-transactions-1";

/** Returns a stored value; undefined if there is none, or if the browser stores nothing. */
export function stored(key: string): string | undefined {
  try {
    return localStorage.getItem(key) ?? undefined;
  } catch {
    return undefined;
  }
}

/** Returns the keys that begin so, and have a value. */
export function keysOf(beginning: string): string[] {
  try {
    return Array.from(
      { length: localStorage.length },
      (_, at) => localStorage.key(at) ?? "",
    ).filter((key) => key.startsWith(beginning));
  } catch {
    return [];
  }
}

/** Stores a value, or removes it if it is undefined. Returns `false` if the browser cannot. */
export function store(key: string, value: string | undefined): boolean {
  try {
    if (value === undefined) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
    return true;
  } catch {
    return false;
  }
}
