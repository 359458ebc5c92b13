/** `global-proxy drain` and `undrain`: an engine takes nothing new, or takes requests again, at a running proxy. */
import { setTimeout as sleep } from "node:timers/promises";
import { Command, InvalidArgumentError } from "commander";
import { systemClock } from "../../transport/clock.ts";
import { AdminClient, AdminFailure, type AdminSwitches, addAdminOptions } from "../admin-client.ts";
import { print, printMessage } from "../print.ts";

interface Switches extends AdminSwitches {
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

/** What a shell gets. */
const codes = { done: 0, failed: 1, timedOut: 3 } as const;

const lookMs = 500;
const askTimeoutMs = 10_000;

export function drainCommand(verb: "drain" | "undrain", onCode: (code: number) => void): Command {
  const command = new Command(verb)
    .description(
      verb === "drain"
        ? "let an engine take nothing new, and finish what it has"
        : "let an engine that was drained take requests again",
    )
    .argument("<engine>", "its address, as host:port, or one of its ranks, as host:port@RANK");
  addAdminOptions(command).option(
    "--pool <name>",
    "only in this pool (default: in each that has the engine)",
  );
  if (verb === "drain") {
    command
      .option("--wait", "wait until it has no request in flight and holds no KV cache")
      .option("--timeout <seconds>", "how long to wait", seconds, 3_600);
  }
  return command.action(async (engine: string, switches: Switches) => {
    try {
      onCode(await new Drainer(switches).run(verb, engine.replace(/^http:\/\//, "")));
    } catch (error) {
      if (!(error instanceof AdminFailure)) throw error;
      printMessage("error", error.message);
      onCode(codes.failed);
    }
  });
}

class Drainer {
  readonly #switches: Switches;
  readonly #client: AdminClient;

  constructor(switches: Switches) {
    this.#switches = switches;
    this.#client = new AdminClient(switches, askTimeoutMs);
  }

  async run(verb: "drain" | "undrain", engine: string): Promise<number> {
    const { pool, wait, timeout } = this.#switches;
    const pools = pool === undefined ? await this.#poolsWith(engine) : [pool];
    for (const name of pools) {
      const engines = await this.#ask("POST", `${pathOf(name, engine)}/${verb}`);
      for (const one of engines) print(lineOf(name, one));
    }
    if (verb === "undrain" || wait !== true) return codes.done;
    const deadlineMs = systemClock.nowMs() + timeout * 1_000;
    for (;;) {
      const left = (await Promise.all(pools.map((name) => this.#left(name, engine)))).flat();
      if (left.length === 0) {
        print(`${engine} has nothing in flight any more\n`);
        return codes.done;
      }
      if (systemClock.nowMs() > deadlineMs) {
        printMessage("error", `${left.join(", ")}: not empty after ${timeout} s; it drains on`);
        return codes.timedOut;
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
    const { pools = [] } = (await this.#fetch("GET", "/admin/engines", [])) as {
      pools?: { pool: string; engines: EngineState[] }[];
    };
    const having = pools.filter(({ engines }) =>
      engines.some((one) => [one.engine, one.engine.replace(/@\d+$/, "")].includes(engine)),
    );
    if (having.length > 0) return having.map(({ pool }) => pool);
    const all = [...new Set(pools.flatMap(({ engines }) => engines.map((one) => one.engine)))];
    const known = `${all.slice(0, 8).join(", ")}${all.length > 8 ? ", …" : ""}`;
    throw new AdminFailure(`no pool has an engine ${engine}; the engines are ${known || "none"}`);
  }

  async #ask(method: string, path: string, allowed: readonly number[] = []) {
    const { engines = [] } = (await this.#fetch(method, path, allowed)) as {
      engines?: EngineState[];
    };
    return engines;
  }

  async #fetch(method: string, path: string, allowed: readonly number[]): Promise<object> {
    const response = await this.#client.ask(method, path);
    if (response.status < 300 || allowed.includes(response.status)) return response.body;
    throw new AdminFailure(this.#client.problemOf(path, response));
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
