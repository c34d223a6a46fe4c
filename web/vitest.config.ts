import { defineConfig } from "vitest/config";

/** What drives the page in a browser. */
const driven = {
  globalSetup: "test/browser/world.ts",
  // Chain, coordinator and browser share two processors with whatever else runs there.
  testTimeout: 90_000,
  hookTimeout: 120_000,
  expect: { poll: { timeout: 10_000 } },
};

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/{fuzz,browser,screenshots}/**"],
        },
      },
      {
        test: {
          name: "fuzz",
          include: ["test/fuzz/**/*.test.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          ...driven,
          name: "browser",
          include: ["test/browser/**/*.test.ts"],
          // Each file has a world of its own, and mostly waits.
          maxWorkers: 2,
          retry: 1,
        },
      },
      {
        test: {
          ...driven,
          name: "screenshots",
          include: ["test/screenshots/**/*.test.ts"],
          testTimeout: 600_000,
        },
      },
    ],
  },
});
