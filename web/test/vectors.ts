/** Vectors that Rust writes (crates/learning/vectors). */

import { readFileSync } from "node:fs";

import { type Refusal, RefusedError } from "../src/twin/index.ts";

/** Returns the contents of a file of vectors. The tests below fail if it has another form. */
export function vectors<T>(name: string): T {
  const url = new URL(`../../crates/learning/vectors/${name}`, import.meta.url);
  return JSON.parse(readFileSync(url, "utf8")) as T;
}

/** Returns what a call gives, or the refusal that it throws, as Rust's `Debug` writes it. */
export function outcome<T>(call: () => T): { value: T } | { error: string } {
  try {
    return { value: call() };
  } catch (error) {
    if (error instanceof RefusedError) return { error: debug(error.refusal) };
    throw error;
  }
}

function debug({ kind, ...fields }: Refusal): string {
  const snake = (name: string): string =>
    name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  const list = Object.entries(fields).map(
    ([name, value]) => `${snake(name)}: ${String(value)}`,
  );
  return list.length === 0 ? kind : `${kind} { ${list.join(", ")} }`;
}
