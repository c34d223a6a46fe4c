import { vi } from "vitest";

/** Makes runes work that the compiler would replace: each is its first value. */
export function withoutRunes(): void {
  const state = Object.assign((value: unknown) => value, {
    raw: (value: unknown) => value,
  });
  Reflect.set(globalThis, "$state", state);
}

/** Puts an empty store in the place of the browser's. */
export function stubStore(): Map<string, string> {
  const values = new Map<string, string>();
  vi.stubGlobal("localStorage", {
    getItem: (key: string) => values.get(key) ?? null,
    setItem: (key: string, value: string) => values.set(key, value),
    removeItem: (key: string) => values.delete(key),
  });
  return values;
}

/** Tells pages that another tab has changed a value. They are told nothing by themselves. */
export function tellStorage(window: EventTarget, key: string): void {
  window.dispatchEvent(Object.assign(new Event("storage"), { key }));
}
