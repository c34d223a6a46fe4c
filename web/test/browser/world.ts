import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, inject, onTestFinished } from "vitest";
import type { TestProject } from "vitest/node";
import { front } from "./front.ts";

/** Command to test; a test builds nothing. */
const program = resolve(
  process.env["COTRAIN_BIN"] ?? "../target/debug/cotrain",
);
/** Maximum time for a start, in milliseconds. */
const START = 90_000;

/** Contracts of each world. */
interface Contracts {
  /** Trainers of the models, by what they take. */
  models: { text: string; row: string; picture: string };
  /** An open prediction market. */
  market: string;
}

/** Chain and coordinator of the tests of one file. */
export interface World extends Contracts {
  /** Address of the page, without a slash at its end. */
  page: string;
  state: string;
  ports: { node: number; api: number };
}

declare module "vitest" {
  export interface ProvidedContext {
    /** State that each world begins with a copy of. */
    seed: Contracts & { state: string };
  }
}

/** Chains and coordinators that were started, by their folders. */
const programs = new Map<string, ChildProcess>();

const rows = [
  "kind,size,color,wild",
  ...Array.from({ length: 40 }, (_, at) => {
    const isBig = at % 2 === 0;
    const size = (isBig ? 20 : 5) + (at % 7);
    const color = ["red", "green", "blue"][(at * 5 + (isBig ? 1 : 0)) % 3];
    return `${isBig ? "tree" : "herb"},${size},${color},${at % 3 === 0}`;
  }),
];

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  const address = server.address();
  await new Promise((closed) => server.close(closed));
  if (typeof address !== "object" || !address)
    throw new Error("no port is free");
  return address.port;
}

async function until(
  what: string,
  ready: () => Promise<boolean>,
): Promise<void> {
  const end = Date.now() + START;
  while (!(await ready().catch(() => false))) {
    if (Date.now() > end)
      throw new Error(`${what} is not there after ${START / 1000} seconds`);
    await new Promise((done) => setTimeout(done, 100));
  }
}

/** Runs the command with the state of a world, and returns what it prints. */
export async function cotrain(
  state: string,
  ...args: string[]
): Promise<string> {
  const env = { ...process.env, COTRAIN_STATE: state };
  const { stdout } = await promisify(execFile)(program, args, { env });
  return stdout;
}

/** Starts the command in the background. */
function run(state: string, args: string[]): ChildProcess {
  // The coordinator takes such a name for a key of its configuration.
  const env = { ...process.env, COTRAIN_STATE: state, COTRAIN_BIN: undefined };
  return spawn(program, args, { env, stdio: ["ignore", "ignore", "inherit"] });
}

/** Ends a program by a signal, and waits until it has ended. */
async function ended(
  running: ChildProcess,
  signal: "SIGINT" | "SIGKILL",
): Promise<void> {
  if (running.exitCode !== null || running.signalCode !== null) return;
  const exit = once(running, "exit");
  running.kill(signal);
  // One that a failed test has left stopped hears of no signal.
  running.kill("SIGCONT");
  await exit;
}

async function isReady(api: string): Promise<boolean> {
  return (await fetch(`${api}/health/ready`)).ok;
}

/** Starts chain and coordinator, or goes on with those that ended. */
export async function start(
  state: string,
  ports: World["ports"],
): Promise<void> {
  const folder = join(state, "up");
  const args = ["up", "--json", "--state", folder, "--state-interval", "1s"];
  args.push("--port", String(ports.node), "--api-port", String(ports.api));
  // A chain that goes on keeps the options that it began with.
  if (!existsSync(folder))
    args.push("--initial", "0.1", "--refund-wait", "5s", "--name", "films");
  programs.set(state, run(state, args));
  await until("the coordinator", () =>
    isReady(`http://127.0.0.1:${ports.api}`),
  );
}

/** Ends chain and coordinator by a signal, and waits until they have ended. */
export async function end(
  { state }: Pick<World, "state">,
  signal: "SIGINT" | "SIGKILL",
): Promise<void> {
  const running = programs.get(state);
  if (running) await ended(running, signal);
}

/** Returns the page of a coordinator: its own, or that of web/dist in front of it. */
async function shownAt(
  api: string,
): Promise<{ page: string; end: () => void }> {
  const isOwn = !process.env["PREVIEW"];
  return isOwn ? { page: api, end: () => undefined } : front(api, "dist");
}

