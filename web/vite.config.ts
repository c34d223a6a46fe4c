import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";
import { licenses } from "./tools/licenses.ts";

// Address of a coordinator for the development server, such as http://127.0.0.1:8080.
const api = process.env["COTRAIN_API"] ?? "http://127.0.0.1:8080";
const paths = ["/v1", "/health", "/problems", "/docs", "/openapi.json", "/rpc"];

export default defineConfig({
  plugins: [svelte({ configFile: false }), licenses()],
  build: {
    target: "es2022",
    // The server's policy allows no data as a script or a style.
    assetsInlineLimit: 0,
    // Files of equal sources have equal bytes, so nothing of this machine may be in them.
    sourcemap: false,
    reportCompressedSize: false,
    // On a slow line each file costs a round trip, so small shared ones are merged.
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            { name: "first", tags: ["$initial"], priority: 2 },
            {
              name: "model",
              test: /src\/(model|twin)\//,
              minShareCount: 2,
              priority: 1,
            },
            { name: "wallet", minShareCount: 3 },
          ],
        },
      },
    },
  },
  worker: { format: "es" },
  server: { proxy: Object.fromEntries(paths.map((path) => [path, api])) },
});
