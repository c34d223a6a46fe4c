import { listAccuracy, type AccuracyPoint, type Model } from "../api/client.ts";

/** Number of contributions before the newest, of which all measurements are read. */
const NEAR = 1_000;
/** Maximum number of measurements that are read from the first on. */
const MAX = 2_000;

/** Returns measurements of a model from the first to the newest. */
export async function measurements(model: Model): Promise<AccuracyPoint[]> {
  if (!model.measured) return [];
  const rows = await read(model.trainer, undefined);
  const last = rows.at(-1);
  // With more than can be read, those in between are left out.
  if (rows.length < MAX || !last) return rows;
  const from = Math.max(last.contributions, model.contributions - NEAR);
  return [...rows, ...(await read(model.trainer, from))];
}

async function read(
  trainer: string,
  after: number | undefined,
): Promise<AccuracyPoint[]> {
  const rows: AccuracyPoint[] = [];
  let from = after;
  while (rows.length < MAX) {
    const page = await listAccuracy(trainer, from);
    rows.push(...page.rows);
    const last = page.rows.at(-1);
    if (page.next === null || !last) break;
    from = last.contributions;
  }
  return rows;
}
