import { createServer } from "vite";

/** Serves the page of this folder, which has only the parts that concern wallets. */
export async function serveHarness(
  api: string,
): Promise<{ origin: string; end: () => Promise<void> }> {
  const before = process.env["COTRAIN_API"];
  process.env["COTRAIN_API"] = api;
  const server = await createServer({
    configFile: "vite.config.ts",
    logLevel: "error",
    cacheDir: "node_modules/.vite-harness",
    server: { host: "127.0.0.1", port: 0, hmr: false, watch: null },
    optimizeDeps: { include: ["viem/utils", "openapi-fetch"] },
  });
  await server.listen();
  if (before === undefined) delete process.env["COTRAIN_API"];
  else process.env["COTRAIN_API"] = before;
  const address = server.httpServer?.address();
  if (typeof address !== "object" || !address)
    throw new Error("the harness has no address");
  return {
    origin: `http://127.0.0.1:${address.port}`,
    end: () => server.close(),
  };
}