/** Asks the node of a world, not by the page. */
export async function askNode<T = unknown>(
  { ports }: Pick<World, "ports">,
  method: string,
  ...params: unknown[]
): Promise<T> {
  const response = await fetch(`http://127.0.0.1:${ports.node}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
  });
  const { result, error } = (await response.json()) as {
    result: T;
    error?: { message: string };
  };
  if (error) throw new Error(`${method}: ${error.message}`);
  return result;
}

/**
 * Kills the node of a world. Returns how to let it come back, with the chain as it was saved last.
 *
 * Until then `cotrain up`, which starts it again, is stopped, and its coordinator does not answer.
 */
export async function killNode({
  state,
}: Pick<World, "state">): Promise<() => void> {
  const running = programs.get(state);
  if (!running?.pid) throw new Error("no chain runs");
  const { pid } = running;
  const children = `/proc/${pid}/task/${pid}/children`;
  const [node] = (await readFile(children, "utf8")).trim().split(" ");
  running.kill("SIGSTOP");
  process.kill(Number(node), "SIGKILL");
  return () => running.kill("SIGCONT");
}

/**
 * Starts a coordinator of the chain of a world that does not end with its node. `more` are further
 * values of its configuration, by key.
 */
export async function serve(
  world: Pick<World, "state" | "ports">,
  more: Readonly<Record<string, string>> = {},
): Promise<{
  page: string;
  /** Kills it, and starts it again at the same address. */
  restart: () => Promise<void>;
  end: () => Promise<void>;
}> {
  const { state, ports } = world;
  const known = await readFile(join(state, "context.toml"), "utf8");
  const registry = /^registry = ("0x[0-9a-f]{40}")$/m.exec(known)?.[1];
  const api = await freePort();
  const settings = {
    listen: `127.0.0.1:${api}`,
    database: `"${join(state, "beside.sqlite")}"`,
    registry,
    "node.url": `http://127.0.0.1:${ports.node}`,
    "node.poll": "200 ms",
    "node.retries": "1",
    ...more,
  };
  const sets = Object.entries(settings).map(
    ([key, value]) => `${key}=${value}`,
  );
  const args = ["serve", ...sets.flatMap((it) => ["--set", it])];
  const url = `http://127.0.0.1:${api}`;
  const begun = async (): Promise<ChildProcess> => {
    const begun = run(state, args);
    await until("the coordinator beside it", () => isReady(url));
    return begun;
  };
  let running = await begun();
  // A test that fails ends it, too: the next try begins with the same database.
  onTestFinished(() => ended(running, "SIGINT"));
  const shown = await shownAt(url);
  return {
    page: shown.page,
    restart: async () => {
      await ended(running, "SIGKILL");
      running = await begun();
    },
    end: async () => {
      shown.end();
      await ended(running, "SIGINT");
    },
  };
}

/** Makes the state that all worlds begin with, before all tests. Returns how to remove it. */
export default async function setup(
  project: TestProject,
): Promise<() => Promise<void>> {
  const state = await mkdtemp(join(tmpdir(), "cotrain-page-"));
  const ports = { node: await freePort(), api: await freePort() };
  const api = `http://127.0.0.1:${ports.api}`;
  await start(state, ports);
  const table = join(state, "plants.csv");
  await writeFile(table, rows.join("\n") + "\n");
  const data = ["--data", table, "--label-column", "kind"];
  const by = ["--dev", "4", "--yes", "--json"];
  const deploy = async (...args: string[]): Promise<string> => {
    const made = ["deploy", ...args, "--initial", "1.0", ...by];
    return JSON.parse(await cotrain(state, ...made)).trainer;
  };
  const { rows: found } = (await (await fetch(`${api}/v1/models`)).json()) as {
    rows: { trainer: string }[];
  };
  const models = {
    text: found[0]?.trainer ?? "",
    row: await deploy(...data, "--name", "plants"),
    picture: await deploy("--data", "digits", "--name", "digits"),
  };
  const terms = ["--bounty", "1ether", "--test-samples", "6", "--parts", "2"];
  const made = ["market", "create", ...data, ...terms];
  const { market } = JSON.parse(
    await cotrain(state, ...made, "--name", "test of plants", ...by),
  ) as { market: string };
  // What is kept is complete, also the first measurement.
  for (const path of [
    `models/${models.row}`,
    `models/${models.picture}`,
    `markets/${market}`,
  ])
    await until(path, async () => (await fetch(`${api}/v1/${path}`)).ok);
  await until("the accuracy", async () => {
    const answer = await fetch(`${api}/v1/models/${models.text}`);
    const { accuracy } = (await answer.json()) as { accuracy?: number };
    return typeof accuracy === "number";
  });
  await end({ state }, "SIGINT");
  project.provide("seed", { state, models, market });
  return () => rm(state, { recursive: true, force: true });
}

/** Starts a world for the tests of a file, and ends it after them. */
export async function useWorld(): Promise<World> {
  const { state: seed, ...contracts } = inject("seed");
  const state = await mkdtemp(join(tmpdir(), "cotrain-page-"));
  await cp(seed, state, { recursive: true });
  const ports = { node: await freePort(), api: await freePort() };
  const api = `http://127.0.0.1:${ports.api}`;
  await start(state, ports);
  const shown = await shownAt(api);
  afterAll(async () => {
    shown.end();
    await end({ state }, "SIGINT");
    await rm(state, { recursive: true, force: true });
  });
  return { page: shown.page, state, ports, ...contracts };
}
