/** A request that waits for its prefill engine: asks the desk for one, and begins, or ends, with what the desk says. */
import type { PromptUsage } from "../dialects/prompt-usage.ts";
import type { Engine, Pool } from "../fleet/pool.ts";
import type { Ticket, Waiter, WishRefusal } from "../fleet/prompt-desk.ts";
import type { PickRequest } from "../scheduling/policy.ts";
import type { RequestContext } from "./context.ts";
import type { Exchange } from "./exchange.ts";
import type { Leg } from "./leg.ts";
import { outcomes } from "./outcomes.ts";
import type { Service } from "./service.ts";

export interface HeldWish {
  readonly pool: Pool;
  readonly decodePool: Pool | undefined;
  readonly pick: PickRequest;
  readonly priority: number;
  readonly tenant: string;
}

/** How a request ends that has waited for nothing. */
const waitOutcomes = {
  "queue-full": outcomes.queueFull,
  timeout: outcomes.queueTimeout,
  overloaded: outcomes.overloaded,
} as const;

export class HeldPrefill implements Waiter {
  readonly #exchange: Exchange;
  readonly #context: RequestContext;
  readonly #service: Service;
  readonly #pool: Pool;
  readonly #ticket: Ticket;
  #granted: Engine | undefined;

  constructor(exchange: Exchange, context: RequestContext, service: Service, wish: HeldWish) {
    const { pool, pick, priority, tenant } = wish;
    const { bytes, blocks } = pick;
    const decodePool = wish.decodePool?.name ?? "";
    const asked = { pool: pool.name, decodePool, bytes, blocks, priority, tenant };
    this.#exchange = exchange;
    this.#context = context;
    this.#service = service;
    this.#pool = pool;
    this.#ticket = service.desk.ticket(asked, this);
  }

  wait(): void {
    this.#ticket.wait();
  }

  granted(engine: string): void {
    this.#waited();
    // The desk may know of a configuration that this request did not begin with.
    this.#granted = this.#pool.engines.find(({ name }) => name === engine);
    this.#exchange.begin();
  }

  refused(reason: WishRefusal, retryAfterMs: number): void {
    this.#waited();
    this.#context.retryAfterMs = retryAfterMs;
    if (reason === "none-live") this.#exchange.notGranted(reason);
    else this.#exchange.abort(waitOutcomes[reason]);
  }

  /** Takes the place that was granted, once: a prefill that fails there is another's, at once. */
  reserve(leg: Leg, uri: string, pick: PickRequest): boolean {
    const engine = this.#granted;
    this.#granted = undefined;
    const isReserved = engine !== undefined && leg.reserveAt(this.#pool, engine, uri, pick);
    if (!isReserved) this.skip();
    return isReserved;
  }

  done(usage: PromptUsage): void {
    this.#ticket.done(usage);
  }

  skip(): void {
    this.#ticket.skip();
  }

  leave(): void {
    this.#ticket.leave();
  }

  #waited(): void {
    this.#context.heldMs = this.#service.clock.nowMs() - this.#context.startMs;
  }
}
