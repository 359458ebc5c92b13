/**
 * The built program loads few files when it starts. As one file for each module (700), those of libraries included, a
 * process and each of its threads took two to three times the CPU time to start. Needs `npm run build`.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, expect, it } from "vitest";
import { startScript } from "../support/command.ts";
import { root } from "../support/runtimes.ts";

/** Of each thread. It was 41 for the main thread and 26 for a worker when this was written. */
const filesMax = 50;

const folder = mkdtempSync(join(tmpdir(), "gp-startup-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The files that each thread has loaded: V8 lists them when the thread ends. */
function loadedByThread(): string[][] {
  return readdirSync(folder).map((name) => {
    const { result } = JSON.parse(readFileSync(join(folder, name), "utf8")) as {
      result: { url: string }[];
    };
    return result.map(({ url }) => url).filter((url) => url.startsWith("file:"));
  });
}

it("serving loads few files in each thread, and none from outside of dist", async () => {
  const engines = ["--prefill", "http://127.0.0.1:9", "--decode", "http://127.0.0.1:9"];
  const command = startScript(
    "node",
    `${root}dist/cli/main.js`,
    [...engines, "--listen", "127.0.0.1:0"],
    { cwd: folder, env: { ...process.env, NODE_V8_COVERAGE: folder } },
  );
  await command.saysError(/listening on/);
  command.signal("SIGTERM");
  expect(await command.exited).toBe(0);
  const threads = loadedByThread();
  expect(threads).toHaveLength(2);
  const dist = pathToFileURL(`${root}dist/`).href;
  for (const files of threads) {
    expect(files.filter((url) => !url.startsWith(dist))).toEqual([]);
    expect(files.length).toBeLessThanOrEqual(filesMax);
  }
  // What checks configurations is a fifth of what a worker would load, and would run before it listens.
  const worker = threads.find((files) => files.some((url) => url.endsWith("/worker-thread.js")))!;
  const withSchemas = worker.filter((url) => /ZodError/.test(readFileSync(new URL(url), "utf8")));
  expect(withSchemas).toEqual([]);
});
