/**
 * A client that gets its response at a limited rate. What is too early waits here and counts as not read, so the engine
 * is paused as it is for a client that reads slowly.
 */
import type { ServerConfig } from "../../config/schema/schema.ts";
import { paceMs } from "../../limits.ts";
import type { Clock } from "../../transport/clock.ts";
import type { Deadlines, Expirable } from "../../transport/deadlines.ts";
import type { Outcome } from "../context/outcomes.ts";
import type { RequestContext } from "../context/request-context.ts";
import { ClientRate } from "../routing/response/client-rate.ts";
import type { Route } from "../routing/route.ts";
import type { RequestClient } from "./request-services.ts";

/** The request whose response is paced. */
interface PacedRequest {
  readonly context: RequestContext;
  readonly worker: { readonly clock: Clock; readonly deadlines: Deadlines };
  /** Less waits for the client. */
  clientDrained(): void;
}

export class PacedClient implements RequestClient, Expirable {
  deadlineMs = Number.POSITIVE_INFINITY;
  deadlineIndex = -1;
  readonly copies = false;
  readonly #client: RequestClient;
  readonly #rate: ClientRate;
  readonly #request: PacedRequest;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #sentBytes = 0;
  /** The response is complete: whether the connection stays, once all of it is out. */
  #keep: boolean | undefined;

  private constructor(client: RequestClient, rate: ClientRate, request: PacedRequest) {
    this.#client = client;
    this.#rate = rate;
    this.#request = request;
  }

  /** Undefined = the rate has no limit. */
  static of(client: RequestClient, route: Route | undefined, request: PacedRequest) {
    const isSet = request.context.rateOfStep !== undefined;
    const rate = route?.responses.rate ?? (isSet ? ClientRate.ofStep : undefined);
    return rate && new PacedClient(client, rate, request);
  }

  get pendingBytes(): number {
    return this.#client.pendingBytes + this.#waitingBytes;
  }

  /** What follows an upgrade is paced as a response is. */
  get upgradable(): RequestClient["upgradable"] {
    return this.#client.upgradable;
  }

  write(bytes: Buffer, start: number, end: number): void {
    if (end === start) return;
    this.#waiting.push(bytes.subarray(start, end));
    this.#waitingBytes += end - start;
    this.#send();
  }

  expired(): void {
    this.#send();
    this.#request.clientDrained();
    if (this.#waitingBytes === 0 && this.#keep !== undefined) this.#client.responded(this.#keep);
  }

  responded(keep: boolean): void {
    if (this.#waitingBytes === 0) this.#client.responded(keep);
    else this.#keep = keep;
  }

  mayKeep(server: ServerConfig): boolean {
    return this.#client.mayKeep(server);
  }

  refuse(outcome: Outcome): void {
    this.#client.refuse(outcome);
  }

  close(): void {
    this.drop();
    this.#client.close();
  }

  reset(): void {
    this.drop();
    this.#client.reset();
  }

  /** Nothing more goes out. */
  drop(): void {
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#request.worker.deadlines.remove(this);
  }

  /** As nginx: what one second allows may go out at once. */
  #allowedBytes(): number {
    const { context, worker } = this.#request;
    const rate = this.#rate.bytesPerSecond(context);
    if (rate === 0) return Number.POSITIVE_INFINITY;
    const elapsedMs = worker.clock.nowMs() - context.startMs;
    const total = this.#rate.afterBytes(context) + rate * (1 + elapsedMs / 1000);
    return Math.floor(total) - this.#sentBytes;
  }

  #send(): void {
    let allowed = this.#allowedBytes();
    while (allowed > 0) {
      const [next] = this.#waiting;
      if (next === undefined) break;
      const count = Math.min(allowed, next.length);
      if (count === next.length) this.#waiting.shift();
      else this.#waiting[0] = next.subarray(count);
      this.#client.write(next, 0, count);
      this.#waitingBytes -= count;
      this.#sentBytes += count;
      allowed -= count;
    }
    const { deadlines } = this.#request.worker;
    if (this.#waitingBytes === 0) deadlines.remove(this);
    else {
      this.deadlineMs = deadlines.dueIn(paceMs);
      deadlines.add(this);
    }
  }
}
