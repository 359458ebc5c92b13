/**
 * The bootstrap server of an SGLang prefill engine: where decode engines learn of its ranks, and where both legs of a request
 * meet. Its own routes are SGLang's (`disaggregation/common/conn.py`); `/kv/receive` is in the place of ZMQ and RDMA.
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

/** A decode engine that has room for the KV of a request and waits for it. */
interface Receiver {
  readonly promptHash: string;
  /** Aborted when it has gone. */
  readonly signal: AbortSignal;
  /** Set by the prefill: called once the KV is over, or not. */
  finished: (ok: boolean) => void;
}

/** A transfer that has failed, for the engine's clients to hear of. */
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

  /** The ranks of the engine register when its model is loaded. */
  start(): void {
    const { dpSize, registerMs } = this.#settings;
    const all = (): void => {
      this.#registered = dpSize;
    };
    if (registerMs === 0) all();
    else this.#cancelRegistering = this.#engine.options.clock.after(registerMs, all);
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
      this.#engine.violation("Two different prompts met in one room.");
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
      receiver.finished = (isOver) => (isOver ? resolve() : lost());
      this.#kv.offer(meeting, true, this.#settings.waitingTimeoutMs);
    });
  }

  /** The prefill will not come, or not send. */
  fail(meeting: string): void {
    this.#kv.offer(meeting, false, this.#settings.waitingTimeoutMs);
  }

  async #receive({ body, signal }: RouteCall): Promise<RouteResponse> {
    const wanted = receiveSchema.safeParse(body);
    if (!wanted.success) return malformed;
    const { meeting, promptHash } = wanted.data;
    const { waitingTimeoutMs } = this.#settings;
    const receiver: Receiver = { promptHash, signal, finished: () => {} };
    let isOver = false;
    try {
      const waits = this.#kv.wait(meeting, waitingTimeoutMs, signal);
      this.#receivers.offer(meeting, receiver, waitingTimeoutMs);
      if (await waits) {
        await this.#engine.sleep(this.#engine.options.kvTransferMs, signal);
        isOver = true;
      }
    } catch (error) {
      const reason = error instanceof RendezvousError ? error.message : "The decode has gone.";
      return failed(reason);
    } finally {
      this.#receivers.withdraw(meeting);
      receiver.finished(isOver);
    }
    return isOver ? { status: 200, json: "{}" } : failed("The prefill has failed.");
  }

  #route({ query }: RouteCall): RouteResponse {
    const { dpSize } = this.#settings;
    const asked = ["prefill_dp_rank", "prefill_cp_rank", "target_tp_rank", "target_pp_rank"];
    if (asked.some((name) => query.get(name) === null)) {
      return { status: 400, json: '"Missing inputs for bootstrap server."' };
    }
    if (this.#registered < dpSize) {
      const text = `Prefill server not fully registered yet (${this.#registered}/${dpSize} workers registered).`;
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
    const reported = rankSchema.safeParse(body);
    if (!reported.success) return malformed;
    if (this.#rankOfRoom.size >= kvEntriesMax) {
      this.#rankOfRoom.delete(this.#rankOfRoom.keys().next().value!);
    }
    this.#rankOfRoom.set(reported.data.bootstrap_room, reported.data.dp_rank);
    return ok;
  }

  #queryRanks(body: unknown): RouteResponse {
    const asked = querySchema.safeParse(body);
    if (!asked.success) return malformed;
    const known: Record<string, number> = {};
    for (const room of asked.data.bootstrap_rooms) {
      const rank = this.#rankOfRoom.get(room);
      if (rank !== undefined) known[`${room}`] = rank;
    }
    return { status: 200, json: JSON.stringify(known) };
  }
}

function failed(reason: string): RouteResponse {
  return { status: 409, json: JSON.stringify({ reason }) };
}
