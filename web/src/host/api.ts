import { client, read, type Claimable } from "../api/client.ts";

/** Number of rows of a page, and of pages that are read at most. */
const [ROWS, PAGES] = [100, 10] as const;

/** Returns the late claims that an account can make, now or later. */
export async function listLateClaims(
  trainer: string,
  address: string,
): Promise<Claimable[]> {
  const { rows } = await read(
    client.GET("/v1/models/{trainer}/accounts/{address}/late-claims", {
      params: { path: { trainer, address } },
    }),
  );
  return rows;
}

/** Signed batches of a model by their state. */
export interface Queue {
  waiting: number;
  sent: number;
  included: number;
  refused: number;
  /** `false` if there are more than were read. */
  isWhole: boolean;
}

/** Counts the signed batches that the coordinator took for a model. */
export async function readQueue(trainer: string): Promise<Queue> {
  const queue = { waiting: 0, sent: 0, included: 0, refused: 0, isWhole: true };
  let after: number | undefined;
  for (let page = 0; page < PAGES; page += 1) {
    const query =
      after === undefined ? { limit: ROWS } : { limit: ROWS, after };
    const { rows, next } = await read(
      client.GET("/v1/models/{trainer}/submissions", {
        params: { path: { trainer }, query },
      }),
    );
    for (const { status } of rows) queue[status] += 1;
    if (next == null) return queue;
    after = Number(new URLSearchParams(next.split("?")[1]).get("after"));
  }
  return { ...queue, isWhole: false };
}
