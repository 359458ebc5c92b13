/**
 * Where generation-first requests wait at a context server: the context until its generation server asks for it, and
 * the generation server until the KV is there.
 */

import { z } from "zod";
import type { RouteCall, RouteResponse, RouteTable } from "../../http/route-table.ts";
import { type Rendezvous, RendezvousError } from "../../kv/rendezvous.ts";
import type { EngineContext } from "../dialect.ts";

const askSchema = z.object({ id: z.string(), promptHash: z.string() });

export class WaitingRoom {
  readonly #engine: EngineContext;
  readonly #timeoutMs: number;
  /** By id: the hash of the prompt that a generation server asks for. */
  readonly #asks: Rendezvous<string>;
  /** By id: the seal of KV that can be fetched. */
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

  /** Resolves to the prompt hash once a generation server asks for the id. */
  waitForAsk(id: string, signal: AbortSignal): Promise<string> {
    return this.#asks.wait(id, this.#timeoutMs, signal);
  }

  /** The KV of this id can be fetched. */
  admit(id: string, seal: string): void {
    this.#admissions.offer(id, seal, this.#timeoutMs);
  }

  /** The failure of a context is not reported here: its generation waits until it times out or is cancelled. */
  async #ask({ body, signal }: RouteCall): Promise<RouteResponse> {
    const parsed = askSchema.safeParse(body);
    if (!parsed.success) return { status: 400, json: "{}" };
    const { id, promptHash } = parsed.data;
    try {
      const admitted = this.#admissions.wait(id, this.#timeoutMs, signal);
      this.#asks.offer(id, promptHash, this.#timeoutMs);
      const { engineId } = this.#engine;
      return { status: 200, json: JSON.stringify({ engineId, seal: await admitted }) };
    } catch (error) {
      const reason =
        error instanceof RendezvousError ? error.message : "The generation server disconnected.";
      return { status: 409, json: JSON.stringify({ reason }) };
    } finally {
      this.#asks.withdraw(id);
    }
  }
}
