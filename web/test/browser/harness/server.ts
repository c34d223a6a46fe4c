import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build, preview } from "vite";

/** Builds and serves the page of this folder, which has only the parts that concern wallets. */
export async function serveHarness(
  api: string,
): Promise<{ page: string; end: () => Promise<void> }> {
  const outDir = await mkdtemp(join(tmpdir(), "cotrain-harness-"));
  const common = { configFile: "vite.config.ts", logLevel: "error" } as const;
  const index = "test/browser/harness/index.html";
  await build({
    ...common,
    build: { outDir, emptyOutDir: true, rolldownOptions: { input: index } },
  });
  const paths = ["/v1", "/health", "/rpc"];
  const server = await preview({
    ...common,
    build: { outDir },
    preview: {
      host: "127.0.0.1",
      port: 0,
      proxy: Object.fromEntries(paths.map((path) => [path, api])),
    },
  });
  const address = server.httpServer.address();
  if (typeof address !== "object" || !address)
    throw new Error("the harness has no address");
  return {
    page: `http://127.0.0.1:${address.port}/${index}`,
    end: async () => {
      await server.close();
      await rm(outDir, { recursive: true, force: true });
    },
  };
}
