import { spawn, execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import type { TestProject } from "vitest/node";
import { front } from "./front.ts";

/** Command to test; a test builds nothing. */
const program = resolve(
  process.env["COTRAIN_BIN"] ?? "../target/debug/cotrain",
);
/** Maximum time for a start, in milliseconds. */
const START = 90_000;

/** Addresses of the world that all browser tests share. */
export interface World {
  /** Address of the page, without a slash at its end. */
  page: string;
  /** Trainers of the models, by what they take. */
  models: { text: string; row: string; picture: string };
  /** An open prediction market. */
  market: string;
  state: string;
  ports: { node: number; api: number };
}

declare module "vitest" {
  export interface ProvidedContext {
    world: World;
  }
}

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

/** Starts chain and coordinator, or goes on with those that were killed. */
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
  const started = spawn(program, args, {
    env: { ...process.env, COTRAIN_STATE: state },
    stdio: ["ignore", "ignore", "inherit"],
  });
  await writeFile(join(state, "pid"), String(started.pid));
  await until("the coordinator", async () => {
    return (await fetch(`http://127.0.0.1:${ports.api}/health/ready`)).ok;
  });
}

/** Ends chain and coordinator by a signal, and waits until nothing listens. */
export async function end(
  { state, ports }: Pick<World, "state" | "ports">,
  signal: "SIGINT" | "SIGKILL",
): Promise<void> {
  process.kill(Number(await readFile(join(state, "pid"), "utf8")), signal);
  await until("the end", () =>
    fetch(`http://127.0.0.1:${ports.api}/health/live`).then(
      () => false,
      () => true,
    ),
  );
}

/** Starts the world before all browser tests. Returns how to end it. */
export default async function setup(
  project: TestProject,
): Promise<() => Promise<void>> {
  const state = await mkdtemp(join(tmpdir(), "cotrain-page-"));
  const ports = { node: await freePort(), api: await freePort() };
  const api = `http://127.0.0.1:${ports.api}`;
  await start(state, ports);
  const preview = process.env["PREVIEW"]
    ? await front(api, "dist")
    : { page: api, end: () => {} };
  const { page } = preview;

  const table = join(state, "plants.csv");
  await writeFile(table, rows.join("\n") + "\n");
  const deploy = async (...args: string[]): Promise<string> => {
    const common = ["--initial", "1.0", "--dev", "4", "--yes", "--json"];
    const { trainer } = JSON.parse(
      await cotrain(state, "deploy", ...args, ...common),
    ) as {
      trainer: string;
    };
    await until(
      "a deployed model",
      async () => (await fetch(`${page}/v1/models/${trainer}`)).ok,
    );
    return trainer;
  };
  const text = JSON.parse(await (await fetch(`${page}/v1/models`)).text())
    .rows[0].trainer;
  const row = await deploy(
    "--data",
    table,
    "--label-column",
    "kind",
    "--name",
    "plants",
  );
  const picture = await deploy("--data", "digits", "--name", "digits");
  const models = { text, row, picture };
  const data = ["--data", table, "--label-column", "kind"];
  const terms = ["--bounty", "1ether", "--test-samples", "6", "--parts", "2"];
  const by = ["--name", "test of plants", "--dev", "4", "--yes", "--json"];
  const { market } = JSON.parse(
    await cotrain(state, "market", "create", ...data, ...terms, ...by),
  ) as { market: string };
  project.provide("world", { page, models, market, state, ports });

  return async () => {
    preview.end();
    await end({ state, ports }, "SIGINT");
    await rm(state, { recursive: true, force: true });
  };
}
