import createClient from "openapi-fetch";
import type { components, paths } from "./schema.d.ts";

export type Model = components["schemas"]["ModelView"];
export type Contribution = components["schemas"]["ContributionView"];
export type Totals = components["schemas"]["TotalsView"];
export type AccuracyPoint = components["schemas"]["AccuracyPoint"];
export type Prediction = components["schemas"]["Prediction"];
export type Predictions = components["schemas"]["Predictions"];
export type Input = components["schemas"]["Input"];
export type Account = components["schemas"]["AccountAnswer"];
export type Claimable = components["schemas"]["ClaimableView"];
export type Claim = components["schemas"]["ClaimView"];
export type Submission = components["schemas"]["SubmissionView"];
export type SignedBatch = components["schemas"]["SignedBatchBody"];
export type Delegation = components["schemas"]["DelegationView"];
export type SignedDelegation = components["schemas"]["DelegationBody"];
export type Page<Row> = { rows: Row[]; next: string | null };

/** Maximum time of a request, in milliseconds. */
const PATIENCE = 15_000;

/** Failure of a request, in words. */
export class Failure extends Error {
  /** Kind of the problem, such as `unknown-model`; `away` if no answer came. */
  readonly kind: string;
  /** Seconds to wait before asking again, if the coordinator said so. */
  readonly wait: number | undefined;
  /** Further fields of the problem. */
  readonly fields: Readonly<Record<string, unknown>>;

  constructor(
    kind: string,
    message: string,
    wait?: number,
    fields: Readonly<Record<string, unknown>> = {},
  ) {
    super(message);
    this.kind = kind;
    this.wait = wait;
    this.fields = fields;
  }
}

/** Asks the coordinator within the time limit; no answer is the failure `away`. */
export async function ask(
  input: RequestInfo | URL,
  init?: RequestInit,
): Promise<Response> {
  const limits = [AbortSignal.timeout(PATIENCE)];
  if (init?.signal) limits.push(init.signal);
  if (input instanceof Request) limits.push(input.signal);
  try {
    return await fetch(input, { ...init, signal: AbortSignal.any(limits) });
  } catch (cause) {
    if (init?.signal?.aborted) throw cause;
    throw new Failure("away", "The coordinator does not answer.");
  }
}

/** Requests to the coordinator, for the parts that have paths of their own. */
export const client = createClient<paths>({
  baseUrl: location.origin,
  fetch: ask,
});

