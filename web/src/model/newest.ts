import {
  listContributions,
  type Contribution,
  type Model,
} from "../api/client.ts";

/** Maximum number of contributions that the page reads of a model. */
export const MAX_READ = 1_000;

/** Returns the newest contributions of a model, at most `MAX_READ`, newest first. */
export async function newestContributions(
  model: Model,
): Promise<Contribution[]> {
  const rows: Contribution[] = [];
  const first = model.contributions - MAX_READ;
  let after = first > 0 ? first - 1 : undefined;
  while (rows.length < MAX_READ) {
    const page = await listContributions(model.trainer, after);
    rows.push(...page.rows);
    after = page.rows.at(-1)?.position;
    if (page.next === null || after === undefined) break;
  }
  return rows.reverse();
}
