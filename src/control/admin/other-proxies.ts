/**
 * How scripts for other proxies add and remove engines: vLLM-Ascend's `/instances/add` and `/instances/remove`
 * (`load_balance_proxy_server_example.py`), the SGLang model gateway's `/workers`, and its older `/add_worker`,
 * `/remove_worker`, `/list_workers`. What they call the kind of an engine says which pool it is for.
 */
import { z } from "zod";
import { problemText } from "../../config/problems/problem.ts";
import type { Config, EngineConfig } from "../../config/schema/schema.ts";
import { readEngineList } from "../../config/yaml/engine-list.ts";
import { allRouteParts } from "../discovery/route-pools.ts";
import { addressKeyOf } from "../discovery/sources/merge.ts";
import type { AdminSource } from "./admin-source.ts";
import { AdminError, readBody } from "./problem.ts";
import { type AdminResponse, json } from "./response.ts";
import type { AdminRoute } from "./route.ts";
import { count, named } from "./schemas.ts";

const kinds = ["prefill", "decode", "regular"] as const;
type Kind = (typeof kinds)[number];

const instancesSchema = named(
  "InstancesRequest",
  z.object({
    type: z.enum(["prefill", "decode"]),
    instances: z.union([z.string().min(1), z.array(z.string().min(1)).min(1).max(4_096)]),
  }),
);
/** Members that this proxy has no use for, such as `priority`, are let be. */
const workerSchema = named(
  "WorkerRequest",
  z.object({
    url: z.string().min(1),
    worker_type: z.enum(kinds).default("regular"),
    bootstrap_port: z.int().min(1).max(65_535).nullish(),
  }),
);

const accepted = named(
  "WorkerAccepted",
  z.object({ status: z.literal("accepted"), worker_id: z.string(), message: z.string() }),
);
const instances = named(
  "Instances",
  z.object({
    message: z.string(),
    current_prefill_instances: z.array(z.string()),
    current_decode_instances: z.array(z.string()),
  }),
);
const workerList = named(
  "Workers",
  z.object({
    workers: z.array(
      z.object({
        id: z.string(),
        url: z.string(),
        worker_type: z.enum(kinds),
        is_healthy: z.boolean(),
        load: count,
        connection_mode: z.literal("Http"),
        sources: z.array(z.string()),
      }),
    ),
    total: count,
    stats: z.object({ prefill_count: count, decode_count: count, regular_count: count }),
  }),
);

const group = "other proxies";
const change = { group, errors: [400] } as const;
const workerQuery = {
  url: "Of the engine.",
  worker_type: kinds.join(", "),
  bootstrap_port: "A port.",
};

export const otherProxyRoutes: readonly AdminRoute[] = [
  {
    ...change,
    method: "POST",
    path: "/instances/add",
    id: "addInstances",
    summary: "vLLM-Ascend's way to add engines.",
    body: instancesSchema,
    responses: { 200: instances },
    respond: ({ source, body }) => changeInstances(source, body, true),
  },
  {
    ...change,
    method: "POST",
    path: "/instances/remove",
    id: "removeInstances",
    summary: "vLLM-Ascend's way to remove engines.",
    body: instancesSchema,
    responses: { 200: instances },
    respond: ({ source, body }) => changeInstances(source, body, false),
  },
  {
    ...change,
    method: "POST",
    path: "/workers",
    id: "addWorker",
    summary: "The SGLang model gateway's way to add an engine.",
    body: workerSchema,
    responses: { 202: accepted },
    respond: ({ source, body }) => addWorker(source, readBody(workerSchema, body)),
  },
  {
    group,
    method: "GET",
    path: "/workers",
    id: "listWorkers",
    summary: "Engines as the SGLang model gateway lists them.",
    responses: { 200: workerList },
    respond: ({ source, clock }) => json(200, list(source, clock.wallMs())),
  },
  {
    ...change,
    method: "DELETE",
    path: "/workers/{worker}",
    id: "removeWorker",
    summary: "Its way to remove an engine.",
    responses: { 202: accepted },
    respond: ({ source, params }) => removeWorker(source, params["worker"]!),
  },
  {
    ...change,
    method: "POST",
    path: "/add_worker",
    id: "addWorkerByQuery",
    summary: "Its older way to add an engine.",
    query: workerQuery,
    responses: { 202: accepted },
    respond({ source, query }) {
      const port = query.get("bootstrap_port");
      const given = {
        url: query.get("url") ?? undefined,
        worker_type: query.get("worker_type") ?? undefined,
        bootstrap_port: port === null ? undefined : Number(port),
      };
      return addWorker(source, readBody(workerSchema, Buffer.from(JSON.stringify(given))));
    },
  },
  {
    ...change,
    method: "POST",
    path: "/remove_worker",
    id: "removeWorkerByQuery",
    summary: "Its older way to remove an engine.",
    query: { url: workerQuery.url },
    responses: { 202: accepted },
    respond: ({ source, query }) => removeWorker(source, query.get("url") ?? ""),
  },
  {
    group,
    method: "GET",
    path: "/list_workers",
    id: "listWorkerUrls",
    summary: "Its older way to list engines.",
    responses: { 200: named("WorkerUrls", z.object({ urls: z.array(z.string()) })) },
    respond: ({ source, clock }) =>
      json(200, { urls: list(source, clock.wallMs()).workers.map(({ url }) => url) }),
  },
];

