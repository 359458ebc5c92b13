/**
 * The hand-off by a name that both engines know beforehand: whoever holds the KV parks it under that name, and whoever needs it waits
 * for it there, be it there already or not. One engine's side of it, with what goes over the side port in the place of ZMQ and RDMA.
 */

import { z } from "zod";
import type { RouteCall, RouteResponse, RouteTable } from "../../http/route-table.ts";
import { type Rendezvous, RendezvousError } from "../../kv/rendezvous.ts";
import { kvEntriesMax } from "../../limits.ts";
import type { InferenceRequest } from "../../request/inference-request.ts";
import type { EngineContext } from "../dialect.ts";

/** `ok`, or why the KV is not to be had. */
export type ParkingOutcome =
  | "ok"
  | "unknown"
  | "wrong_prompt"
  | "mangled_params"
  | "timed_out"
  | "fetch_failed";

type KvPrompt = Pick<InferenceRequest, "promptHash" | "promptTokens">;

const wanted = z.object({ name: z.string(), promptHash: z.string(), seal: z.string() });
const named = z.object({ name: z.string() });
const pushed = z.object({ name: z.string(), promptHash: z.string(), promptTokens: z.number() });
const refused = z.object({
  reason: z.enum(["unknown", "wrong_prompt", "mangled_params", "timed_out"]),
});

const malformed: RouteResponse = { status: 400, json: "{}" };
const ok: RouteResponse = { status: 200, json: "{}" };
/** Beyond the wait itself, for the answer to come. */
const responseMarginMs = 1_000;

export class KvParking {
  readonly #engine: EngineContext;
  /** How long somebody waits for KV that is not there. */
  readonly #waitMs: number;
  readonly #parked: Rendezvous<true>;
  /** Names that were used, and those whose KV nobody will come for; the oldest first. */
  readonly #used = new Set<string>();
  readonly #unwanted = new Set<string>();

  constructor(engine: EngineContext, waitMs: number) {
    this.#engine = engine;
    this.#waitMs = waitMs;
    this.#parked = engine.newRendezvous();
  }

  get sideRoutes(): RouteTable {
    return {
      "POST /kv/wait": (call) => this.#responseWait(call),
      "POST /kv/free": ({ body }) => {
        const reported = named.safeParse(body);
        if (!reported.success) return malformed;
        this.free(reported.data.name);
        return ok;
      },
      "POST /kv/put": ({ body }) => {
        const reported = pushed.safeParse(body);
        if (!reported.success) return malformed;
        this.park(reported.data.name, reported.data);
        return ok;
      },
    };
  }

  /** Counts a name that two requests have: the second would get the KV of the first. */
  use(name: string): void {
    if (this.#used.has(name)) this.#engine.violation(`${name} was used before.`);
    keep(this.#used, name);
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

  /** Frees KV for which nobody comes, also when it is parked later. */
  free(name: string): void {
    this.#parked.withdraw(name);
    if (!this.#engine.kvStore.release(name)) keep(this.#unwanted, name);
  }

  /** Waits for KV at another engine's side port, and transfers it. */
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
    if (response?.status === 409) return refused.parse(JSON.parse(response.text)).reason;
    if (response?.status !== 200) return "fetch_failed";
    await this.#engine.sleep(this.#engine.options.kvTransferMs, signal);
    return "ok";
  }

  /** Pushes KV into another engine; says whether it has it. */
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

  async #responseWait({ body, signal }: RouteCall): Promise<RouteResponse> {
    const reported = wanted.safeParse(body);
    if (!reported.success) return malformed;
    const { name, promptHash, seal } = reported.data;
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

function keep(names: Set<string>, name: string): void {
  names.add(name);
  if (names.size > kvEntriesMax) names.delete(names.values().next().value!);
}
