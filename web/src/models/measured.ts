import { listAccuracy, type AccuracyPoint, type Model } from "../api/client.ts";

/** Number of contributions before the newest, in which a measurement is looked for first. */
const NEAR = 1_000;
/** Maximum number of pages that are read to find the newest measurement. */
const PAGES = 20;
/** Number of rows of a page. */
const ROWS = 100;

/**
 * Returns measurements of a model up to the newest, at most `ROWS * PAGES`. If `isNewestOnly`, those
 * far before the newest are left out.
 */
export async function measurements(
  model: Model,
  isNewestOnly: boolean,
): Promise<AccuracyPoint[]> {
  if (model.accuracy == null) return [];
  const near = model.contributions - NEAR;
  if (isNewestOnly && near > 0) {
    const found = await read(model.trainer, near);
    if (found.length > 0) return found;
  }
  return read(model.trainer, undefined);
}

async function read(
  trainer: string,
  after: number | undefined,
): Promise<AccuracyPoint[]> {
  const rows: AccuracyPoint[] = [];
  let from = after;
  for (let pages = 0; pages < PAGES; pages += 1) {
    const page = await listAccuracy(trainer, from, ROWS);
    rows.push(...page.rows);
    const last = page.rows.at(-1);
    if (page.next === null || !last) break;
    from = last.contributions;
  }
  return rows;
}
