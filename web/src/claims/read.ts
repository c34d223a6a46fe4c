import {
  Failure,
  getAccount,
  listClaimable,
  listContributions,
  listModels,
  predict,
  type Account,
  type Claimable,
  type Contribution,
  type Model,
} from "../api/client.ts";
import { patiently } from "./patience.ts";

/** Maximum number of open contributions of an account that the page reads of a model. */
export const MAX_OPEN = 1_000;
/** Maximum number of models that the page looks through for an account. */
export const MAX_MODELS = 500;
const ROWS = 100;
/** Maximum number of claims that an answer has, if the coordinator's operator has not set fewer. */
const MAX_CLAIMABLE = 1_000;
/** Maximum number of samples, and of their digits, in a request for predictions. */
const [MAX_SAMPLES, MAX_DIGITS] = [1_000, 400_000] as const;

/** Contributions of an account to a model that can still be claimed, with the model's answers. */
export interface Open {
  contributions: Contribution[];
  /** `false` if there are more than the page reads. */
  isWhole: boolean;
  /** Classes that the model says now, by position. */
  predicted: ReadonlyMap<number, number>;
}

/** Reads the contributions of an account that can still be claimed. */
export async function readOpen(trainer: string, author: string): Promise<Open> {
  const contributions: Contribution[] = [];
  let isWhole = false;
  while (!isWhole && contributions.length < MAX_OPEN) {
    const page = await readOwn(
      trainer,
      author,
      true,
      contributions.at(-1)?.position,
    );
    contributions.push(...page.rows);
    isWhole = page.next === null || page.rows.length === 0;
  }
  const predicted = await predictAll(trainer, contributions);
  return { contributions, isWhole, predicted };
}

/** Reads a page of an account's contributions, either open or settled ones. */
export function readOwn(
  trainer: string,
  author: string,
  open: boolean,
  after: number | undefined,
): Promise<{ rows: Contribution[]; next: string | null }> {
  return patiently(() =>
    listContributions(trainer, after, ROWS, { author, open }),
  );
}

/** Asks what a model says now of contributions. Returns the classes by position. */
export async function predictAll(
  trainer: string,
  contributions: readonly Contribution[],
): Promise<Map<number, number>> {
  const predicted = new Map<number, number>();
  let rest = contributions;
  while (rest.length > 0) {
    let [size, digits] = [0, 0];
    for (const { sample } of rest.slice(0, MAX_SAMPLES)) {
      digits += sample.length;
      if (size > 0 && digits > MAX_DIGITS) break;
      size += 1;
    }
    const some = rest.slice(0, size);
    const inputs = some.map(({ sample }) => ({ sample }));
    const { predictions } = await patiently(() => predict(trainer, inputs));
    some.forEach(({ position }, at) => {
      const label = predictions[at]?.label;
      if (label !== undefined) predicted.set(position, label);
    });
    rest = rest.slice(size);
  }
  return predicted;
}

/** Possible reports of an account, and what its share follows from. */
export interface Reports {
  account: Account;
  rows: Claimable[];
  /** `false` if there may be more than the coordinator answers at once. */
  isWhole: boolean;
  predicted: ReadonlyMap<number, number>;
}

/** Reads the contributions of others that an account can report now or later. */
export async function readReports(
  trainer: string,
  address: string,
): Promise<Reports> {
  const account = await patiently(() => getAccount(trainer, address));
  let limit = MAX_CLAIMABLE;
  const ask = (): Promise<Claimable[]> =>
    patiently(() => listClaimable(trainer, address, limit));
  const all = await ask().catch((error: unknown) => {
    // The operator can allow fewer rows than usual.
    if (!(error instanceof Failure) || error.kind !== "invalid-query")
      throw error;
    limit = ROWS;
    return ask();
  });
  const rows = all.filter(({ kind }) => kind === "report");
  const predicted = await predictAll(
    trainer,
    rows.map(({ contribution }) => contribution),
  );
  return { account, rows, isWhole: all.length < limit, predicted };
}

/** Reads all models, up to a maximum. */
export async function readModels(): Promise<{
  models: Model[];
  isWhole: boolean;
}> {
  const models: Model[] = [];
  let isWhole = false;
  while (!isWhole && models.length < MAX_MODELS) {
    const page = await patiently(() =>
      listModels(ROWS, models.at(-1)?.trainer),
    );
    models.push(...page.rows);
    isWhole = page.next === null || page.rows.length === 0;
  }
  return { models, isWhole };
}
