import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { useWorld } from "./world.ts";

const { page, state } = await useWorld();

it("has the types of the coordinator's own document", async () => {
  const file = join(state, "schema.d.ts");
  const args = [`${page}/openapi.json`, "--output", file];
  await promisify(execFile)("node_modules/.bin/openapi-typescript", args);
  const committed = await readFile("src/api/schema.d.ts", "utf8");
  const isSame = (await readFile(file, "utf8")) === committed;
  const advice = `run scripts/page --types on the address of a coordinator`;
  expect(isSame, `src/api/schema.d.ts is old: ${advice}`).toBe(true);
});
