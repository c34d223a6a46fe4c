import { listAccuracy, type AccuracyPoint, type Model } from "../api/client.ts";

/** Number of contributions before the newest, in which a measurement is looked for first. */
const NEAR = 1_000;
/** Maximum number of measurements that are read from the first on. */
const MAX = 2_000;

/** The last reading of each model, with what it depends on. */
const known = new Map<
  string,
  { key: string; rows: Promise<AccuracyPoint[]> }
>();
/** Maximum number of models whose measurements are kept. */
const KEPT = 200;

/**
 * Returns measurements of a model up to the newest. If `isNewestOnly`, those far before the newest
 * are left out. What was read of the same model and the same measurement is not read again.
 */
export function measurements(
  model: Model,
  isNewestOnly: boolean,
): Promise<AccuracyPoint[]> {
  if (model.accuracy == null) return Promise.resolve([]);
  const key = `${model.accuracy} ${model.contributions}`;
  const last = known.get(model.trainer);
  if (isNewestOnly && last?.key === key) return last.rows;
  const rows = isNewestOnly ? newest(model) : all(model);
  known.delete(model.trainer);
  known.set(model.trainer, { key, rows });
  for (const old of known.keys()) {
    if (known.size <= KEPT) break;
    known.delete(old);
  }
  rows.catch(() => {
    if (known.get(model.trainer)?.rows === rows) known.delete(model.trainer);
  });
  return rows;
}

async function newest(model: Model): Promise<AccuracyPoint[]> {
  const near = model.contributions - NEAR;
  const found = near > 0 ? await read(model.trainer, near) : [];
  return found.length > 0 ? found : all(model);
}

async function all(model: Model): Promise<AccuracyPoint[]> {
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
