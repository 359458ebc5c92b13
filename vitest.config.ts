/** How all tests run. What is slow on this machine now gets more time: see `test/support/slowness.ts`. */
import { defineConfig } from "vitest/config";
import { measureSlowness } from "./test/support/slowness.ts";

export default defineConfig(async () => {
  const slowness = await measureSlowness();
  // Only a test that hangs takes so long.
  const timeoutMs = 120_000 * slowness;
  return {
    test: {
      include: ["test/**/*.test.ts"],
      testTimeout: timeoutMs,
      hookTimeout: timeoutMs,
      // Two cores: more workers than that only make socket tests slower.
      maxWorkers: 2,
      // The files of a worker share its process and the modules they have loaded: a process for each file took half a
      // second of CPU time, 300 times. So a test undoes what it changes outside of itself.
      isolate: false,
      globalSetup: "test/support/needs.ts",
      provide: { slowness },
    },
  };
});
