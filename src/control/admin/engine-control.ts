/**
 * Operators add, remove and drain engines: `/admin/pools/{pool}/engines`. Added engines stay over reloads and upgrades;
 * so does what is drained.
 */
import { z } from "zod";
import { problemText } from "../../config/problems/problem.ts";
import { didYouMean } from "../../config/problems/suggest.ts";
import { readEngineList } from "../../config/yaml/engine-list.ts";
import { namedEnginesMax, poolEnginesMax } from "../../limits.ts";
import { addressKeyOf } from "../discovery/sources/merge.ts";
import { oneEngineModelsMax } from "../limits.ts";
import type { AdminSource } from "./admin-source.ts";
import {
  type EngineReport,
  engineReportSchema,
  type PoolReport,
  poolReportSchema,
  reportsOf,
} from "./engines.ts";
import { AdminError, unknownPool } from "./problem.ts";
import { type AdminResponse, json } from "./response.ts";
import type { AdminCall, AdminRoute } from "./route.ts";
import { named } from "./schemas.ts";

const newEngine = z.looseObject({ url: z.string() });
const newEngines = named(
  "NewEngines",
  z
    .union([newEngine, z.array(z.union([z.string(), newEngine]))])
    .describe("An engine as in a pool of the configuration, or a list of engines."),
);
const added = named(
  "AddedEngines",
  z.object({ pool: z.string(), engines: z.array(z.string()), status: z.literal("added") }),
);
const leaving = named(
  "LeavingEngine",
  z.object({ pool: z.string(), engine: z.string(), status: z.literal("leaving") }),
);
const engineList = named(
  "Engines",
  z.object({
    pool: z.string(),
    engines: z.array(engineReportSchema).describe("One for each rank behind the address."),
  }),
);

const group = "engines";
const ofPool = "/admin/pools/{pool}/engines";
const ofEngine = `${ofPool}/{engine}`;

export const engineControlRoutes: readonly AdminRoute[] = [
  {
    group,
    method: "GET",
    path: ofPool,
    id: "getPool",
    summary: "One pool and its engines.",
    responses: { 200: poolReportSchema },
    errors: [404],
    respond: async (call) => json(200, await poolOf(call)),
  },
  {
    group,
    method: "POST",
    path: ofPool,
    id: "addEngines",
    summary: "Adds engines to a pool. They stay over reloads and upgrades.",
    body: newEngines,
    responses: { 202: added },
    errors: [400, 404, 409],
    respond: (call) => addEngines(call.source, poolName(call), call.body),
  },
  {
    group,
    method: "GET",
    path: ofEngine,
    id: "getEngine",
    summary: "One engine.",
    responses: { 200: engineList },
    errors: [404],
    respond: async (call) => enginesResponse(call, await enginesOf(call)),
  },
  {
    group,
    method: "DELETE",
    path: ofEngine,
    id: "removeEngine",
    summary: "Removes an engine that was added here. It finishes what it has.",
    responses: { 202: leaving },
    errors: [404, 409],
    async respond(call) {
      const { engine = "" } = call.params;
      const pool = poolName(call);
      if (call.source.discovery.remove(pool, engine)) {
        return json(202, { pool, engine, status: "leaving" });
      }
      throw namedElsewhere((await enginesOf(call))[0]!);
    },
  },
  {
    group,
    method: "POST",
    path: `${ofEngine}/drain`,
    id: "drainEngine",
    summary: "Lets an engine take nothing new, and finish what it has.",
    responses: { 200: engineList },
    errors: [404],
    async respond(call) {
      call.source.discovery.drain(poolName(call), call.params["engine"]!);
      return enginesResponse(call, await enginesOf(call));
    },
  },
  {
    group,
    method: "POST",
    path: `${ofEngine}/undrain`,
    id: "undrainEngine",
    summary: "Lets it take requests again.",
    responses: { 200: engineList },
    errors: [404, 409],
    async respond(call) {
      call.source.discovery.undrain(poolName(call), call.params["engine"]!);
      const engines = await enginesOf(call);
      if (engines.some(({ state }) => state === "draining")) throw stillDrains(engines[0]!);
      return enginesResponse(call, engines);
    },
  },
];

/** The name of the pool that the path names; throws `AdminError` if there is none. */
export function poolName({ params: { pool = "" }, source }: AdminCall): string {
  const known = Object.keys(source.config.pools);
  if (known.includes(pool)) return pool;
  throw unknownPool(pool, known);
}

async function poolOf(call: AdminCall, modelsMax?: number): Promise<PoolReport> {
  const name = poolName(call);
  const pools = await reportsOf(call.source, call.clock.wallMs(), modelsMax);
  return pools.find(({ pool }) => pool === name)!;
}

/** Those that the path names: one engine, or the ranks behind an address. */
async function enginesOf(call: AdminCall): Promise<EngineReport[]> {
  const { pool, engines } = await poolOf(call, oneEngineModelsMax);
  const { engine: address = "" } = call.params;
  const ones = engines.filter(({ engine }) => [engine, addressOf(engine)].includes(address));
  if (ones.length === 0) throw unknownEngine(pool, address, engines);
  return ones;
}

function enginesResponse({ params }: AdminCall, engines: readonly EngineReport[]): AdminResponse {
  return json(200, { pool: params["pool"], engines });
}

function addEngines({ discovery }: AdminSource, pool: string, body: Buffer): AdminResponse {
  const text = body.toString();
  const list = readEngineList(isOne(text) ? `[${text}]` : text, "body");
  if ("errors" in list) {
    throw new AdminError(400, "bad_request", list.errors.map(problemText).join("; "));
  }
  for (const engine of list.engines) {
    if (!discovery.add(pool, engine)) throw poolFull(pool);
  }
  return json(202, { pool, engines: list.engines.map(addressKeyOf), status: "added" });
}

/** Whether it is one engine in JSON, and no list of them. */
function isOne(text: string): boolean {
  try {
    return Object.hasOwn(JSON.parse(text) as object, "url");
  } catch {
    return false;
  }
}

function unknownEngine(
  pool: string,
  address: string,
  engines: readonly EngineReport[],
): AdminError {
  const names = engines.map(({ engine }) => engine);
  const more = names.length > namedEnginesMax ? ", …" : "";
  const list = names.slice(0, namedEnginesMax).join(", ") + more;
  const hint = didYouMean(address, names) ?? `its engines are ${list || "none"}`;
  const message = `pool "${pool}" has no engine "${address}": ${hint}`;
  return new AdminError(404, "unknown_engine", message);
}

function namedElsewhere({ engine, sources }: EngineReport): AdminError {
  const where = sources.join(", ") || "no source any more";
  const message = `engine ${engine} is named by ${where}: remove it there, or drain it`;
  return new AdminError(409, "named_elsewhere", message);
}

function stillDrains({ engine, draining }: EngineReport): AdminError {
  const why =
    draining?.why === "removed" ? "no source has it any more" : "a source says that it drains";
  return new AdminError(409, "still_draining", `engine ${engine} still drains: ${why}`);
}

function poolFull(pool: string): AdminError {
  const message = `pool "${pool}" has ${poolEnginesMax} engines that were added here: remove some`;
  return new AdminError(409, "pool_full", message);
}

function addressOf(name: string): string {
  return name.replace(/@\d+$/, "");
}
