/** `global-proxy drain` and `undrain`: an engine takes nothing new, or takes requests again, at a running proxy. */
import { setTimeout as sleep } from "node:timers/promises";
import { type Command, InvalidArgumentError } from "commander";
import { visibleJson, visibleLines } from "../../observe/visible.ts";
import { systemClock } from "../../transport/clock.ts";
import type { AdminClient } from "../admin/admin-client.ts";
import {
  type AdminCommandSwitches,
  adminCommand,
  exitCodes,
  withAdmin,
} from "../admin/admin-command.ts";
import { AdminFailure } from "../admin/admin-failure.ts";
import { print, printMessage } from "../print.ts";

interface Switches extends AdminCommandSwitches {
  readonly pool?: string;
  readonly wait?: boolean;
  readonly timeout: number;
}

interface EngineState {
  readonly engine: string;
  readonly state: string;
  readonly inFlight: number;
  readonly kvOpen: number;
}

const lookMs = 500;

export function drainCommand(verb: "drain" | "undrain", onCode: (code: number) => void): Command {
  const command = adminCommand(
    verb,
    verb === "drain"
      ? "let an engine take nothing new, and finish what it has"
      : "let an engine that was drained take requests again",
  )
    .argument("<engine>", "its address, as host:port, or one of its ranks, as host:port@RANK")
    .option("--pool <name>", "only in this pool (default: in each that has the engine)");
  if (verb === "drain") {
    command
      .option("--wait", "wait until it has no request in flight and holds no KV cache")
      .option("--timeout <seconds>", "how long to wait", seconds, 3_600);
  }
  return command.action((engine: string, switches: Switches) =>
    withAdmin(switches, onCode, (client) =>
      new Drainer(switches, client).run(verb, engine.replace(/^http:\/\//, "")),
    ),
  );
}

class Drainer {
  readonly #switches: Switches;
  readonly #client: AdminClient;

  constructor(switches: Switches, client: AdminClient) {
    this.#switches = switches;
    this.#client = client;
  }

  async run(verb: "drain" | "undrain", engine: string): Promise<number> {
    const { pool, wait, timeout, json } = this.#switches;
    const pools = pool === undefined ? await this.#poolsWith(engine) : [pool];
    const all: object[] = [];
    for (const name of pools) {
      const engines = await this.#ask("POST", `${pathOf(name, engine)}/${verb}`);
      all.push({ pool: name, engines });
      if (json !== true) for (const one of engines) print(visibleLines(lineOf(name, one)));
    }
    if (json === true) print(visibleJson({ pools: all }));
    if (verb === "undrain" || wait !== true) return exitCodes.done;
    const deadlineMs = systemClock.nowMs() + timeout * 1_000;
    for (;;) {
      const left = (await Promise.all(pools.map((name) => this.#left(name, engine)))).flat();
      if (left.length === 0) {
        if (json !== true) print(`${engine} has nothing in flight any more\n`);
        return exitCodes.done;
      }
      if (systemClock.nowMs() > deadlineMs) {
        printMessage("error", `${left.join(", ")}: not empty after ${timeout} s; it drains on`);
        return exitCodes.unmet;
      }
      await sleep(lookMs);
    }
  }

  /** What the engine has to finish in a pool. One that has left it has nothing. */
  async #left(pool: string, engine: string): Promise<string[]> {
    const engines = await this.#ask("GET", pathOf(pool, engine), [404]);
    return engines
      .filter(({ inFlight, kvOpen }) => inFlight + kvOpen > 0)
      .map((one) => lineOf(pool, one).trim());
  }

  async #poolsWith(engine: string): Promise<string[]> {
    const { pools = [] } = await this.#client.get<{
      pools?: { pool: string; engines: EngineState[] }[];
    }>("GET", "/admin/engines");
    const having = pools.filter(({ engines }) =>
      engines.some((one) => [one.engine, one.engine.replace(/@\d+$/, "")].includes(engine)),
    );
    if (having.length > 0) return having.map(({ pool }) => pool);
    const all = [...new Set(pools.flatMap(({ engines }) => engines.map((one) => one.engine)))];
    const known = `${all.slice(0, 8).join(", ")}${all.length > 8 ? ", …" : ""}`;
    throw new AdminFailure(`no pool has an engine ${engine}; the engines are ${known || "none"}`);
  }

  async #ask(method: string, path: string, allowed: readonly number[] = []) {
    const found = await this.#client.get<{ engines?: EngineState[] }>(method, path, { allowed });
    return found.engines ?? [];
  }
}

function pathOf(pool: string, engine: string): string {
  return `/admin/pools/${encodeURIComponent(pool)}/engines/${encodeURIComponent(engine)}`;
}

function lineOf(pool: string, { engine, state, inFlight, kvOpen }: EngineState): string {
  const kv = kvOpen > 0 ? `, ${kvOpen} KV caches held` : "";
  return `${engine} in pool ${pool}: ${state}, ${inFlight} requests in flight${kv}\n`;
}

function seconds(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && value >= 0 && value <= 86_400) return value;
  throw new InvalidArgumentError("It must be a number of seconds, at most 86400.");
}
