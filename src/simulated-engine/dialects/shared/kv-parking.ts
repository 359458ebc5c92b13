/**
 * The KV transfer by a name that both engines know in advance: the engine that has the KV parks it under that name, and
 * the engine that needs it waits for that name, whichever comes first. One engine's side, with the calls over the side
 * port that replace ZMQ and RDMA.
 */

import { z } from "zod";
import type { RouteCall, RouteResponse, RouteTable } from "../../http/route-table.ts";
import { type Rendezvous, RendezvousError } from "../../kv/rendezvous.ts";
import { kvEntriesMax } from "../../limits.ts";
import type { InferenceRequest } from "../../request/inference-request.ts";
import type { EngineContext } from "../dialect.ts";

/** `ok`, or why the KV cannot be fetched. */
export type ParkingOutcome =
  | "ok"
  | "unknown"
  | "wrong_prompt"
  | "mangled_params"
  | "timed_out"
  | "fetch_failed";

type KvPrompt = Pick<InferenceRequest, "promptHash" | "promptTokens">;

const waitSchema = z.object({ name: z.string(), promptHash: z.string(), seal: z.string() });
const nameSchema = z.object({ name: z.string() });
const putSchema = z.object({ name: z.string(), promptHash: z.string(), promptTokens: z.number() });
const rejectedSchema = z.object({
  reason: z.enum(["unknown", "wrong_prompt", "mangled_params", "timed_out"]),
});

const malformed: RouteResponse = { status: 400, json: "{}" };
const ok: RouteResponse = { status: 200, json: "{}" };
/** Added to the wait itself, so that the response can arrive. */
const responseMarginMs = 1_000;

export class KvParking {
  readonly #engine: EngineContext;
  /** How long a fetch waits for KV that is not parked yet. */
  readonly #waitMs: number;
  readonly #parked: Rendezvous<true>;
  /** Names of earlier requests, and names whose KV will not be fetched; the oldest first. */
  readonly #used = new Set<string>();
  readonly #unwanted = new Set<string>();

  constructor(engine: EngineContext, waitMs: number) {
    this.#engine = engine;
    this.#waitMs = waitMs;
    this.#parked = engine.newRendezvous();
  }

  get sideRoutes(): RouteTable {
    return {
      "POST /kv/wait": (call) => this.#respondToWait(call),
      "POST /kv/free": ({ body }) => {
        const parsed = nameSchema.safeParse(body);
        if (!parsed.success) return malformed;
        this.free(parsed.data.name);
        return ok;
      },
      "POST /kv/put": ({ body }) => {
        const parsed = putSchema.safeParse(body);
        if (!parsed.success) return malformed;
        this.park(parsed.data.name, parsed.data);
        return ok;
      },
    };
  }

  /** Counts a violation if an earlier request had the same name: this one would get its KV. */
  use(name: string): void {
    if (this.#used.has(name)) this.#engine.violation(`${name} was used before.`);
    remember(this.#used, name);
  }

  park(name: string, { promptHash, promptTokens: tokens }: KvPrompt, seal = ""): void {
    const { kvStore } = this.#engine;
    kvStore.hold({ requestId: name, promptHash, seal, tokens });
    if (this.#unwanted.delete(name)) kvStore.release(name);
    else this.#parked.offer(name, true, kvStore.leaseMs);
  }

  /** Waits for KV that is parked in this engine. */
  async take(name: string, prompt: KvPrompt, signal: AbortSignal): Promise<ParkingOutcome> {
    return this.#take(name, prompt.promptHash, "", signal);
  }

  /** Frees KV that will not be fetched, also if it is parked later. */
  free(name: string): void {
    this.#parked.withdraw(name);
    if (!this.#engine.kvStore.release(name)) remember(this.#unwanted, name);
  }

  /** Waits for KV at another engine's side port, and fetches it. */
  async fetchFrom(
    origin: string,
    name: string,
    { promptHash }: KvPrompt,
    signal: AbortSignal,
    seal = "",
  ): Promise<ParkingOutcome> {
    const body = { name, promptHash, seal };
    const timeoutMs = this.#waitMs + responseMarginMs;
    const response = await this.#engine.peers.call(`${origin}/kv/wait`, {
      body,
      timeoutMs,
      signal,
    });
    if (response?.status === 409) return rejectedSchema.parse(JSON.parse(response.text)).reason;
    if (response?.status !== 200) return "fetch_failed";
    await this.#engine.sleep(this.#engine.options.kvTransferMs, signal);
    return "ok";
  }

  /** Pushes KV into another engine; resolves to whether it has it. */
  async putTo(
    origin: string,
    name: string,
    prompt: KvPrompt,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { promptHash, promptTokens } = prompt;
    const body = { name, promptHash, promptTokens };
    return (await this.#engine.peers.call(`${origin}/kv/put`, { body, signal }))?.status === 200;
  }

  freeAt(origin: string, name: string): void {
    void this.#engine.peers.call(`${origin}/kv/free`, { body: { name } });
  }

  async #respondToWait({ body, signal }: RouteCall): Promise<RouteResponse> {
    const parsed = waitSchema.safeParse(body);
    if (!parsed.success) return malformed;
    const { name, promptHash, seal } = parsed.data;
    const reason = await this.#take(name, promptHash, seal, signal);
    return reason === "ok" ? ok : { status: 409, json: JSON.stringify({ reason }) };
  }

  async #take(
    name: string,
    promptHash: string,
    seal: string,
    signal: AbortSignal,
  ): Promise<ParkingOutcome> {
    try {
      await this.#parked.wait(name, this.#waitMs, signal);
    } catch (error) {
      if (error instanceof RendezvousError) return "timed_out";
      throw error;
    }
    const kv = this.#engine.kvStore.take(name, promptHash, seal);
    return typeof kv === "string" ? kv : "ok";
  }
}

function remember(names: Set<string>, name: string): void {
  names.add(name);
  if (names.size > kvEntriesMax) names.delete(names.values().next().value!);
}