function changeInstances(source: AdminSource, body: Buffer, isAdd: boolean): AdminResponse {
  const { type, instances: given } = readBody(instancesSchema, body);
  const pool = poolFor(source.config, type);
  const engines = enginesOf([given].flat().map((url) => ({ url })));
  for (const engine of engines) {
    if (isAdd) add(source, pool, engine);
    else removeFrom(source, [pool], addressKeyOf(engine));
  }
  const names = engines.map(addressKeyOf);
  const current = (kind: Kind, name: string | undefined) =>
    name === undefined ? [] : after(source, name, kind === type ? names : [], isAdd);
  const pools = poolsByKind(source.config);
  return json(200, {
    message: `${isAdd ? "add" : "remove"} ${type} instances: ${names.join(", ")}.`,
    current_prefill_instances: current("prefill", pools.prefill[0]),
    current_decode_instances: current("decode", pools.decode[0]),
  });
}

function addWorker(source: AdminSource, worker: z.output<typeof workerSchema>): AdminResponse {
  const { url, worker_type: kind, bootstrap_port: port } = worker;
  const pool = poolFor(source.config, kind);
  const attributes = port ? { bootstrap_port: `${port}` } : {};
  const [engine] = enginesOf([{ url, attributes }]);
  add(source, pool, engine!);
  const id = addressKeyOf(engine!);
  return json(202, { status: "accepted", worker_id: id, message: `added to pool "${pool}"` });
}

function removeWorker(source: AdminSource, url: string): AdminResponse {
  const [engine] = enginesOf([{ url }]);
  const id = addressKeyOf(engine!);
  removeFrom(source, Object.keys(source.config.pools), id);
  return json(202, { status: "accepted", worker_id: id, message: "leaves its pool" });
}

function add({ discovery }: AdminSource, pool: string, engine: EngineConfig): void {
  if (!discovery.add(pool, engine)) throw badRequest(`pool "${pool}" is full`);
}

/** An engine that another source names cannot be removed here: it would come back. */
function removeFrom({ discovery }: AdminSource, pools: readonly string[], address: string): void {
  const removed = pools.filter((pool) => discovery.remove(pool, address));
  if (removed.length > 0) return;
  const names = pools.flatMap((pool) => discovery.sourcesOf(pool).get(address) ?? []);
  const why =
    names.length === 0 ? "no pool has it" : `it is named by ${names.join(", ")}: drain it`;
  throw badRequest(`engine ${address} was not added here: ${why}`);
}

/** The addresses of a pool, with what is about to change. */
function after(
  { pools }: AdminSource,
  name: string,
  changed: readonly string[],
  isAdd: boolean,
): string[] {
  const engines = pools.find((one) => one.name === name)?.engines ?? [];
  const now = engines.filter(({ isDraining }) => !isDraining).map(({ address }) => address.key);
  if (isAdd) return [...new Set([...now, ...changed])];
  return [...new Set(now)].filter((address) => !changed.includes(address));
}

function list(
  { pools, config, discovery }: AdminSource,
  nowMs: number,
): z.input<typeof workerList> {
  const byKind = poolsByKind(config);
  const workers = (Object.entries(byKind) as [Kind, string[]][]).flatMap(([kind, names]) =>
    pools
      .filter(({ name }) => names.includes(name))
      .flatMap(({ engines, board, name, health }) =>
        engines.map((engine) => ({
          id: engine.name,
          url: `http://${engine.name}`,
          worker_type: kind,
          is_healthy: health.isFit(engine, nowMs),
          load: board.inFlight(engine.slot),
          connection_mode: "Http" as const,
          sources: [...(discovery.sourcesOf(name).get(engine.address.key) ?? [])],
        })),
      ),
  );
  const count = (kind: Kind) => workers.filter((one) => one.worker_type === kind).length;
  const stats = {
    prefill_count: count("prefill"),
    decode_count: count("decode"),
    regular_count: count("regular"),
  };
  return { workers, total: workers.length, stats };
}

/** Pools by what their engines do in the routes. */
function poolsByKind(config: Config): Record<Kind, string[]> {
  const kinds = {
    prefill: new Set<string>(),
    decode: new Set<string>(),
    regular: new Set<string>(),
  };
  for (const { prefill, decode, whole } of allRouteParts(config)) {
    for (const name of prefill) kinds.prefill.add(name);
    for (const name of decode) kinds.decode.add(name);
    for (const name of whole) kinds.regular.add(name);
  }
  // What takes part of a request for some route is not for whole ones.
  for (const name of [...kinds.prefill, ...kinds.decode]) kinds.regular.delete(name);
  const { prefill, decode, regular } = kinds;
  return { prefill: [...prefill], decode: [...decode], regular: [...regular] };
}

function poolFor(config: Config, kind: Kind): string {
  const pools = poolsByKind(config)[kind];
  const [pool] = pools;
  if (pools.length === 1) return pool!;
  const what = pools.length === 0 ? "no pool has" : `pools ${pools.join(", ")} have`;
  throw badRequest(`${what} ${kind} engines: use POST /admin/pools/{pool}/engines`);
}

function enginesOf(list: readonly object[]): readonly EngineConfig[] {
  const read = readEngineList(JSON.stringify(list), "request");
  if ("engines" in read) return read.engines;
  throw badRequest(read.errors.map(problemText).join("; "));
}

function badRequest(message: string): AdminError {
  return new AdminError(400, "bad_request", message);
}
