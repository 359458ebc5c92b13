/** How long the legs of one request may wait for their engines: what lateness depends on beside the engine. */
import { asksForStream } from "../../context/asks-for-stream.ts";
import type { RequestContext } from "../../context/request-context.ts";
import type { Leg } from "../../upstream/leg.ts";
import type { LegRetries } from "../../upstream/leg-retries.ts";
import type { AwaitedHealth, Patience } from "../../upstream/watched-leg.ts";
import type { Exchange } from "../exchange/exchange.ts";
import type { Legs } from "./legs.ts";

export class LegPatience implements Patience<Leg> {
  readonly #context: RequestContext;
  readonly #exchange: Exchange;
  readonly #legs: Legs;
  readonly #retries: LegRetries;

  constructor(context: RequestContext, exchange: Exchange, legs: Legs, retries: LegRetries) {
    this.#context = context;
    this.#exchange = exchange;
    this.#legs = legs;
    this.#retries = retries;
  }

  get asksForStream(): boolean {
    return asksForStream(this.#context);
  }

  /** Decode that is sent before the prefill is done waits for that. */
  awaited(leg: Leg): AwaitedHealth | undefined {
    if (leg.name !== "decode" || !this.#exchange.awaitsPrefill) return undefined;
    return this.#legs.prefill?.health;
  }

  mayTimeOut(leg: Leg): boolean {
    const isLeft = this.#exchange.mayFail(leg.name === "prefill" ? "prefill" : "decode");
    return isLeft && this.#retries.mayFollow(leg, "timeout");
  }
}
