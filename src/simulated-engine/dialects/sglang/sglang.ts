/**
 * SGLang: prefill and decode get the same request at once and meet in a room of the prefill engine's bootstrap server.
 * Prefill computes once decode can receive, stops by itself after one token, and responds when the KV has been sent;
 * decode starts with that token. A leg without its counterpart waits until it times out, and fails. From
 * `disaggregation/prefill.py`, `decode.py`, `common/conn.py`.
 */

import { z } from "zod";
import { integersOf } from "../../http/json-body.ts";
import { badRequest, RequestError } from "../../http/request-error.ts";
import { choicesMax, kvEntriesMax } from "../../limits.ts";
import type { InferenceRequest } from "../../request/inference-request.ts";
import type { Dialect, EngineContext, Leg } from "../dialect.ts";
import { readSettings } from "../settings.ts";
import { BootstrapServer, type BootstrapSettings } from "./bootstrap.ts";
import { SglangInfo } from "./info.ts";

const ms = z.coerce.number().int().min(0);
const settingsSchema = z.strictObject({
  /** `SGLANG_DISAGGREGATION_BOOTSTRAP_TIMEOUT`: how long a prefill waits for its decode. */
  bootstrapTimeoutMs: ms.default(300_000),
  /** `SGLANG_DISAGGREGATION_WAITING_TIMEOUT`: how long a decode waits for its KV. */
  waitingTimeoutMs: ms.default(300_000),
  dpSize: z.coerce.number().int().min(1).max(1_024).default(1),
  /** Time from the start until its ranks are registered: before that, no decode engine can meet it. */
  registerMs: ms.default(0),
});

/** How often, and at which interval, decode asks a bootstrap server that does not respond or is not ready. */
const routeTries = 20;
const routeRetryMs = 1_000;
const routePath =
  "/route?prefill_dp_rank=-1&prefill_cp_rank=-1&target_tp_rank=-1&target_pp_rank=-1";
const routeSchema = z.object({ dp_size: z.number().int().min(1) });
const defaultPort = 8998;

export const sglang: Dialect = {
  name: "sglang",
  roles: ["prefill", "decode", "mixed"],

  create(engine, settings) {
    const checked = readSettings(settingsSchema, settings);
    const engineSide = new Sglang(engine, checked);
    const { server } = engineSide;
    return {
      kvLeaseMs: checked.waitingTimeoutMs,
      family: "sglang",
      routes: engineSide.info.routes,
      ...(server && { sideRoutes: server.routes }),
      leg: (request) => engineSide.leg(request),
      start: () => server?.start(),
      close: () => server?.close(),
    };
  },
};

/** Where a request's two legs meet, according to its body. */
interface Meeting {
  readonly host: unknown;
  readonly port: number;
  /** Exact digits, one room for each sequence. */
  readonly rooms: readonly string[];
}

class Sglang {
  readonly server: BootstrapServer | undefined;
  readonly info: SglangInfo;
  readonly #engine: EngineContext;
  readonly #settings: BootstrapSettings;
  /** Rooms of earlier requests, oldest first. */
  readonly #usedRooms = new Set<string>();

  constructor(engine: EngineContext, settings: BootstrapSettings) {
    this.#engine = engine;
    this.#settings = settings;
    this.info = new SglangInfo(engine, settings.dpSize);
    if (engine.role === "prefill") this.server = new BootstrapServer(engine, settings);
  }

  leg(request: InferenceRequest): Leg {
    if (this.#engine.role === "mixed") return this.info.abortable(request, {});
    const meeting = readMeeting(request, this.#engine);
    for (const room of meeting.rooms) this.#enter(room);
    const leg =
      this.server === undefined
        ? this.#decodeLeg(request, meeting)
        : this.#prefillLeg(request, meeting, this.server);
    return this.info.abortable(request, leg);
  }

  #prefillLeg(request: InferenceRequest, { rooms }: Meeting, server: BootstrapServer): Leg {
    const { dpSize } = this.#settings;
    const name = nameOf(rooms, rankOf(request, "routed_dp_rank") ?? roomRank(rooms, dpSize));
    let receiver: Awaited<ReturnType<BootstrapServer["meet"]>> | undefined;
    return {
      tokensMax: 1,
      acquire: async (signal) => {
        receiver = await orFail("Prefill bootstrap failed", rooms, () =>
          server.meet(name, request.promptHash, signal),
        );
        return { kv: "compute" };
      },
      deliver: async (_finish, signal) => {
        await orFail("Prefill transfer failed", rooms, () => server.send(name, receiver!, signal));
        return {};
      },
      // A decode leg that has not met it yet is not notified, and waits.
      abandon: () => {
        if (receiver !== undefined) server.fail(name);
      },
    };
  }

  #decodeLeg(request: InferenceRequest, { host, port, rooms }: Meeting): Leg {
    const { peers } = this.#engine;
    return {
      acquire: async (signal) => {
        const origin = `http://${host}:${port}`;
        const dpSize = await this.#prefillRanks(origin, signal);
        if (dpSize === undefined) {
          const text = `Could not fetch prefill parallel info from bootstrap_addr: ${host}:${port}`;
          throw new RequestError(500, "InternalServerError", text);
        }
        const rank = rankOf(request, "disagg_prefill_dp_rank") ?? roomRank(rooms, dpSize);
        const body = { meeting: nameOf(rooms, rank), promptHash: request.promptHash };
        const timeoutMs = this.#settings.waitingTimeoutMs + routeRetryMs;
        const response = await peers.call(`${origin}/kv/receive`, { body, timeoutMs, signal });
        if (response?.status === 200) return { kv: "remote", firstToken: true };
        const why =
          response === undefined ? "Lost connection with prefill instance." : response.text;
        throw transferFailed("Decode transfer failed", rooms, why);
      },
    };
  }

