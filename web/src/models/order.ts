import type { Model } from "../api/client.ts";
import { readWei } from "../text/money.ts";

/** Orders of the list of models. */
export const orders = [
  "contributions",
  "accuracy",
  "deposit",
  "wait",
  "name",
] as const;
export type Order = (typeof orders)[number];

/** Text that is searched for, and order of the list. */
export interface Choice {
  search: string;
  order: Order;
}

/** Reads a choice from the query of an address. */
export function choiceIn(query: string): Choice {
  const parameters = new URLSearchParams(query);
  const wanted = parameters.get("order");
  return {
    search: parameters.get("search") ?? "",
    order: orders.find((order) => order === wanted) ?? orders[0],
  };
}

/** Returns the query for a choice; what is usual is left out. */
export function choiceOf({ search, order }: Choice): URLSearchParams {
  const parameters = new URLSearchParams();
  if (search !== "") parameters.set("search", search);
  if (order !== orders[0]) parameters.set("order", order);
  return parameters;
}

const compare: Readonly<Record<Order, (a: Model, b: Model) => number>> = {
  contributions: (a, b) => b.contributions - a.contributions,
  // Models that nobody has measured come last.
  accuracy: (a, b) => (b.accuracy ?? -1) - (a.accuracy ?? -1),
  deposit: (a, b) => sign(readWei(a.price) - readWei(b.price)),
  wait: (a, b) => a.waits.refund - b.waits.refund,
  name: (a, b) => (a.name ?? "\uffff").localeCompare(b.name ?? "\uffff", "en"),
};

function sign(difference: bigint): number {
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

/** Returns models in an order; equal ones by address. */
export function ordered(models: readonly Model[], order: Order): Model[] {
  return [...models].sort(
    (a, b) =>
      compare[order](a, b) ||
      (a.trainer < b.trainer ? -1 : a.trainer > b.trainer ? 1 : 0),
  );
}

/**
 * Returns the models whose shown names, classes, learner or address contain a text. Names that are
 * hidden are not searched.
 */
export function matching(
  models: readonly Model[],
  text: string,
  shown: (model: Model) => boolean,
): Model[] {
  const wanted = text.trim().toLowerCase();
  if (wanted === "") return [...models];
  return models.filter((model) => {
    const names = shown(model)
      ? [model.name ?? "", model.description ?? "", ...model.classNames]
      : [];
    const texts = [...names, model.trainer, model.learner];
    return texts.some((text) => text.toLowerCase().includes(wanted));
  });
}
