/**
 * The proxy under test: the real one, in this process, on ports of its own. It serves the fleet at one address, and
 * each pair of engines that is tried alone at another.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Runtime } from "../config/check/runtime.ts";
import { inCommandLine } from "../config/problems/problem.ts";
import type { Config, EngineConfig } from "../config/schema/schema.ts";
import { Instance } from "../control/process/instance.ts";
import { type Address, addressOf } from "../pool/address.ts";
import type { Clock } from "../transport/clock.ts";

export interface ProxyDeps {
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly random: () => number;
  /** The compiled module that a worker thread runs. */
  readonly workerEntry: URL;
}

/** Engines that the proxy serves at an address of their own. */
export interface PairConfig {
  readonly prefill: EngineConfig | undefined;
  readonly decode: EngineConfig;
}

export interface ProxyUnderTest {
  /** Where it serves the whole fleet. */
  readonly address: Address;
  /** Where it serves each pair, in the order in which they were given. */
  readonly pairs: readonly Address[];
  /** The last lines of its error log. */
  log(): readonly string[];
  stop(): Promise<void>;
}

const logLinesMax = 50;
const stopTimeoutMs = 5_000;

/** Rejects with a `ServeError`, or an Error when it does not start in time. */
export async function startProxy(
  config: Config,
  pairs: readonly PairConfig[],
  deps: ProxyDeps,
  timeoutMs: number,
): Promise<ProxyUnderTest> {
  const folder = mkdtempSync(join(tmpdir(), "global-proxy-check-"));
  const file = join(folder, "error.log");
  const served = withPairs({ ...config, errorLog: { file, level: "warn" } }, pairs);
  const load = () => ({ config: served, notices: [], locate: inCommandLine });
  const instance = new Instance({ ...deps, config: served, load });
  const readLog = () => {
    const lines = readFileSync(file, "utf8").split("\n");
    return lines.filter((line) => line !== "").slice(-logLinesMax);
  };
  const stop = async () => {
    await within(stopTimeoutMs, instance.stop()).catch(() => instance.interrupt());
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const { addresses } = await within(timeoutMs, instance.start());
    const [address, ...others] = addresses.map((bound) => addressOf(bound));
    return { address: address!, pairs: others, log: readLog, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A server for each pair, beside the one for the fleet. Each port 0 becomes another port. */
function withPairs(config: Config, pairs: readonly PairConfig[]): Config {
  const [server] = config.servers;
  const pools: Config["pools"] = { ...config.pools };
  const servers = pairs.map(({ prefill, decode }, index) => {
    const [prefillPool, decodePool] = [`prefill-${index}`, `decode-${index}`];
    pools[decodePool] = { ...config.pools["decode"]!, engines: [decode] };
    if (prefill !== undefined) {
      pools[prefillPool] = { ...config.pools["prefill"]!, engines: [prefill] };
    }
    const routes = server!.routes.map((route) => ({
      ...route,
      target: { pool: decodePool },
      ...(prefill && { prefill: { pool: prefillPool } }),
    }));
    return { ...server!, routes };
  });
  return { ...config, pools, servers: [server!, ...servers] };
}

async function within<Result>(timeoutMs: number, task: Promise<Result>): Promise<Result> {
  const timer = new AbortController();
  try {
    const late = delay(timeoutMs, undefined, { signal: timer.signal, ref: false }).then(() => {
      throw new Error(`the proxy did not start or stop within ${timeoutMs} ms`);
    });
    late.catch(() => {});
    return await Promise.race([task, late]);
  } finally {
    timer.abort();
  }
}
