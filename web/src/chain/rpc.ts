import { ask, failure } from "../api/client.ts";

/** Bytes in hexadecimal digits. */
export type Hex = `0x${string}`;
/** Address of an account or a contract. */
export type Address = Hex;
/** Method of JSON-RPC with its parameters. */
export type Request = readonly [method: string, params: readonly unknown[]];

/** Refusal of the node, with the data of a revert if there are any. */
export class ChainError extends Error {
  readonly code: number;
  readonly data: Hex | undefined;

  constructor(code: number, message: string, data?: Hex) {
    super(message);
    this.code = code;
    this.data = data;
  }
}

interface Answer {
  id?: unknown;
  result?: unknown;
  error?: { code?: number; message?: string; data?: unknown };
}

/** Reads the chain by one method, through the coordinator. A refusal is thrown as `ChainError`. */
export async function rpc(
  method: string,
  params: readonly unknown[],
): Promise<unknown> {
  return read(await post({ jsonrpc: "2.0", id: 1, method, params }));
}

/**
 * Reads the chain by several methods at once, 20 at most. Each result comes at the index of its
 * request; a refused one is a `ChainError` there.
 */
export async function rpcAll(
  requests: readonly Request[],
): Promise<(unknown | ChainError)[]> {
  const body = requests.map(([method, params], id) => ({
    jsonrpc: "2.0",
    id,
    method,
    params,
  }));
  const answers = await post(body);
  // A batch that is refused as a whole has one answer.
  if (!Array.isArray(answers)) return requests.map(() => read(answers));
  const byId = new Map((answers as Answer[]).map((it) => [it.id, it]));
  return requests.map((_, id) => {
    try {
      return read(byId.get(id));
    } catch (error) {
      return error;
    }
  });
}

/**
 * Asks as `rpcAll` does. Some nodes know no block "pending": what they refuse without a revert is asked
 * of the latest one. Calls name "pending", since the latest block of a quiet chain is long past.
 */
export async function rpcPending(
  requests: readonly Request[],
): Promise<(unknown | ChainError)[]> {
  const answers = await rpcAll(requests);
  const again = requests.flatMap(([method, params], at) => {
    const answer = answers[at];
    const isRefused = answer instanceof ChainError && answer.data === undefined;
    if (!isRefused || !params.includes("pending")) return [];
    const latest = params.map((it) => (it === "pending" ? "latest" : it));
    return [{ at, request: [method, latest] as const }];
  });
  if (again.length === 0) return answers;
  const others = await rpcAll(again.map(({ request }) => request));
  for (const [index, { at }] of again.entries()) answers[at] = others[index];
  return answers;
}

/** Calls a contract's function after a block, and returns what it answers. */
export async function call(
  to: Address,
  data: Hex,
  block: bigint | "latest" = "latest",
): Promise<Hex> {
  return (await rpc("eth_call", [{ to, data }, blockOf(block)])) as Hex;
}

/** Returns a block as JSON-RPC writes it. */
export function blockOf(block: bigint | "latest"): string {
  return block === "latest" ? block : quantity(block);
}

/** Returns a number as JSON-RPC writes it. */
export function quantity(number: bigint | number): Hex {
  return `0x${number.toString(16)}`;
}

function read(answer: unknown): unknown {
  const { result, error } = (answer ?? {}) as Answer;
  if (error || result === undefined) {
    const message = error?.message ?? "the node gave no result";
    throw new ChainError(error?.code ?? 0, message, dataOf(error?.data));
  }
  return result;
}

/** Returns the data of a revert: some nodes wrap them in an object or a text. */
function dataOf(data: unknown): Hex | undefined {
  if (typeof data === "string") {
    const found = /0x(?:[0-9a-fA-F]{2})*$/.exec(data)?.[0];
    return found as Hex | undefined;
  }
  if (typeof data !== "object" || data === null) return undefined;
  return dataOf(Reflect.get(data, "data") ?? Reflect.get(data, "result"));
}

async function post(body: object): Promise<unknown> {
  const response = await ask("/rpc", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const answer: unknown = await response.json().catch(() => undefined);
  if (!response.ok) throw failure(response, answer);
  return answer;
}
