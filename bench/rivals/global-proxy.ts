/** Global Proxy with one prefill and one decode engine, on either runtime: the full P/D hand-off for every request. */

import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Engine } from "../engine-handle.ts";
import {
  freePort,
  PROXY_CORE,
  processTree,
  run,
  scratchFolder,
  start,
  waitForPort,
} from "../process.ts";
import type { Rival, RunningRival } from "./rival.ts";
import { seedConfiguration } from "./seed-conf.ts";

/** From bench/build/rivals, where the compiled file is. */
const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
/** Another checkout, built, to compare this one with in the same run: rivals `before-…`. */
const BEFORE = process.env["GLOBAL_PROXY_BEFORE"];
export const BUN: string = `${ROOT}node_modules/.bin/bun`;

type Runtime = "bun" | "node";
/**
 * How it is configured: by flags with the policy of the original, the same with metrics counted (they are not where
 * nobody can read them), by flags alone, or with the seed's file.
 */
type Form = "length_balance" | "metrics" | "defaults" | "nginx.conf";

const idEnds: Readonly<Record<Form, string>> = {
  length_balance: "",
  metrics: "-metrics",
  defaults: "-defaults",
  "nginx.conf": "-conf",
};
const titleEnds: Readonly<Record<Form, string>> = {
  length_balance: "",
  metrics: ", metrics",
  defaults: ", prefill queue",
  "nginx.conf": ", seed's nginx.conf",
};

function commandIn(root: string): string {
  return join(root, "bin/global-proxy");
}

async function startGlobalProxy(
  root: string,
  runtime: Runtime,
  form: Form,
  engine: Engine,
): Promise<RunningRival> {
  const port = await freePort();
  const prefix = scratchFolder("global-proxy");
  const file = join(prefix, "nginx.conf");
  writeFileSync(file, seedConfiguration(port, engine));
  const policy = ["--prefill-policy", "length_balance", "--decode-policy", "length_balance"];
  const engines = ["--prefill", engine.prefillUrl, "--decode", engine.decodeUrl];
  const counts = form === "metrics" ? [...policy, "--metrics", "0"] : [];
  const flags = [...engines, ...(form === "length_balance" ? policy : counts)];
  const args =
    form === "nginx.conf"
      ? ["-p", prefix, "-c", file]
      : [...flags, "--listen", `127.0.0.1:${port}`];
  const started = start(PROXY_CORE, commandIn(root), args, { GLOBAL_PROXY_RUNTIME: runtime });
  await waitForPort(started, port);
  return {
    port,
    pids: () => processTree(started.pid),
    output: () => started.output(),
    stop: async () => {
      await started.stop();
      rmSync(prefix, { recursive: true, force: true });
    },
  };
}

export async function bunVersion(): Promise<string | null> {
  try {
    return (await run(null, BUN, ["--version"], 5000)).trim();
  } catch {
    return null;
  }
}

async function version(root: string, runtime: Runtime): Promise<string | null> {
  if (!existsSync(commandIn(root))) return null;
  return runtime === "node" ? process.versions.node : bunVersion();
}

function globalProxy(runtime: Runtime, form: Form, root = ROOT): Rival {
  const name = `Global Proxy on ${runtime === "bun" ? "Bun" : "Node"}`;
  const isBefore = root !== ROOT;
  return {
    id: `${isBefore ? "before-" : ""}${runtime}${idEnds[form]}`,
    title: `${name}${titleEnds[form]}${isBefore ? ", before" : ""}`,
    disaggregates: true,
    version: () => version(root, runtime),
    start: (engine) => startGlobalProxy(root, runtime, form, engine),
  };
}

const forms: readonly Form[] = ["length_balance", "metrics", "defaults", "nginx.conf"];
const roots: readonly string[] = BEFORE === undefined ? [ROOT] : [ROOT, BEFORE];

export const globalProxies: readonly Rival[] = roots.flatMap((root) =>
  forms.flatMap((form) => [globalProxy("bun", form, root), globalProxy("node", form, root)]),
);
