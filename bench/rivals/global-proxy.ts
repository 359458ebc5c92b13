/** Global Proxy with one prefill and one decode engine, on either runtime: the full P/D hand-off for every request. */

import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Engine } from "../engine-handle.ts";
import { freePort, PROXY_CORE, processTree, run, start, waitForPort } from "../process.ts";
import type { Rival, RunningRival } from "./rival.ts";

/** From bench/build/rivals, where the compiled file is. */
const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const COMMAND = `${ROOT}bin/global-proxy`;
export const BUN: string = `${ROOT}node_modules/.bin/bun`;

type Runtime = "bun" | "node";

async function startGlobalProxy(runtime: Runtime, engine: Engine): Promise<RunningRival> {
  const port = await freePort();
  const args = ["--prefill", engine.prefillUrl, "--decode", engine.decodeUrl];
  const started = start(PROXY_CORE, COMMAND, [...args, "--listen", `127.0.0.1:${port}`], {
    GLOBAL_PROXY_RUNTIME: runtime,
  });
  await waitForPort(started, port);
  return {
    port,
    pids: () => processTree(started.pid),
    output: () => started.output(),
    stop: () => started.stop(),
  };
}

export async function bunVersion(): Promise<string | null> {
  try {
    return (await run(null, BUN, ["--version"], 5000)).trim();
  } catch {
    return null;
  }
}

async function version(runtime: Runtime): Promise<string | null> {
  if (!existsSync(COMMAND)) return null;
  return runtime === "node" ? process.versions.node : bunVersion();
}

function globalProxy(runtime: Runtime): Rival {
  return {
    id: runtime,
    title: `Global Proxy on ${runtime === "bun" ? "Bun" : "Node"}`,
    disaggregates: true,
    version: () => version(runtime),
    start: (engine) => startGlobalProxy(runtime, engine),
  };
}

export const globalProxyOnBun: Rival = globalProxy("bun");
export const globalProxyOnNode: Rival = globalProxy("node");
