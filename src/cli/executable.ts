/**
 * The entry of the one-file executable (`scripts/executable.mjs`), of its main thread and of its workers: there is no
 * other file that a worker could be started from. A thread loads only what it runs.
 */
import { resolve } from "node:path";
import { isMainThread } from "node:worker_threads";

/** What this file uses of Bun's API. */
interface PluginHost {
  plugin(plugin: {
    readonly name: string;
    setup(build: { module(specifier: string, load: () => Promise<object>): void }): void;
  }): void;
}

const { Bun } = globalThis as unknown as { readonly Bun: PluginHost };

// Policies of an operator's own import it by this name, which no `node_modules` resolves here.
Bun.plugin({
  name: "global-proxy",
  setup(build) {
    build.module("global-proxy/policy", async () => ({
      loader: "object",
      exports: { ...(await import("../policies/api.ts")) },
    }));
  },
});

if (isMainThread) {
  // For an upgrade, which starts what this name stands for then.
  const name = process.argv0;
  process.env["GLOBAL_PROXY_PROGRAM"] = name.includes("/") ? resolve(name) : name;
  const { runProgram } = await import("./run.ts");
  await runProgram({
    workerEntry: new URL(import.meta.url),
    // A type of its own would need the file, which is built later than types are checked.
    pageFiles: async () => (await import("../../dist/dashboard.json" as string)).default,
  });
} else {
  await import("../proxy/worker/worker-thread.ts");
}
