/** `global-proxy status` and `engines`: how a running proxy and its engines are. */
import type { Command } from "commander";
import type { EngineReport, PoolReport } from "../../control/admin/engines.ts";
import type { AdminClient } from "../admin/admin-client.ts";
import {
  type AdminCommandSwitches,
  adminCommand,
  exitCodes,
  show,
  withAdmin,
} from "../admin/admin-command.ts";
import { AdminFailure } from "../admin/admin-failure.ts";
import { columns, duration, short, terminalWidth, wrapped } from "../admin/columns.ts";

interface Health {
  readonly status: string;
  readonly workers: { readonly alive: number; readonly configured: number };
  readonly poolsWithoutFitEngine?: readonly string[];
  readonly sparedPoolsWithoutFitEngine?: readonly string[];
}

interface PoolSwitches extends AdminCommandSwitches {
  readonly pool?: string;
}

export function statusCommand(onCode: (code: number) => void): Command {
  return adminCommand(
    "status",
    "say how a running proxy is, and how many engines of each pool are fit",
  ).action((switches: AdminCommandSwitches) =>
    withAdmin(switches, onCode, async (client) => {
      const health = await client.get<Health>("GET", "/admin/health", { allowed: [503] });
      const pools = await poolsOf(client);
      show(switches, { ...health, pools }, (said) => statusText(client.origin, said));
      return health.status === "ok" ? exitCodes.done : exitCodes.unmet;
    }),
  );
}

export function enginesCommand(onCode: (code: number) => void): Command {
  return adminCommand("engines", "list the engines of a running proxy, their states and their load")
    .option("--pool <name>", "only of this pool")
    .action((switches: PoolSwitches) =>
      withAdmin(switches, onCode, async (client) => {
        const all = await poolsOf(client);
        const pools = all.filter(
          ({ pool }) => switches.pool === undefined || pool === switches.pool,
        );
        if (pools.length === 0) {
          const known = all.map(({ pool }) => pool).join(", ");
          throw new AdminFailure(`there is no pool "${switches.pool}": the pools are ${known}`);
        }
        show(switches, { pools }, (said) => enginesText(said.pools));
        return exitCodes.done;
      }),
    );
}

export async function poolsOf(client: AdminClient): Promise<readonly PoolReport[]> {
  return (await client.get<{ pools: PoolReport[] }>("GET", "/admin/engines")).pools;
}

interface Status extends Health {
  readonly pools: readonly PoolReport[];
}

function statusText(origin: string, said: Status): string {
  const { status, workers, pools, poolsWithoutFitEngine: needed = [] } = said;
  const unfit = [...needed, ...(said.sparedPoolsWithoutFitEngine ?? [])];
  const why = unfit.length > 0 ? ` (no fit engine in ${unfit.join(", ")})` : "";
  const width = terminalWidth();
  const head = `${origin}: ${status}${why}, ${workers.alive} of ${workers.configured} workers`;
  const rows = pools.map(({ pool, policy, waiting, engines }) => {
    const sum = (of: (engine: EngineReport) => number) =>
      `${engines.reduce((total, engine) => total + of(engine), 0)}`;
    const states = [...new Set(engines.map(({ state }) => state))];
    const counts = states.map(
      (one) => `${engines.filter(({ state }) => state === one).length} ${one}`,
    );
    return [
      pool,
      policy,
      counts.join(", ") || "no engines",
      sum((one) => one.inFlight),
      `${waiting ?? ""}`,
      sum((one) => one.kvOpen),
    ];
  });
  const heading = ["pool", "policy", "engines", "in flight", "waiting", "KV held"];
  const fit = { width, cut: ["policy"], leftOut: ["KV held", "policy"] };
  return `${wrapped(head, width)}\n${columns([heading, ...rows], fit)}`;
}

function enginesText(pools: readonly PoolReport[]): string {
  const heading = [
    "pool",
    "engine",
    "state",
    "in flight",
    "prompt tokens",
    "KV",
    "first byte",
    "service",
    "failures",
    "models",
  ];
  const rows = pools.flatMap(({ pool, engines }) =>
    engines.map((one) => [
      pool,
      one.engine,
      stateText(one),
      `${one.inFlight}`,
      short(one.promptTokens),
      one.kvUse === undefined ? "" : `${Math.round(one.kvUse * 100)} %`,
      duration(one.firstByteMs),
      duration(one.serviceMs),
      `${one.failures}`,
      modelsText(one),
    ]),
  );
  return columns([heading, ...rows], {
    width: terminalWidth(),
    leftOut: ["service", "first byte", "prompt tokens", "KV", "failures", "models"],
  });
}

/** `llama, my-adapter, 3 more`: models before adapters. */
function modelsText({ models, modelsUntold = 0 }: EngineReport): string {
  if (models === undefined) return "";
  const base = models.filter(({ adapterOf }) => adapterOf === undefined);
  const names = [...base, ...models.filter(({ adapterOf }) => adapterOf !== undefined)]
    .slice(0, namedModelsMax)
    .map(({ name }) => name);
  const more = models.length + modelsUntold - names.length;
  return [...names, ...(more > 0 ? [`${more} more`] : [])].join(", ") || "none";
}

const namedModelsMax = 3;

/** `ejected (failing)`. */
export function stateText({ state, why, draining }: EngineReport): string {
  const reason = why ?? draining?.why;
  return reason === undefined ? state : `${state} (${reason})`;
}
