/** A request that waits for its prefill engine: asks the desk for one, and begins, or ends, with what the desk says. */
import type { PromptUsage } from "../../dialects/shared/prompt-usage.ts";
import type { PickRequest } from "../../policies/shared/policy.ts";
import type { Engine } from "../../pool/engine.ts";
import type { PlacementSnapshot } from "../../pool/engine-snapshot.ts";
import type { Pool } from "../../pool/pool.ts";
import type {
  QueueListener,
  QueueRejection,
  QueueRequest,
  Ticket,
} from "../../queue/queue-service.ts";
import type { Exchange } from "../pd/exchange.ts";
import type { Route } from "../routing/route.ts";
import type { ForwardedRequest } from "../upstream/forwarded-request.ts";
import type { Leg } from "../upstream/leg.ts";
import { PromptTokens } from "./prompt-tokens.ts";
import { waitOutcomes } from "./wait-outcomes.ts";

export interface PrefillWaitRequest {
  readonly pool: Pool;
  readonly decodePool: Pool | undefined;
  readonly pick: PickRequest;
  readonly priority: number;
  readonly tenant: string;
}

export class PrefillWait implements QueueListener {
  readonly #exchange: Exchange;
  readonly #request: ForwardedRequest;
  readonly #queueRequest: PrefillWaitRequest;
  /** The prompt's tokens are asked for, before it has a ticket. */
  readonly #tokens: PromptTokens | undefined;
  /** As the desk is asked. */
  #asked: QueueRequest | undefined;
  #ticket: Ticket | undefined;
  #granted: Engine | undefined;

  constructor(
    exchange: Exchange,
    request: ForwardedRequest,
    route: Route,
    queueRequest: PrefillWaitRequest,
  ) {
    this.#exchange = exchange;
    this.#request = request;
    this.#queueRequest = queueRequest;
    const tokenizers = request.worker.tokenizers(queueRequest.pool);
    if (tokenizers === undefined) return;
    this.#tokens = new PromptTokens(request, route, tokenizers, (ids) => this.#enter(ids));
  }

  /** Also once more, after `leave`. */
  wait(): void {
    if (this.#asked !== undefined) this.#ask();
    else if (this.#tokens === undefined) this.#enter(undefined);
    else this.#tokens.begin();
  }

  granted(engine: string, seen: readonly PlacementSnapshot[]): void {
    this.#waited();
    const pool = this.#queueRequest.pool.current;
    const { explanation, heldMs } = this.#request.context;
    // The desk may know of a reload before this worker does.
    this.#granted = pool.engines.find(({ name }) => name === engine);
    // A request may go on for minutes, and its tokens may be as large as its body.
    if (this.#asked?.tokenIds !== undefined) this.#asked = { ...this.#asked, tokenIds: undefined };
    if (engine !== "") {
      const { name: policy } = pool.config.policy;
      const decision = { leg: "prefill", pool: pool.name, policy, chosen: engine, heldMs };
      explanation?.add({ ...decision, engines: seen, poolSize: pool.size });
    }
    this.#exchange.begin();
  }

  refused(reason: QueueRejection, retryAfterMs: number): void {
    if (reason === "replaced") {
      this.#ask();
      return;
    }
    this.#waited();
    this.#request.context.retryAfterMs = retryAfterMs;
    if (reason === "no-healthy-engine") this.#exchange.notQueued(reason);
    else this.#exchange.abort(waitOutcomes[reason]);
  }

  /** Takes the place that was granted, once: a prefill that fails there is another's, at once. */
  reserve(leg: Leg, uri: string, pick: PickRequest): boolean {
    const engine = this.#granted;
    this.#granted = undefined;
    const isReserved =
      engine !== undefined && leg.reserveAt(this.#queueRequest.pool.current, engine, uri, pick);
    if (!isReserved) this.skip();
    return isReserved;
  }

  done(usage: PromptUsage): void {
    this.#ticket?.done(usage);
  }

  skip(): void {
    this.#ticket?.skip();
  }

  leave(): void {
    this.#tokens?.cancel();
    this.#ticket?.leave();
  }

  #enter(tokenIds: Int32Array | undefined): void {
    const { pool, decodePool, pick, priority, tenant } = this.#queueRequest;
    const { bytes, blocks } = pick;
    const queueRequest = {
      pool: pool.name,
      decodePool: decodePool?.name ?? "",
      bytes,
      blocks,
      tokenIds,
    };
    const explains = this.#request.context.explanation !== undefined;
    this.#asked = { ...queueRequest, priority, tenant, explains };
    this.#ask();
  }

  #ask(): void {
    this.#ticket = this.#request.worker.queue.ticket(this.#asked!, this);
    this.#ticket.wait();
  }

  #waited(): void {
    const { context, worker } = this.#request;
    context.heldMs = worker.clock.nowMs() - context.startMs;
  }
}
