import { client, paged, read, type Page } from "../api/client.ts";
import type { components } from "../api/schema.d.ts";

export type Market = components["schemas"]["MarketView"];
export type MarketContribution =
  components["schemas"]["MarketContributionView"];
export type Participant = components["schemas"]["ParticipantView"];
export type Phase = Market["phase"];

/** Number of rows of a page. */
const ROWS = 100;

/** Returns markets after one, by address. */
export function listMarkets(
  limit: number,
  after?: string,
): Promise<Page<Market>> {
  const query = after === undefined ? { limit } : { limit, after };
  return read(client.GET("/v1/markets", { params: { query } })).then(paged);
}

/** Returns a market. */
export function getMarket(market: string): Promise<Market> {
  return read(
    client.GET("/v1/markets/{market}", { params: { path: { market } } }),
  );
}

/** Returns contributions to a market after a position. */
export function listContributions(
  market: string,
  after: number | undefined,
): Promise<Page<MarketContribution>> {
  const query =
    after === undefined || after < 0 ? { limit: ROWS } : { limit: ROWS, after };
  return read(
    client.GET("/v1/markets/{market}/contributions", {
      params: { path: { market }, query },
    }),
  ).then(paged);
}

/** Returns all participants of a market, in the order of their first contributions. */
export async function allParticipants(market: string): Promise<Participant[]> {
  const rows: Participant[] = [];
  for (;;) {
    const after = rows.at(-1)?.index;
    const query =
      after === undefined ? { limit: ROWS } : { limit: ROWS, after };
    const page = paged(
      await read(
        client.GET("/v1/markets/{market}/participants", {
          params: { path: { market }, query },
        }),
      ),
    );
    rows.push(...page.rows);
    if (page.next === null || page.rows.length === 0) return rows;
  }
}

/** Returns the commitments that a market's provider made, one a part; undefined if none are known. */
export async function commitmentsOf(
  market: string,
): Promise<readonly string[] | undefined> {
  // They are among the first events of a market: only a rollback can come before.
  const query = { trainer: market, limit: 20 };
  const page = paged(
    await read(client.GET("/v1/events", { params: { query } })),
  );
  const made = page.rows.filter((row) => row.kind === "committed").at(-1);
  const list: unknown =
    typeof made?.detail === "object" && made.detail !== null
      ? Reflect.get(made.detail, "commitments")
      : undefined;
  return Array.isArray(list) && list.every((it) => typeof it === "string")
    ? list
    : undefined;
}
