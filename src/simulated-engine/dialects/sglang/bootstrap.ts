/**
 * The bootstrap server of an SGLang prefill engine: it tells decode engines about its ranks, and both legs of a request
 * meet there. Its own routes are SGLang's (`disaggregation/common/conn.py`); `/kv/receive` replaces ZMQ and RDMA.
 */

import { z } from "zod";
import type { RouteCall, RouteResponse, RouteTable } from "../../http/route-table.ts";
import { type Rendezvous, RendezvousError } from "../../kv/rendezvous.ts";
import { kvEntriesMax } from "../../limits.ts";
import type { EngineContext } from "../dialect.ts";

export interface BootstrapSettings {
  readonly dpSize: number;
  readonly registerMs: number;
  readonly bootstrapTimeoutMs: number;
  readonly waitingTimeoutMs: number;
}

/** A decode engine that has memory for the KV of a request and waits for it. */
interface Receiver {
  readonly promptHash: string;
  /** Aborted when it disconnects. */
  readonly signal: AbortSignal;
  /** Set by the prefill: called when the transfer has ended. */
  finished: (ok: boolean) => void;
}

/** A failed transfer that the engine reports to its client. */
export class TransferError extends Error {}

const receiveSchema = z.object({ meeting: z.string(), promptHash: z.string() });
const rankSchema = z.object({ bootstrap_room: z.number(), dp_rank: z.number().int() });
const querySchema = z.object({ bootstrap_rooms: z.array(z.number()).max(1_024) });

const malformed: RouteResponse = { status: 400, json: '"Bad Request"' };
const ok: RouteResponse = { status: 200, json: '"OK"' };

export class BootstrapServer {
  readonly #engine: EngineContext;
  readonly #settings: BootstrapSettings;
  readonly #receivers: Rendezvous<Receiver>;
  readonly #kv: Rendezvous<boolean>;
  readonly #rankOfRoom = new Map<number, number>();
  #registered = 0;
  #cancelRegistering: (() => void) | undefined;

  constructor(engine: EngineContext, settings: BootstrapSettings) {
    this.#engine = engine;
    this.#settings = settings;
    this.#receivers = engine.newRendezvous();
    this.#kv = engine.newRendezvous();
  }

  get routes(): RouteTable {
    return {
      "GET /health": () => ok,
      "GET /route": (call) => this.#route(call),
      "PUT /route": () => this.#register(),
      "POST /register_dp_rank": ({ body }) => this.#registerRank(body),
      "POST /query_dp_ranks": ({ body }) => this.#queryRanks(body),
      "POST /kv/receive": (call) => this.#receive(call),
    };
  }

  /** The engine's ranks register after `registerMs`, as when a model has been loaded. */
  start(): void {
    const { dpSize, registerMs } = this.#settings;
    const registerAll = (): void => {
      this.#registered = dpSize;
    };
    if (registerMs === 0) registerAll();
    else this.#cancelRegistering = this.#engine.options.clock.after(registerMs, registerAll);
  }

  close(): void {
    this.#cancelRegistering?.();
  }

  /** The prefill has arrived: resolves when a decode engine is ready to receive its KV. */
  async meet(meeting: string, promptHash: string, signal: AbortSignal): Promise<Receiver> {
    const { bootstrapTimeoutMs } = this.#settings;
    const receiver = await this.#receivers.wait(meeting, bootstrapTimeoutMs, signal);
    if (receiver.signal.aborted) throw new TransferError("Aborted by AbortReq.");
    if (receiver.promptHash !== promptHash) {
      this.#engine.violation("Two different prompts have the same room.");
      this.#kv.offer(meeting, false, this.#settings.waitingTimeoutMs);
      throw new TransferError("The prompts differ.");
    }
    return receiver;
  }

  /** Sends the KV; resolves when the decode engine has it. */
  send(meeting: string, receiver: Receiver, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const lost = (): void => reject(new TransferError("Aborted by AbortReq."));
      if (receiver.signal.aborted || signal.aborted) {
        lost();
        return;
      }
      receiver.finished = (isDone) => (isDone ? resolve() : lost());
      this.#kv.offer(meeting, true, this.#settings.waitingTimeoutMs);
    });
  }

  /** The prefill will not send the KV. */
  fail(meeting: string): void {
    this.#kv.offer(meeting, false, this.#settings.waitingTimeoutMs);
  }

  async #receive({ body, signal }: RouteCall): Promise<RouteResponse> {
    const parsed = receiveSchema.safeParse(body);
    if (!parsed.success) return malformed;
    const { meeting, promptHash } = parsed.data;
    const { waitingTimeoutMs } = this.#settings;
    const receiver: Receiver = { promptHash, signal, finished: () => {} };
    let isDone = false;
    try {
      const waits = this.#kv.wait(meeting, waitingTimeoutMs, signal);
      this.#receivers.offer(meeting, receiver, waitingTimeoutMs);
      if (await waits) {
        await this.#engine.sleep(this.#engine.options.kvTransferMs, signal);
        isDone = true;
      }
    } catch (error) {
      const reason =
        error instanceof RendezvousError ? error.message : "The decode engine disconnected.";
      return failed(reason);
    } finally {
      this.#receivers.withdraw(meeting);
      receiver.finished(isDone);
    }
    return isDone ? { status: 200, json: "{}" } : failed("The prefill has failed.");
  }

  #route({ query }: RouteCall): RouteResponse {
    const { dpSize } = this.#settings;
    const required = ["prefill_dp_rank", "prefill_cp_rank", "target_tp_rank", "target_pp_rank"];
    if (required.some((name) => query.get(name) === null)) {
      return { status: 400, json: '"Missing inputs for bootstrap server."' };
    }
    if (this.#registered < dpSize) {
      const ranks = `${this.#registered}/${dpSize} workers registered`;
      const text = `Prefill server not fully registered yet (${ranks}).`;
      return { status: 503, json: JSON.stringify(text) };
    }
    const info = {
      attn_tp_size: 1,
      attn_cp_size: 1,
      dp_size: dpSize,
      pp_size: 1,
      page_size: 1,
      kv_cache_dtype: "auto",
      follow_bootstrap_room: true,
      prefill_http_port: this.#engine.address.port,
    };
    return { status: 200, json: JSON.stringify(info) };
  }

  #register(): RouteResponse {
    this.#registered = Math.min(this.#registered + 1, this.#settings.dpSize);
    return ok;
  }

  #registerRank(body: unknown): RouteResponse {
    const parsed = rankSchema.safeParse(body);
    if (!parsed.success) return malformed;
    if (this.#rankOfRoom.size >= kvEntriesMax) {
      this.#rankOfRoom.delete(this.#rankOfRoom.keys().next().value!);
    }
    this.#rankOfRoom.set(parsed.data.bootstrap_room, parsed.data.dp_rank);
    return ok;
  }

  #queryRanks(body: unknown): RouteResponse {
    const query = querySchema.safeParse(body);
    if (!query.success) return malformed;
    const known: Record<string, number> = {};
    for (const room of query.data.bootstrap_rooms) {
      const rank = this.#rankOfRoom.get(room);
      if (rank !== undefined) known[`${room}`] = rank;
    }
    return { status: 200, json: JSON.stringify(known) };
  }
}

function failed(reason: string): RouteResponse {
  return { status: 409, json: JSON.stringify({ reason }) };
}
