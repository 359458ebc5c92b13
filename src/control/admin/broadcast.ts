/** One request to all engines of a pool, and what each of them says: how operators reach engines' own control. */
import { z } from "zod";
import { didYouMean } from "../../config/problems/suggest.ts";
import type { Address } from "../../pool/address.ts";
import type { Pool } from "../../pool/pool.ts";
import {
  broadcastAtOnce,
  broadcastResponseBytesMax,
  broadcastsMax,
  broadcastTimeoutMsMax,
} from "../limits.ts";
import { askEngine, type EngineRequest, eachOf } from "../polling/ask-engine.ts";

const requestSchema = z.strictObject({
  pool: z.string(),
  method: z.enum(["GET", "POST", "PUT", "DELETE"]).default("POST"),
  path: z
    .string()
    .max(8_192)
    .regex(/^\/[\x21-\x7e]*$/, "must be a path that begins with /"),
  headers: z
    .record(
      z.string().regex(/^[A-Za-z0-9-]{1,64}$/, "is no header name"),
      z
        .string()
        .max(4_096)
        .regex(/^[\x20-\x7e]*$/, "must be printable ASCII"),
    )
    .default({}),
  /** Any JSON. */
  body: z.unknown().optional(),
  timeoutMs: z.int().min(1).max(broadcastTimeoutMsMax).default(60_000),
});

export interface EngineResult {
  readonly engine: string;
  /** Absent = there is no response. */
  readonly status?: number;
  /** JSON where the engine sent JSON, else text. */
  readonly body?: unknown;
  /** Why there is no response, or that the body was cut. */
  readonly error?: string;
  readonly ms: number;
}

export type Broadcast =
  | { readonly ok: boolean; readonly pool: string; readonly engines: readonly EngineResult[] }
  | { readonly status: 400 | 404 | 429; readonly code: string; readonly message: string };

let running = 0;

/**
 * Also to engines that are ejected or down: they are to have the same model and caches when they come back. Never
 * sent twice. Ranks behind one address are one server.
 */
export async function broadcast(
  pools: readonly Pool[],
  json: Buffer,
  nowMs: () => number,
): Promise<Broadcast> {
  const read = readRequest(json);
  if ("message" in read) return read;
  const { pool: name, method, path, headers, body, timeoutMs } = read;
  const pool = pools.find((one) => one.name === name);
  if (pool === undefined) {
    const known = pools.map((one) => one.name);
    const hint = didYouMean(name, known) ?? `the pools are ${known.join(", ")}`;
    return { status: 404, code: "unknown_pool", message: `there is no pool "${name}": ${hint}` };
  }
  if (running >= broadcastsMax) {
    const message = `${running} broadcasts are under way: try again later`;
    return { status: 429, code: "too_many_broadcasts", message };
  }
  running += 1;
  try {
    const content = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const request = { method, path, headers, body: content, timeoutMs };
    const engines = await askAll(addressesOf(pool), request, nowMs);
    const ok = engines.every(({ status = 0 }) => status >= 200 && status < 300);
    return { ok, pool: name, engines };
  } finally {
    running -= 1;
  }
}

function readRequest(
  json: Buffer,
): z.output<typeof requestSchema> | Extract<Broadcast, { code: string }> {
  const bad = (message: string) => ({ status: 400, code: "bad_request", message }) as const;
  let value: unknown;
  try {
    value = JSON.parse(json.toString());
  } catch {
    return bad("the body is no JSON");
  }
  const read = requestSchema.safeParse(value);
  if (read.success) return read.data;
  return bad(
    read.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; "),
  );
}

function addressesOf(pool: Pool): Address[] {
  return [...new Map(pool.engines.map(({ address }) => [address.key, address])).values()];
}

async function askAll(
  addresses: readonly Address[],
  request: EngineRequest,
  nowMs: () => number,
): Promise<EngineResult[]> {
  const results = new Map<string, EngineResult>();
  await eachOf(addresses, broadcastAtOnce, async (address) => {
    const startMs = nowMs();
    const response = await askEngine(address, request.path, request);
    const ms = Math.round(nowMs() - startMs);
    const engine = address.key;
    if (typeof response === "string") results.set(engine, { engine, error: response, ms });
    else results.set(engine, { engine, status: response.status, ...shown(response.body), ms });
  });
  return addresses.map(({ key }) => results.get(key)!);
}

function shown(body: Buffer): Pick<EngineResult, "body" | "error"> {
  if (body.length === 0) return {};
  if (body.length > broadcastResponseBytesMax) {
    const text = body.toString("utf8", 0, broadcastResponseBytesMax);
    return { body: text, error: `the body has more than ${broadcastResponseBytesMax} bytes` };
  }
  const text = body.toString();
  try {
    return { body: JSON.parse(text) as unknown };
  } catch {
    return { body: text };
  }
}
