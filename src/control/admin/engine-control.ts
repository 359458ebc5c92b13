/**
 * Operators add, remove and drain engines: `/admin/pools/{pool}/engines`. Added engines stay over reloads and upgrades;
 * so does what is drained.
 */
import { formatProblem } from "../../config/problems/problem.ts";
import { didYouMean } from "../../config/problems/suggest.ts";
import { readEngineList } from "../../config/yaml/engine-list.ts";
import { namedEnginesMax, poolEnginesMax } from "../../limits.ts";
import { addressKeyOf } from "../discovery/sources/merge.ts";
import type { AdminSource } from "./admin-source.ts";
import type { EngineReport, PoolReport } from "./engines.ts";
import { type AdminResponse, adminProblem, decoded, json } from "./response.ts";

export interface EngineQuestion {
  readonly method: string;
  readonly path: string;
  readonly body: Buffer;
  readonly mayChange: boolean;
}

type Reports = (source: AdminSource) => Promise<readonly PoolReport[]>;

export const engineControlPaths: readonly string[] = [
  "/admin/pools/{pool}/engines",
  "/admin/pools/{pool}/engines/{address}",
  "POST /admin/pools/{pool}/engines/{address}/drain",
  "POST /admin/pools/{pool}/engines/{address}/undrain",
];

/** @returns undefined = the path is another page's */
export async function engineControl(
  source: AdminSource,
  question: EngineQuestion,
  reports: Reports,
): Promise<AdminResponse | undefined> {
  const [, poolText, engineText, verb] =
    /^\/admin\/pools\/([^/]+)\/engines(?:\/([^/]+)(?:\/(drain|undrain))?)?$/.exec(question.path) ??
    [];
  if (poolText === undefined) return undefined;
  const name = decoded(poolText);
  const known = Object.keys(source.config.pools);
  if (!known.includes(name)) {
    const hint = didYouMean(name, known) ?? `the pools are ${known.join(", ")}`;
    return adminProblem(404, "unknown_pool", `there is no pool "${name}": ${hint}`);
  }
  const { method, body, mayChange } = question;
  const isRead = method === "GET" || method === "HEAD";
  const allowed = verb !== undefined ? "POST" : engineText === undefined ? "POST" : "DELETE";
  if (!(isRead && verb === undefined) && method !== allowed) {
    const allow = verb === undefined ? `GET, HEAD, ${allowed}` : allowed;
    const message = `${method} is not allowed here: use ${allow}`;
    return { ...adminProblem(405, "method_not_allowed", message), allow };
  }
  if (!isRead && !mayChange) return readOnlyProblem;
  if (engineText === undefined) {
    if (!isRead) return addEngines(source, name, body);
    return json(
      200,
      (await reports(source)).find(({ pool }) => pool === name),
    );
  }
  const address = decoded(engineText);
  if (verb === "drain" || verb === "undrain") source.discovery[verb](name, address);
  else if (!isRead && source.discovery.remove(name, address)) {
    return json(202, { pool: name, engine: address, status: "leaving" });
  }
  const found = (await reports(source)).find(({ pool }) => pool === name)!.engines;
  const ones = found.filter(({ engine }) => engine === address || addressOf(engine) === address);
  if (ones.length === 0) return unknownEngine(name, address, found);
  if (!isRead && verb === undefined) return namedElsewhere(ones[0]!);
  if (verb === "undrain" && ones.some(({ state }) => state === "draining")) {
    return stillDrains(ones[0]!);
  }
  return json(200, { pool: name, engines: ones });
}

export const readOnlyProblem: AdminResponse = adminProblem(
  403,
  "read_only",
  "without a token the admin listener only reads: configure admin.token",
);

function addEngines({ discovery }: AdminSource, pool: string, body: Buffer): AdminResponse {
  const text = body.toString();
  const list = readEngineList(isOne(text) ? `[${text}]` : text, "body");
  if ("errors" in list) {
    const problems = list.errors.map((one) => formatProblem(one).replace(/^\[\w+\] /, ""));
    return adminProblem(400, "bad_request", problems.join("; "));
  }
  for (const engine of list.engines) {
    if (!discovery.add(pool, engine)) return poolFull(pool);
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
): AdminResponse {
  const names = engines.map(({ engine }) => engine);
  const more = names.length > namedEnginesMax ? ", …" : "";
  const list = names.slice(0, namedEnginesMax).join(", ") + more;
  const hint = didYouMean(address, names) ?? `its engines are ${list || "none"}`;
  const message = `pool "${pool}" has no engine "${address}": ${hint}`;
  return adminProblem(404, "unknown_engine", message);
}

function namedElsewhere({ engine, sources = [] }: EngineReport): AdminResponse {
  const where = sources.join(", ") || "no source any more";
  const message = `engine ${engine} is named by ${where}: remove it there, or drain it`;
  return adminProblem(409, "named_elsewhere", message);
}

function stillDrains({ engine, draining }: EngineReport): AdminResponse {
  const why =
    draining?.why === "removed" ? "no source has it any more" : "a source says that it drains";
  return adminProblem(409, "still_draining", `engine ${engine} still drains: ${why}`);
}

export function poolFull(pool: string): AdminResponse {
  const message = `pool "${pool}" has ${poolEnginesMax} engines that were added here: remove some`;
  return adminProblem(409, "pool_full", message);
}

function addressOf(name: string): string {
  return name.replace(/@\d+$/, "");
}
