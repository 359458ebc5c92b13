/** Where a context server's generation-first requests wait until their generation servers have asked for them, and those for the KV. */

import { z } from "zod";
import type { RouteCall, RouteResponse, RouteTable } from "../../http/route-table.ts";
import { type Rendezvous, RendezvousError } from "../../kv/rendezvous.ts";
import type { EngineContext } from "../dialect.ts";

const askSchema = z.object({ id: z.string(), promptHash: z.string() });

export class WaitingRoom {
  readonly #engine: EngineContext;
  readonly #timeoutMs: number;
  /** By id: the hash of the prompt that was asked for. */
  readonly #asks: Rendezvous<string>;
  /** By id: the seal of KV that is there. */
  readonly #admissions: Rendezvous<string>;

  constructor(engine: EngineContext, timeoutMs: number) {
    this.#engine = engine;
    this.#timeoutMs = timeoutMs;
    this.#asks = engine.newRendezvous();
    this.#admissions = engine.newRendezvous();
  }

  get routes(): RouteTable {
    return { "POST /kv/ask": (call) => this.#ask(call) };
  }

  /** Resolves once a generation server has asked for it. */
  asked(id: string, signal: AbortSignal): Promise<string> {
    return this.#asks.wait(id, this.#timeoutMs, signal);
  }

  /** The KV can be fetched. */
  admit(id: string, seal: string): void {
    this.#admissions.offer(id, seal, this.#timeoutMs);
  }

  /** A context that fails is not told of here: its generation waits until its time is up, or is cancelled. */
  async #ask({ body, signal }: RouteCall): Promise<RouteResponse> {
    const wanted = askSchema.safeParse(body);
    if (!wanted.success) return { status: 400, json: "{}" };
    const { id, promptHash } = wanted.data;
    try {
      const admitted = this.#admissions.wait(id, this.#timeoutMs, signal);
      this.#asks.offer(id, promptHash, this.#timeoutMs);
      const { engineId } = this.#engine;
      return { status: 200, json: JSON.stringify({ engineId, seal: await admitted }) };
    } catch (error) {
      const reason = error instanceof RendezvousError ? error.message : "Generation has gone.";
      return { status: 409, json: JSON.stringify({ reason }) };
    } finally {
      this.#asks.withdraw(id);
    }
  }
}
