import { afterEach, describe, expect, it, vi } from "vitest";
import { ChainError, rpcPending } from "../../src/chain/rpc.ts";

const client = vi.hoisted(() => ({ ask: vi.fn() }));
vi.mock("../../src/api/client.ts", () => client);

afterEach(() => client.ask.mockReset());

/** Answers each request of a batch; returns the requests of all batches. */
function answering(
  answer: (method: string, block: unknown) => object,
): [string, unknown][][] {
  const batches: [string, unknown][][] = [];
  client.ask.mockImplementation((_: string, { body }: { body: string }) => {
    const requests = JSON.parse(body) as {
      id: number;
      method: string;
      params: unknown[];
    }[];
    batches.push(requests.map(({ method, params }) => [method, params.at(-1)]));
    const answers = requests.map(({ id, method, params }) => ({
      id,
      ...answer(method, params.at(-1)),
    }));
    return Promise.resolve({ ok: true, json: () => Promise.resolve(answers) });
  });
  return batches;
}

describe("rpcPending", () => {
  const requests = [
    ["eth_estimateGas", [{}, "pending"]],
    ["eth_gasPrice", []],
    ["eth_call", [{}, "pending"]],
  ] as const;

  it("asks a node that knows no such block for the latest one", async () => {
    const batches = answering((method, block) =>
      block === "pending"
        ? { error: { code: -32_602, message: "unknown block" } }
        : { result: method },
    );
    expect(await rpcPending(requests)).toEqual([
      "eth_estimateGas",
      "eth_gasPrice",
      "eth_call",
    ]);
    expect(batches[1]).toEqual([
      ["eth_estimateGas", "latest"],
      ["eth_call", "latest"],
    ]);
  });

  it("asks once if a contract refuses, or something else fails", async () => {
    const batches = answering((method) =>
      method === "eth_gasPrice"
        ? { error: { code: 1, message: "no" } }
        : { error: { code: 3, message: "reverted", data: "0x11223344" } },
    );
    const answers = await rpcPending(requests);
    expect(answers.every((it) => it instanceof ChainError)).toBe(true);
    expect(batches).toHaveLength(1);
  });
});
