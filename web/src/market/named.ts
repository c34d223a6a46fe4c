import type { Market } from "./api.ts";

/** Market with the name of its address that models have. */
export type NamedMarket = Market & { trainer: string };

/** Returns a market as the parts of the page take it that show models, too. */
export function named(market: Market): NamedMarket {
  return { ...market, trainer: market.market };
}
