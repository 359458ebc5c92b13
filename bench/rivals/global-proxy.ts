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
import { makeCertificate, oneHop } from "./nginx.ts";
import { openPages, startCollector } from "./observers.ts";
import type { Rival, RunningRival } from "./rival.ts";
import { seedConfiguration } from "./seed-conf.ts";

/** From bench/build/rivals, where the compiled file is. */
const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
/** Another checkout, built, to compare this one with in the same run: rivals `before-…`. */
const BEFORE = process.env["GLOBAL_PROXY_BEFORE"];
export const BUN: string = `${ROOT}node_modules/.bin/bun`;

/** Of the dashboard. */
const pagesOpen = 3;

type Runtime = "bun" | "node";
/**
 * How it is configured: by flags with the policy of the original; the same with metrics counted (they are not where
 * nobody can read them), with the admin listener and three pages of its dashboard open, or with traces of 1 % or of
 * all requests; by flags alone, or with the seed's file.
 */
type Form = "length_balance" | Watched | "defaults" | "nginx.conf" | OneHop;
/** As the nginx that it is compared with: one hop to decode, without a hand-off, and with TLS for clients. */
type OneHop = "hop" | "tls";
type Watched = "metrics" | "admin" | "traces-1" | "traces-100";

const idEnds: Readonly<Record<Form, string>> = {
  length_balance: "",
  metrics: "-metrics",
  admin: "-admin",
  "traces-1": "-traces-1",
  "traces-100": "-traces-100",
  defaults: "-defaults",
  "nginx.conf": "-conf",
  hop: "-hop",
  tls: "-tls",
};
const titleEnds: Readonly<Record<Form, string>> = {
  length_balance: "",
  metrics: ", metrics",
  admin: ", admin and 3 pages",
  "traces-1": ", traces of 1 %",
  "traces-100": ", all traces",
  defaults: ", prefill queue",
  "nginx.conf": ", seed's nginx.conf",
  hop: ", one hop",
  tls: ", one hop, TLS",
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
  const isOneHop = form === "hop" || form === "tls";
  if (form === "tls") makeCertificate(prefix);
  const hop = () => oneHop(port, engine, form === "tls" ? prefix : undefined);
  writeFileSync(file, isOneHop ? hop() : seedConfiguration(port, engine));
  const policy = ["--prefill-policy", "length_balance", "--decode-policy", "length_balance"];
  const engines = ["--prefill", engine.prefillUrl, "--decode", engine.decodeUrl];
  const adminPort = await freePort();
  const collector = form.startsWith("traces") ? await startCollector() : undefined;
  const traces = ["--otlp-traces-endpoint", collector?.url ?? "", "--trace-sample-ratio"];
  const more: Readonly<Record<Form, readonly string[]>> = {
    length_balance: policy,
    metrics: [...policy, "--metrics", "0"],
    admin: [...policy, "--admin", String(adminPort)],
    "traces-1": [...policy, ...traces, "0.01"],
    "traces-100": [...policy, ...traces, "1"],
    defaults: [],
    "nginx.conf": [],
    hop: [],
    tls: [],
  };
  const flags = [...engines, ...more[form]];
  const args =
    form === "nginx.conf" || isOneHop
      ? ["-p", prefix, "-c", file]
      : [...flags, "--listen", `127.0.0.1:${port}`];
  const started = start(PROXY_CORE, commandIn(root), args, { GLOBAL_PROXY_RUNTIME: runtime });
  await waitForPort(started, port);
  const pages = form === "admin" ? await openPages(adminPort, pagesOpen) : undefined;
  return {
    port,
    isTls: form === "tls",
    pids: () => processTree(started.pid),
    output: () => started.output(),
    stop: async () => {
      pages?.close();
      await started.stop();
      collector?.close();
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
    disaggregates: form !== "hop" && form !== "tls",
    isTls: form === "tls",
    version: () => version(root, runtime),
    start: (engine) => startGlobalProxy(root, runtime, form, engine),
  };
}

const forms = Object.keys(idEnds) as Form[];
const roots: readonly string[] = BEFORE === undefined ? [ROOT] : [ROOT, BEFORE];

export const globalProxies: readonly Rival[] = roots.flatMap((root) =>
  forms.flatMap((form) => [globalProxy("bun", form, root), globalProxy("node", form, root)]),
);
