/** One request to all engines of a pool, and what each of them says: how operators reach engines' own control. */
import { z } from "zod";
import type { Address } from "../../pool/address.ts";
import type { Pool } from "../../pool/pool.ts";
import {
  broadcastAtOnce,
  broadcastReadBytesMax,
  broadcastResponseBytesMax,
  broadcastsMax,
  broadcastTimeoutMsMax,
} from "../limits.ts";
import { type AskEngine, type EngineRequest, eachOf } from "../polling/ask-engine.ts";
import type { AdminSource } from "./admin-source.ts";
import { AdminError, readBody, unknownPool } from "./problem.ts";
import { json } from "./response.ts";
import type { AdminRoute } from "./route.ts";
import { milliseconds, named } from "./schemas.ts";

const requestSchema = named(
  "BroadcastRequest",
  z.strictObject({
    pool: z.string().describe("Whose engines. Ranks behind one address are asked once."),
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
      .default({})
      .describe("Such as the engines' own `Authorization`."),
    body: z.unknown().optional().describe("Any JSON."),
    timeoutMs: z
      .int()
      .min(1)
      .max(broadcastTimeoutMsMax)
      .default(60_000)
      .describe("For each engine."),
  }),
);

const engineResultSchema = named(
  "BroadcastResult",
  z.object({
    engine: z.string(),
    status: z.int().optional().describe("Absent = there is no response."),
    body: z.unknown().optional().describe("JSON where the engine sent JSON, else text."),
    error: z.string().optional().describe("Why there is no response, or that the body was cut."),
    ms: milliseconds,
  }),
);
type EngineResult = z.output<typeof engineResultSchema>;

const broadcastSchema = named(
  "Broadcast",
  z.object({
    ok: z.boolean().describe("Each engine said 2xx."),
    pool: z.string(),
    engines: z.array(engineResultSchema),
  }),
);
type Broadcast = z.output<typeof broadcastSchema>;

export const broadcastRoute: AdminRoute = {
  group: "engines",
  method: "POST",
  path: "/admin/engines/broadcast",
  id: "broadcast",
  summary: "Sends one request to all engines of a pool.",
  body: requestSchema,
  responses: { 200: broadcastSchema, 502: broadcastSchema },
  errors: [400, 404, 429],
  async respond({ source, body, clock }) {
    const result = await broadcast(source, body, () => clock.nowMs());
    return json(result.ok ? 200 : 502, result);
  },
};

let running = 0;

/**
 * Also to engines that are ejected or down: they are to have the same model and caches when they come back. Never
 * sent twice. Ranks behind one address are one server. Throws `AdminError`.
 */
async function broadcast(
  { pools, askEngine }: Pick<AdminSource, "pools" | "askEngine">,
  given: Buffer,
  nowMs: () => number,
): Promise<Broadcast> {
  const { pool: name, method, path, headers, body, timeoutMs } = readBody(requestSchema, given);
  const pool = pools.find((one) => one.name === name);
  if (pool === undefined) {
    throw unknownPool(
      name,
      pools.map((one) => one.name),
    );
  }
  const content = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
  const request = {
    method,
    path,
    headers,
    body: content,
    timeoutMs,
    bytesMax: broadcastReadBytesMax,
  };
  const engines = await askEngines(addressesOf([pool]), request, askEngine, nowMs);
  if (engines === undefined) {
    const message = `${broadcastsMax} broadcasts are under way: try again later`;
    throw new AdminError(429, "too_many_broadcasts", message);
  }
  const ok = engines.every(({ status = 0 }) => status >= 200 && status < 300);
  return {
    ok,
    pool: name,
    engines: engines.map(({ body: bytes, ...one }) => ({ ...one, ...(bytes && shown(bytes)) })),
  };
}

/** The same, with the body as it came. */
export interface EngineReply extends Omit<EngineResult, "body"> {
  readonly body?: Buffer;
}

/** Asks each of them once. Undefined = too many broadcasts are under way. */
export async function askEngines(
  addresses: readonly Address[],
  request: EngineRequest,
  askEngine: AskEngine,
  nowMs: () => number,
): Promise<EngineReply[] | undefined> {
  if (running >= broadcastsMax) return undefined;
  running += 1;
  try {
    return await askAll(addresses, request, askEngine, nowMs);
  } finally {
    running -= 1;
  }
}

/** Ranks behind one address are one server. */
export function addressesOf(pools: readonly Pool[]): Address[] {
  const addresses = pools.flatMap(({ engines }) => engines.map(({ address }) => address));
  return [...new Map(addresses.map((address) => [address.key, address])).values()];
}

async function askAll(
  addresses: readonly Address[],
  request: EngineRequest,
  askEngine: AskEngine,
  nowMs: () => number,
): Promise<EngineReply[]> {
  const results = new Map<string, EngineReply>();
  await eachOf(addresses, broadcastAtOnce, async (address) => {
    const startMs = nowMs();
    const response = await askEngine(address, request.path, request);
    const ms = Math.round(nowMs() - startMs);
    const engine = address.key;
    if (typeof response === "string") results.set(engine, { engine, error: response, ms });
    else results.set(engine, { engine, status: response.status, body: response.body, ms });
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
