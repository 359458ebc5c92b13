/**
 * How scripts for other proxies add and remove engines: vLLM-Ascend's `/instances/add` and `/instances/remove`
 * (`load_balance_proxy_server_example.py`), the SGLang model gateway's `/workers`, and its older `/add_worker`,
 * `/remove_worker`, `/list_workers`. What they call the kind of an engine says which pool it is for.
 */
import { z } from "zod";
import { formatProblem } from "../../config/problems/problem.ts";
import type { Config, EngineConfig } from "../../config/schema/schema.ts";
import { readEngineList } from "../../config/yaml/engine-list.ts";
import { routePools } from "../discovery/route-pools.ts";
import { addressKeyOf } from "../discovery/sources/merge.ts";
import type { AdminSource } from "./admin-source.ts";
import { type EngineQuestion, readOnlyProblem } from "./engine-control.ts";
import { type AdminResponse, adminProblem, decoded, json } from "./response.ts";

type Kind = "prefill" | "decode" | "regular";

interface Question extends EngineQuestion {
  readonly query: URLSearchParams;
}

const instancesSchema = z.object({
  type: z.enum(["prefill", "decode"]),
  instances: z.union([z.string().min(1), z.array(z.string().min(1)).min(1).max(4_096)]),
});
/** Members that this proxy has no use for, such as `priority`, are let be. */
const workerSchema = z.object({
  url: z.string().min(1),
  worker_type: z.enum(["prefill", "decode", "regular"]).default("regular"),
  bootstrap_port: z.int().min(1).max(65_535).nullish(),
});

/** @param nowMs since the epoch. @returns undefined = the path is another page's */
export function otherProxies(
  source: AdminSource,
  question: Question,
  nowMs: number,
): AdminResponse | undefined {
  const { method, path } = question;
  const isRead = method === "GET" || method === "HEAD";
  if (isRead && (path === "/workers" || path === "/list_workers")) return list(source, path, nowMs);
  const change = changes.find((one) => one.method === method && one.path.test(path));
  if (change === undefined) return undefined;
  if (!question.mayChange) return readOnlyProblem;
  try {
    return change.respond(source, question);
  } catch (error) {
    if (!(error instanceof BadRequest)) throw error;
    return adminProblem(400, "bad_request", error.message);
  }
}

class BadRequest extends Error {}

interface Change {
  readonly method: string;
  readonly path: RegExp;
  respond(source: AdminSource, question: Question): AdminResponse;
}

const changes: readonly Change[] = [
  {
    method: "POST",
    path: /^\/instances\/(add|remove)$/,
    respond(source, { path, body }) {
      const { type, instances } = read(instancesSchema, body);
      const pool = poolFor(source.config, type);
      const urls = [instances].flat();
      const engines = enginesOf(urls.map((url) => ({ url })));
      const isAdd = path.endsWith("add");
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
    },
  },
  {
    method: "POST",
    path: /^\/workers$/,
    respond: (source, { body }) => addWorker(source, read(workerSchema, body)),
  },
  {
    method: "POST",
    path: /^\/add_worker$/,
    respond(source, { query }) {
      const port = query.get("bootstrap_port");
      const given = {
        url: query.get("url") ?? undefined,
        worker_type: query.get("worker_type") ?? undefined,
        bootstrap_port: port === null ? undefined : Number(port),
      };
      return addWorker(source, read(workerSchema, Buffer.from(JSON.stringify(given))));
    },
  },
  {
    method: "POST",
    path: /^\/remove_worker$/,
    respond: (source, { query }) => removeWorker(source, query.get("url") ?? ""),
  },
  {
    method: "DELETE",
    path: /^\/workers\/[^/]+$/,
    respond: (source, { path }) => removeWorker(source, decoded(path.slice(9))),
  },
];

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
  if (!discovery.add(pool, engine)) throw new BadRequest(`pool "${pool}" is full`);
}

/** An engine that another source names cannot be removed here: it would come back. */
function removeFrom({ discovery }: AdminSource, pools: readonly string[], address: string): void {
  const removed = pools.filter((pool) => discovery.remove(pool, address));
  if (removed.length > 0) return;
  const names = pools.flatMap((pool) => discovery.sourcesOf(pool).get(address) ?? []);
  const why =
    names.length === 0 ? "no pool has it" : `it is named by ${names.join(", ")}: drain it`;
  throw new BadRequest(`engine ${address} was not added here: ${why}`);
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
  path: string,
  nowMs: number,
): AdminResponse {
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
          connection_mode: "Http",
          sources: discovery.sourcesOf(name).get(engine.address.key) ?? [],
        })),
      ),
  );
  if (path === "/list_workers") return json(200, { urls: workers.map(({ url }) => url) });
  const count = (kind: Kind) => workers.filter((one) => one.worker_type === kind).length;
  const stats = {
    prefill_count: count("prefill"),
    decode_count: count("decode"),
    regular_count: count("regular"),
  };
  return json(200, { workers, total: workers.length, stats });
}

/** Pools by what their engines do in the routes. */
function poolsByKind(config: Config): Record<Kind, string[]> {
  const kinds = {
    prefill: new Set<string>(),
    decode: new Set<string>(),
    regular: new Set<string>(),
  };
  for (const server of config.servers) {
    for (const route of server.routes) {
      const pools = routePools(config, server, route);
      for (const name of pools?.prefill ?? []) kinds.prefill.add(name);
      for (const name of pools?.decode ?? []) kinds.decode.add(name);
      const { target } = route;
      if (pools === undefined && target && "pool" in target) kinds.regular.add(target.pool);
    }
  }
  // What takes part of a request for some route is not for whole ones.
  for (const name of [...kinds.prefill, ...kinds.decode]) kinds.regular.delete(name);
  return {
    prefill: [...kinds.prefill],
    decode: [...kinds.decode],
    regular: [...kinds.regular],
  };
}

function poolFor(config: Config, kind: Kind): string {
  const pools = poolsByKind(config)[kind];
  const [pool] = pools;
  if (pools.length === 1) return pool!;
  const what = pools.length === 0 ? "no pool has" : `pools ${pools.join(", ")} have`;
  throw new BadRequest(`${what} ${kind} engines: use POST /admin/pools/{pool}/engines`);
}

function enginesOf(list: readonly object[]): readonly EngineConfig[] {
  const read = readEngineList(JSON.stringify(list), "request");
  if ("engines" in read) return read.engines;
  const problems = read.errors.map((one) => formatProblem(one).replace(/^\[\w+\] /, ""));
  throw new BadRequest(problems.join("; "));
}

function read<Schema extends z.ZodType>(schema: Schema, body: Buffer): z.output<Schema> {
  let value: unknown;
  try {
    value = JSON.parse(body.toString());
  } catch {
    throw new BadRequest("the body is no JSON");
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issues = result.error.issues;
  throw new BadRequest(
    issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; "),
  );
}
