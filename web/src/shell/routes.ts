import { topics, type Topic } from "../help/topics.ts";
import { tabs, type Tab } from "../model/tabs.ts";

/** Page that a path names. */
export type Route =
  | { page: "models" }
  | { page: "model"; trainer: string; tab: Tab }
  | { page: "markets" }
  | { page: "market"; market: string }
  | { page: "rounds" }
  | { page: "round"; trainer: string }
  | { page: "me" }
  | { page: "deploy" }
  | { page: "simulate" }
  | { page: "label" }
  | { page: "help"; topic: Topic | undefined }
  | { page: "unknown"; path: string };

const ADDRESS = /^0x[0-9a-fA-F]{40}$/;

/** Returns `true` if a text has the form of an address. */
export function isAddress(text: string): boolean {
  return ADDRESS.test(text);
}

/** Returns the page of a path. */
export function routeOf(path: string): Route {
  const parts = path.split("/").filter((part) => part !== "");
  const [first, second, third] = parts;
  if (first === undefined) return { page: "models" };
  if (first === "m" && parts.length <= 3 && second && isAddress(second)) {
    const tab = third === "try" ? undefined : (third ?? "try");
    const known = tabs.find((one) => one === tab);
    if (known) return { page: "model", trainer: second, tab: known };
  }
  if (first === "markets" && parts.length === 1) return { page: "markets" };
  if (first === "markets" && parts.length === 2 && second && isAddress(second))
    return { page: "market", market: second };
  if (first === "rounds" && parts.length === 1) return { page: "rounds" };
  if (first === "rounds" && parts.length === 2 && second && isAddress(second))
    return { page: "round", trainer: second };
  if (first === "me" && parts.length === 1) return { page: "me" };
  if (first === "deploy" && parts.length === 1) return { page: "deploy" };
  if (first === "simulate" && parts.length === 1) return { page: "simulate" };
  if (first === "label" && parts.length === 1) return { page: "label" };
  if (first === "help" && parts.length === 1) {
    return { page: "help", topic: undefined };
  }
  if (first === "help" && parts.length === 2) {
    const topic = topics.find((topic) => topic === second);
    if (topic) return { page: "help", topic };
  }
  return { page: "unknown", path };
}