  /** Waits until the ranks of the prefill engine are registered. Undefined = it does not respond. */
  async #prefillRanks(origin: string, signal: AbortSignal): Promise<number | undefined> {
    for (let tries = 0; tries < routeTries; tries++) {
      if (tries > 0) await this.#engine.sleep(routeRetryMs, signal);
      const response = await this.#engine.peers.call(origin + routePath, { signal });
      if (response?.status === 200) return routeSchema.parse(JSON.parse(response.text)).dp_size;
    }
    return undefined;
  }

  #enter(room: string): void {
    if (this.#usedRooms.has(room)) this.#engine.violation(`Room ${room} was used before.`);
    if (this.#usedRooms.size >= kvEntriesMax) {
      this.#usedRooms.delete(this.#usedRooms.values().next().value!);
    }
    this.#usedRooms.add(room);
  }
}

/** Rejects what the engine itself rejects, and counts as violations what would make it wait for nothing. */
function readMeeting(request: InferenceRequest, engine: EngineContext): Meeting {
  const fields = request.fields;
  const rooms = integersOf(request.bodyText, "bootstrap_room");
  if (rooms.length === 0) {
    engine.violation("A request came without a bootstrap room.");
    throw badRequest("Disaggregated request received without bootstrap room id.");
  }
  const sequences = Math.min(request.prompts.length * request.n, choicesMax);
  const isBatch =
    sequences > 1 || isListOfPrompts(fields["text"] ?? fields["input_ids"] ?? fields["prompt"]);
  if (Array.isArray(fields["bootstrap_room"]) !== isBatch || rooms.length !== sequences) {
    engine.violation(
      `${rooms.length} rooms for ${sequences} sequences, or a list of the wrong shape.`,
    );
    throw badRequest("The length of bootstrap_room does not match the batch.");
  }
  if (rooms.some((room) => BigInt(room) < 0n || BigInt(room) >= 1n << 63n)) {
    engine.violation("A room is not a 63-bit number.");
    throw badRequest("bootstrap_room is out of range.");
  }
  const [host, port] = [fields["bootstrap_host"], fields["bootstrap_port"]];
  if (Array.isArray(host) !== isBatch || typeof oneOf(host) !== "string") {
    engine.violation("A request came without a bootstrap host, or with a list of another shape.");
  }
  const given = oneOf(port);
  return { host: oneOf(host), port: typeof given === "number" ? given : defaultPort, rooms };
}

function oneOf(field: unknown): unknown {
  return Array.isArray(field) ? field[0] : field;
}

function isListOfPrompts(prompt: unknown): boolean {
  return Array.isArray(prompt) && typeof prompt[0] !== "number";
}

function rankOf({ fields }: InferenceRequest, name: string): number | undefined {
  const rank = fields[name];
  return typeof rank === "number" ? rank : undefined;
}

function roomRank(rooms: readonly string[], dpSize: number): number {
  return Number(BigInt(rooms[0]!) % BigInt(dpSize));
}

/** Legs with different ranks do not meet. */
function nameOf(rooms: readonly string[], rank: number): string {
  return `${rooms.join()}@${rank}`;
}

async function orFail<T>(
  what: string,
  rooms: readonly string[],
  run: () => Promise<T>,
): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw transferFailed(what, rooms, error instanceof Error ? error.message : String(error));
  }
}

function transferFailed(what: string, rooms: readonly string[], why: string): RequestError {
  const room = `req.bootstrap_room=${rooms.join()}`;
  const text = `${what} for request ${room} with exception KVTransferError: ${why}`;
  return new RequestError(500, "InternalServerError", text);
}