/** Makes a failure of an answer that is no success. */
export function failure(response: Response, body: unknown): Failure {
  const problem = typeof body === "object" && body !== null ? body : {};
  const text = (key: string): string | undefined => {
    const value: unknown = Reflect.get(problem, key);
    return typeof value === "string" ? value : undefined;
  };
  const kind = text("type")?.replace(/^.*\//, "") ?? `http-${response.status}`;
  const message =
    text("detail") ?? text("title") ?? `HTTP status ${response.status}`;
  const wait = Number(response.headers.get("retry-after") ?? Number.NaN);
  const seconds = Number.isFinite(wait) ? wait : undefined;
  return new Failure(kind, message, seconds, { ...problem });
}

/** Returns the data of an answer; a problem is thrown as `Failure`. */
export async function read<T>(
  asked: Promise<{ data?: T; error?: unknown; response: Response }>,
): Promise<T> {
  const { data, error, response } = await asked;
  if (data === undefined) throw failure(response, error);
  return data;
}

/**
 * Selects rows after one. Without a limit, a page has as many rows as the coordinator likes: it
 * refuses a limit above its own.
 */
function paging<After>(
  limit: number | undefined,
  after: After | undefined,
): { limit?: number; after?: After } {
  return {
    ...(limit === undefined ? {} : { limit }),
    ...(after === undefined ? {} : { after }),
  };
}

/** Returns models after a trainer, by address. */
export function listModels(
  limit?: number,
  after?: string,
): Promise<Page<Model>> {
  const query = paging(limit, after);
  return read(client.GET("/v1/models", { params: { query } })).then(paged);
}

/** Returns a model. */
export function getModel(trainer: string): Promise<Model> {
  return read(
    client.GET("/v1/models/{trainer}", { params: { path: { trainer } } }),
  );
}

/** Returns the sums over all contributions to a model. */
export function getTotals(trainer: string): Promise<Totals> {
  return read(
    client.GET("/v1/models/{trainer}/totals", {
      params: { path: { trainer } },
    }),
  );
}

/** Returns the chain's time in Unix seconds, which comes with a price. */
export async function getTime(trainer: string): Promise<number> {
  const price = await read(
    client.GET("/v1/models/{trainer}/price", { params: { path: { trainer } } }),
  );
  return price.time;
}

/** Returns contributions after a position, all or those that a filter selects. */
export function listContributions(
  trainer: string,
  after?: number,
  limit?: number,
  filter: { author?: string; open?: boolean } = {},
): Promise<Page<Contribution>> {
  const query = { ...filter, ...paging(limit, after) };
  return read(
    client.GET("/v1/models/{trainer}/contributions", {
      params: { path: { trainer }, query },
    }),
  ).then(paged);
}

/** Returns the successful claims of a contribution. */
export async function listClaims(
  trainer: string,
  position: number,
): Promise<Claim[]> {
  const path = { trainer, position };
  const { rows } = await read(
    client.GET("/v1/models/{trainer}/contributions/{position}/claims", {
      params: { path },
    }),
  );
  return rows;
}

/** Returns the claims that an address can make of a model's contributions, now or later. */
export async function listClaimable(
  trainer: string,
  address: string,
  limit: number,
): Promise<Claimable[]> {
  const { rows } = await read(
    client.GET("/v1/models/{trainer}/accounts/{address}/claimable", {
      params: { path: { trainer, address }, query: { limit } },
    }),
  );
  return rows;
}

/** Returns an account of a model's trainer; an unused one has a balance of 0. */
export function getAccount(trainer: string, address: string): Promise<Account> {
  return read(
    client.GET("/v1/models/{trainer}/accounts/{address}", {
      params: { path: { trainer, address } },
    }),
  );
}

/** Returns measurements after a number of contributions. */
export function listAccuracy(
  trainer: string,
  after?: number,
  limit?: number,
): Promise<Page<AccuracyPoint>> {
  const query = paging(limit, after);
  return read(
    client.GET("/v1/models/{trainer}/accuracy", {
      params: { path: { trainer }, query },
    }),
  ).then(paged);
}

/** Asks the coordinator for a prediction, or for one of each of up to 1,000 inputs. */
export function predict(
  trainer: string,
  input: Input | Input[],
): Promise<Predictions> {
  return read(
    client.POST("/v1/models/{trainer}/predict", {
      params: { path: { trainer } },
      body: input,
    }),
  );
}

/** Submits a signed batch. */
export function submitBatch(
  trainer: string,
  body: SignedBatch,
): Promise<Submission> {
  return read(
    client.POST("/v1/models/{trainer}/submissions", {
      params: { path: { trainer } },
      body,
    }),
  );
}

/** Returns a signed batch that the coordinator took. */
export function getSubmission(id: string): Promise<Submission> {
  return read(client.GET("/v1/submissions/{id}", { params: { path: { id } } }));
}

/** Lets the coordinator claim for an account. */
export function submitDelegation(
  trainer: string,
  body: SignedDelegation,
): Promise<Delegation> {
  return read(
    client.POST("/v1/models/{trainer}/delegations", {
      params: { path: { trainer } },
      body,
    }),
  );
}

/** Returns the delegation of an account. Without one, the failure is `unknown-delegation`. */
export function getDelegation(
  trainer: string,
  account: string,
): Promise<Delegation> {
  return read(
    client.GET("/v1/models/{trainer}/delegations/{account}", {
      params: { path: { trainer, account } },
    }),
  );
}

/** Returns a page of rows. */
export function paged<Row>(page: {
  rows: Row[];
  next?: string | null;
}): Page<Row> {
  return { rows: page.rows, next: page.next ?? null };
}
