import { Failure, failure } from "../api/client.ts";
import type { components } from "../api/schema.d.ts";

type Schemas = components["schemas"];
export type Look = Schemas["LookView"];
export type LookedColumn = Schemas["ColumnView"];
export type Plan = Schemas["PlanView"];
export type Planned = Schemas["PlannedView"];
export type Evaluation = Schemas["EvaluationView"];
export type PlanBody = Schemas["PlanBody"];
export type Reading = NonNullable<Schemas["LookBody"]["reading"]>;
export type File = Schemas["FileBody"];

/** Maximum time for a file's way and the training, in milliseconds. */
const PATIENCE = 180_000;

/** Asks the coordinator what the columns of a table seem to be. */
export function look(file: File, reading: Reading): Promise<Look> {
  return post<Look>("/v1/plans/look", { file, reading });
}

/** Asks the coordinator to train a model and to list the transactions that deploy it. */
export function plan(body: PlanBody): Promise<Plan> {
  return post<Plan>("/v1/plans", body);
}

async function post<T>(path: string, body: object): Promise<T> {
  let response: Response;
  try {
    response = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(PATIENCE),
    });
  } catch {
    throw new Failure("away", "The coordinator does not answer.");
  }
  const answer: unknown = await response.json().catch(() => undefined);
  if (!response.ok) throw failure(response, answer);
  return answer as T;
}
