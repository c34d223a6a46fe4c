/** A coordinator with models, started by the program that `COTRAIN_BIN` names. */

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";

/** A development chain, with a coordinator of all models of its registry. */
export interface Coordinator {
  /** Writes a file of data, and deploys a model of it. Returns the address of its trainer. */
  deploy(
    name: string,
    data: string,
    options: readonly string[],
  ): Promise<string>;
  /** Contributes labeled data to a new model, and waits until the coordinator lists all of it. */
  contribute(trainer: string, data: string, options: string[]): Promise<void>;
  /** Returns an answer of the API. */
  get<T>(path: string): Promise<T>;
  /** Returns the answer of the API to a body. */
  post<T>(path: string, body: unknown): Promise<T>;
  /** Returns an answer of the API in bytes. */
  bytes(path: string): Promise<Uint8Array>;
  stop(): Promise<void>;
}

/** Time to wait for a program or for the coordinator, in milliseconds. */
const PATIENCE = 40_000;
const PAUSE = 100;

/**
 * Starts a chain and a coordinator.
 *
 * `cotrain up` follows its own model alone, so a second coordinator follows the registry.
 */
export async function start(): Promise<Coordinator> {
  const program = process.env["COTRAIN_BIN"];
  if (program === undefined) {
    throw new Error(
      "COTRAIN_BIN is not set; name the program, such as COTRAIN_BIN=../target/debug/cotrain",
    );
  }
  const folder = await mkdtemp(join(tmpdir(), "cotrain-fuzz-"));
  // Other variables that begin with COTRAIN_ would be keys of the coordinator's configuration.
  const kept = Object.entries(process.env).filter(
    ([name]) => !name.startsWith("COTRAIN_") || name === "COTRAIN_ANVIL",
  );
  const state = join(folder, "state");
  const env = { ...Object.fromEntries(kept), COTRAIN_STATE: state };
  const place = { cwd: folder, env };
  const children: ChildProcess[] = [];
  const run = (
    options: string[],
    isReady: RegExp,
  ): Promise<RegExpExecArray> => {
    const child = spawn(resolve(program), options, place);
    children.push(child);
    return heard(child, isReady);
  };
  const call = async (options: string[]): Promise<string> =>
    (await promisify(execFile)(resolve(program), options, place)).stdout;
  const stop = async (): Promise<void> => {
    for (const child of children.reverse()) await ended(child);
    await rm(folder, { recursive: true, force: true });
  };
  const write = async (name: string, data: string): Promise<string> => {
    await writeFile(join(folder, name), data);
    return `--data=${name}`;
  };
  try {
    const first = await write(
      "first.csv",
      "label,text\na,one\nb,two\n".repeat(5),
    );
    const text = ["--text-column=text", "--initial=1.0", "--name=first"];
    const ports = ["--port=0", "--api-port=0", "--json"];
    const [up] = await run(["up", ...ports, first, ...text], /^\{[^]*^\}$/m);
    const { rpc, registry } = JSON.parse(up) as {
      rpc: string;
      registry: string;
    };
    const keys = {
      registry: `"${registry}"`,
      "node.url": `"${rpc}"`,
      listen: '"127.0.0.1:0"',
      "api.rate": "10000",
      "api.burst": "10000",
      "api.max_body": "16777216",
    };
    const set = Object.entries(keys).map(
      ([key, value]) => `--set=${key}=${value}`,
    );
    const listening = /listening\S* address=(?:\S*m)?(127\.0\.0\.1:\d+)/;
    const [, address = ""] = await run(["serve", ...set], listening);
    const ask = async (path: string, init?: RequestInit): Promise<Response> => {
      const answer = await fetch(`http://${address}${path}`, init);
      if (answer.ok) return answer;
      throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    };
    const get = async <T>(path: string): Promise<T> =>
      (await (await ask(path)).json()) as T;
    const chain = [`--rpc=${rpc}`, `--registry=${registry}`, "--yes", "--json"];
    return {
      get,
      stop,
      async deploy(name, data, options) {
        const of = [
          "--dev=1",
          await write(`${name}.csv`, data),
          `--name=${name}`,
        ];
        const json = await call(["deploy", ...chain, ...of, ...options]);
        const { trainer } = JSON.parse(json) as { trainer: string };
        await until(async () => {
          const { rows } = await get<{ rows: { trainer: string }[] }>(
            "/v1/models",
          );
          const addresses = rows.map((row) => row.trainer.toLowerCase());
          return addresses.includes(trainer.toLowerCase());
        });
        return trainer;
      },
      async contribute(trainer, data, options) {
        const of = [
          "--dev=2",
          await write("more.csv", data),
          `--model=${trainer}`,
        ];
        await call(["contribute", ...chain, ...of, ...options]);
        const wanted = data.trim().split("\n").length - 1;
        // The list is written after the model's number of contributions is known.
        const path = `/v1/models/${trainer}/contributions?limit=1000`;
        await until(async () => {
          const { rows } = await get<{ rows: unknown[] }>(path);
          return rows.length >= wanted;
        });
      },
      async post<T>(path: string, body: unknown) {
        const headers = { "content-type": "application/json" };
        const init = { method: "POST", headers, body: JSON.stringify(body) };
        return (await (await ask(path, init)).json()) as T;
      },
      async bytes(path) {
        const headers = { accept: "application/octet-stream" };
        return new Uint8Array(
          await (await ask(path, { headers })).arrayBuffer(),
        );
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Waits until a program says something on either output. */
function heard(child: ChildProcess, wanted: RegExp): Promise<RegExpExecArray> {
  return new Promise((resolve, reject) => {
    const said = { out: "", error: "" };
    const fail = (why: string): void =>
      reject(new Error(`${why}: ${said.out}${said.error}`));
    const timer = setTimeout(() => fail("no answer in time"), PATIENCE);
    const listen = (to: "out" | "error") => (part: Buffer) => {
      said[to] += part.toString();
      const found = wanted.exec(said[to]);
      if (found === null) return;
      clearTimeout(timer);
      resolve(found);
    };
    child.stdout?.on("data", listen("out"));
    child.stderr?.on("data", listen("error"));
    child.once("error", (error) => fail(error.message));
    child.once("exit", (code) => fail(`it ended with ${code}`));
  });
}

/** Ends a program, and waits for its end. */
async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const end = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGINT");
  await end;
}

/** Waits until a condition holds. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  const start = performance.now();
  while (!(await holds())) {
    if (performance.now() - start > PATIENCE) {
      throw new Error("the coordinator does not know what was sent in time");
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
}
