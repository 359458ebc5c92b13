/** A request that waits for its prefill engine: asks the desk for one, and begins, or ends, with what the desk says. */
import type { PromptUsage } from "../../dialects/shared/prompt-usage.ts";
import type { PickRequest } from "../../policies/shared/policy.ts";
import type { HeldEngineSeen } from "../../pool/engine-snapshot.ts";
import type { Engine, Pool } from "../../pool/pool.ts";
import type { PromptWish, Ticket, Waiter, WishRefusal } from "../../queue/queue-service.ts";
import type { Forwarded } from "../context/forwarded.ts";
import type { Exchange } from "../pd/exchange.ts";
import type { Route } from "../routing/route.ts";
import type { Leg } from "../upstream/leg.ts";
import { PromptTokens } from "./prompt-tokens.ts";
import { waitOutcomes } from "./wait-outcomes.ts";

export interface HeldWish {
  readonly pool: Pool;
  readonly decodePool: Pool | undefined;
  readonly pick: PickRequest;
  readonly priority: number;
  readonly tenant: string;
}

export class HeldPrefill implements Waiter {
  readonly #exchange: Exchange;
  readonly #request: Forwarded;
  readonly #wish: HeldWish;
  /** The prompt's tokens are asked for, before it has a ticket. */
  readonly #tokens: PromptTokens | undefined;
  /** As the desk is asked. */
  #asked: PromptWish | undefined;
  #ticket: Ticket | undefined;
  #granted: Engine | undefined;

  constructor(exchange: Exchange, request: Forwarded, route: Route, wish: HeldWish) {
    this.#exchange = exchange;
    this.#request = request;
    this.#wish = wish;
    const tokenizers = request.service.tokenizers(wish.pool);
    if (tokenizers === undefined) return;
    this.#tokens = new PromptTokens(request, route, tokenizers, (ids) => this.#enter(ids));
  }

  /** Also once more, after `leave`. */
  wait(): void {
    if (this.#asked !== undefined) this.#ask();
    else if (this.#tokens === undefined) this.#enter(undefined);
    else this.#tokens.begin();
  }

  granted(engine: string, seen: readonly HeldEngineSeen[]): void {
    this.#waited();
    const pool = this.#wish.pool.current;
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

  refused(reason: WishRefusal, retryAfterMs: number): void {
    if (reason === "replaced") {
      this.#ask();
      return;
    }
    this.#waited();
    this.#request.context.retryAfterMs = retryAfterMs;
    if (reason === "none-live") this.#exchange.notGranted(reason);
    else this.#exchange.abort(waitOutcomes[reason]);
  }

  /** Takes the place that was granted, once: a prefill that fails there is another's, at once. */
  reserve(leg: Leg, uri: string, pick: PickRequest): boolean {
    const engine = this.#granted;
    this.#granted = undefined;
    const isReserved =
      engine !== undefined && leg.reserveAt(this.#wish.pool.current, engine, uri, pick);
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
    const { pool, decodePool, pick, priority, tenant } = this.#wish;
    const { bytes, blocks } = pick;
    const wish = { pool: pool.name, decodePool: decodePool?.name ?? "", bytes, blocks, tokenIds };
    const explains = this.#request.context.explanation !== undefined;
    this.#asked = { ...wish, priority, tenant, explains };
    this.#ask();
  }

  #ask(): void {
    this.#ticket = this.#request.service.desk.ticket(this.#asked!, this);
    this.#ticket.wait();
  }

  #waited(): void {
    const { context, service } = this.#request;
    context.heldMs = service.clock.nowMs() - context.startMs;
  }
}
