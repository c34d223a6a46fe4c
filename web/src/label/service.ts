import { ask, client, failure, read } from "../api/client.ts";
import type { components } from "../api/schema.d.ts";
import type { Payment, Sale } from "./payment.ts";
import type { Guess } from "./state.ts";

type Schemas = components["schemas"];
/** Learners that the page offers. */
export type Learner = Extract<
  Schemas["SessionLearnerBody"],
  "logistic" | "forest" | "boosted"
>;
export type Strategy = Schemas["StrategyBody"];
/** Prices and bounds. A coordinator that takes money has prices of units, too. */
export type Quotes = Schemas["QuotesView"] & { sales?: readonly Sale[] };
export type QuotesBody = Schemas["QuotesBody"];
export type OpenBody = Schemas["OpenBody"];
export type Units = Schemas["UnitsView"];

/** Session with what proves that it is one's own. */
export interface Session {
  id: string;
  token: string;
}

/** Example that a session learns. */
export interface Example {
  x: readonly number[];
  y: number;
}

function proof({ token }: Pick<Session, "token">): { authorization: string } {
  return { authorization: `Bearer ${token}` };
}

function of(session: Session, key: string) {
  return {
    params: {
      path: { session: session.id },
      header: { "Idempotency-Key": key },
    },
    headers: proof(session),
  };
}

/** Returns prices and bounds, and the units of some work. */
export function quote(body: QuotesBody): Promise<Quotes> {
  return read(client.POST("/v1/label/quotes", { body }));
}

/** New session; without a token if an earlier one proves it. */
export type Opened = Omit<Schemas["OpenedView"], "token"> & {
  token?: string | null;
};

/** Opens a session. Units of an earlier one are proven by its token, and others by a payment. */
export function open(
  body: OpenBody,
  payment: Payment,
  token: string | undefined,
): Promise<Opened> {
  return read(
    client.POST("/v1/label/sessions", {
      body,
      headers: { ...paying(payment), ...(token ? proof({ token }) : {}) },
    }),
  );
}

/** Buys units for a session. */
export async function buy(payment: Payment): Promise<{ units: Units }> {
  const response = await ask(`/v1/label/sessions/${payment.session}/units`, {
    method: "POST",
    headers: { "content-type": "application/json", ...paying(payment) },
    body: JSON.stringify({ units: payment.units }),
  });
  const answer: unknown = await response.json().catch(() => undefined);
  if (!response.ok) throw failure(response, answer);
  return answer as { units: Units };
}

function paying({ key, header }: Payment): Record<string, string> {
  return {
    "Idempotency-Key": key,
    ...(header === undefined ? {} : { "PAYMENT-SIGNATURE": header }),
  };
}

/** Teaches a session; the same key is charged once. */
export async function teach(
  session: Session,
  key: string,
  rows: readonly Example[],
): Promise<{ units: Units; advice: string | undefined }> {
  const body = { rows: rows.map(({ x, y }) => ({ x: [...x], y })) };
  const { units, stop } = await read(
    client.POST("/v1/label/sessions/{session}/examples", {
      ...of(session, key),
      body,
    }),
  );
  return { units, advice: stop?.reason };
}

/** Returns the indices of the rows that are worth a label. */
export async function choose(
  session: Session,
  key: string,
  rows: readonly (readonly number[])[],
  count: number,
): Promise<{ units: Units; rows: number[] }> {
  return read(
    client.POST("/v1/label/sessions/{session}/queries", {
      ...of(session, key),
      body: { rows: rows.map((row) => [...row]), count },
    }),
  );
}

/** Returns the model's guess of each row. */
export async function predict(
  session: Session,
  key: string,
  rows: readonly (readonly number[])[],
): Promise<{ units: Units; guesses: Guess[] }> {
  const { units, rows: predicted } = await read(
    client.POST("/v1/label/sessions/{session}/predictions", {
      ...of(session, key),
      body: { rows: rows.map((row) => [...row]) },
    }),
  );
  const guesses = predicted.map(({ label, probabilities }) => ({
    label,
    share: probabilities[label] ?? 0,
  }));
  return { units, guesses };
}

/** Returns the model as a file. */
export async function modelOf(
  session: Session,
  form: "json" | "onnx",
): Promise<ArrayBuffer> {
  const response = await ask(
    `/v1/label/sessions/${session.id}/model?form=${form}`,
    { headers: proof(session) },
  );
  if (!response.ok)
    throw failure(response, await response.json().catch(() => undefined));
  return response.arrayBuffer();
}

/** Closes a session; one that is unknown is closed already. */
export async function close(session: Session): Promise<void> {
  const { response, error } = await client.POST(
    "/v1/label/sessions/{session}/close",
    { params: { path: { session: session.id } }, headers: proof(session) },
  );
  if (!response.ok && response.status !== 404) throw failure(response, error);
}
