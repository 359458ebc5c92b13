/**
 * What the tries of one leg say of their engines: success, failure, or lateness. If the same request fails at a second
 * engine too, the request is to blame: then what was counted is taken back, unless a further engine serves it.
 */

import type { LegName } from "../../dialects/dialect.ts";
import type { ResponseHead } from "../../http1/head/response-head.ts";
import { bufferedResponseBytesMax } from "../../limits.ts";
import type { Engine } from "../../pool/engine.ts";
import { firstLookMs, lateAfterMs, observeFirstByte } from "../../pool/health/lateness.ts";
import type { Placement, Pool } from "../../pool/pool.ts";
import type { Clock } from "../../transport/clock.ts";
import type { Deadlines, Expirable } from "../../transport/deadlines.ts";
import { hasEvents } from "../response/body/stream-marks.ts";

/** What the health of a leg needs of the leg. */
interface WatchedLeg {
  readonly name: LegName | "encode";
  /** Gives this try up if another engine may be tried; false = there is none, and it goes on waiting. */
  giveUp(cause: string): boolean;
}

/** How long legs may wait for their engines. */
export interface Patience<Leg> {
  /** Whether the client asks for a stream. */
  readonly asksForStream: boolean;
  /** Whether the leg waits for another one and not only for its engine. */
  awaitsOther(leg: Leg): boolean;
  /** Whether the leg may go to another engine if this one times out. */
  mayTimeOut(leg: Leg): boolean;
}

/** The request that the leg is part of. */
interface WatchedRequest<Leg> {
  readonly services: { readonly clock: Clock };
  /** The engine that may have failed instead. */
  sourceOf?(leg: Leg): Engine | undefined;
  /** Undefined = its legs are not given up. */
  readonly patience?: Patience<Leg>;
}

interface Failure {
  readonly pool: Pool;
  readonly engine: Engine;
  /** How long the engine had, if it was late; infinite = it failed. */
  readonly waitedMs: number;
  isCounted: boolean;
}

/** Each further engine has so many times longer than the one before: perhaps it is the prompt that takes long. */
const patienceFactor = 4;

export class LegHealth<Leg extends WatchedLeg> implements Expirable {
  deadlineMs = Number.POSITIVE_INFINITY;
  deadlineIndex = -1;
  readonly #leg: Leg;
  readonly #request: WatchedRequest<Leg>;
  #placement: Placement | undefined;
  #deadlines: Deadlines | undefined;
  #sentMs = 0;
  /** Since when the engine has shown no sign of life, as far as is known: by the wall clock, and by tokens. */
  #silentSinceMs = 0;
  #tokensThen = 0;
  #isLate = false;
  /** Of the response under way: something of its body is here, or its status says enough. */
  #hasResponded = false;
  #hasEvents = false;
  #isShort = false;
  #patience = 1;
  /** Engines that have seen the request and failed. Undefined = none. */
  #failures: Failure[] | undefined;

  constructor(leg: Leg, request: WatchedRequest<Leg>) {
    this.#leg = leg;
    this.#request = request;
  }

  get #clock(): Clock {
    return this.#request.services.clock;
  }

  /** Whether the first byte of the response comes before the last token. */
  get #isEarly(): boolean {
    return this.#leg.name !== "decode" || (this.#request.patience?.asksForStream ?? false);
  }

  get #awaitsOther(): boolean {
    return this.#request.patience?.awaitsOther(this.#leg) ?? false;
  }

  /** The request is sent. @param nowMs by the clock of this leg, which reads it anyway: a reading costs 50 ns */
  sent(placement: Placement, deadlines: Deadlines, nowMs: number): void {
    this.#placement = placement;
    this.#sentMs = nowMs;
    this.#isLate = false;
    this.#hasResponded = false;
    const lookMs = firstLookMs(placement.pool);
    if (lookMs === 0) return;
    this.#deadlines = deadlines;
    this.#look();
    this.deadlineMs = deadlines.dueIn(lookMs);
    deadlines.add(this);
  }

  /**
   * The head is here. An engine may send that of a stream long before there is a token, or without ever having one.
   * @param headMs when, by the clock that does not jump
   */
  headCame({ status, fields, framing, contentLength }: ResponseHead, headMs: number): void {
    this.#hasEvents = hasEvents(fields);
    this.#isShort = framing === "length" && contentLength <= bufferedResponseBytesMax;
    if (status < 300) return;
    const { pool, engine } = this.#placement!;
    const wallMs = this.#clock.wallMs();
    this.#responded(wallMs);
    // As engines say that a KV cache could not be had; any other status is about themselves.
    if (pool.health.isFailure(status, false)) this.failed(false, status === 500);
    else if (status < 500) {
      const tookMs = headMs - this.#sentMs;
      pool.succeeded(engine, wallMs, tookMs);
      if (status !== 429) this.#served(tookMs, wallMs);
    }
  }

  /**
   * Some of the body is here, and not known to be junk. Reported at once rather than at the response's end: an engine
   * that is back takes its share before its first long stream is over.
   * @param isOpen it may still turn out to be junk: a stream has no event yet
   */
  bodyBegan(isOpen: boolean): void {
    if (this.#hasResponded || (isOpen && this.#hasEvents)) return;
    const { pool, engine, lease } = this.#placement!;
    const wallMs = this.#clock.wallMs();
    this.#responded(wallMs);
    const isPrefill = this.#leg.name === "prefill";
    const tookMs = this.#clock.nowMs() - this.#sentMs;
    // What is short shows at its end whether it is what it should be, and that is soon.
    if (!isPrefill && !this.#isShort) {
      pool.succeeded(engine, wallMs, tookMs);
      this.#served(tookMs, wallMs);
    }
    if (firstLookMs(pool) === 0) return;
    const isEarly = this.#leg.name !== "decode" || this.#hasEvents;
    observeFirstByte(pool, isEarly, lease.tokens, tookMs);
  }

  /** The response is whole, and what it should be. @param nowMs as `headMs` */
  ended(status: number, nowMs: number): void {
    if (status >= 300 || (this.#hasResponded && !this.#isShort && this.#leg.name !== "prefill"))
      return;
    const { pool, engine } = this.#placement!;
    const wallMs = this.#clock.wallMs();
    this.#responded(wallMs);
    const tookMs = nowMs - this.#sentMs;
    pool.succeeded(engine, wallMs, tookMs);
    if (this.#failures !== undefined) this.#served(tookMs, wallMs);
  }

  /** The engine has shown that it works, or at least that it responds. */
  #responded(wallMs: number): void {
    if (this.#hasResponded) return;
    this.#hasResponded = true;
    const { pool, engine } = this.#placement!;
    pool.board.usual.setRespondedAt(engine.slot, wallMs);
    // A prefill is of use when all of it is here.
    if (this.#leg.name !== "prefill") this.#stopWatching();
  }

  /** The route tries another engine because of the response's status. */
  refused(status: number): void {
    const { pool } = this.#placement!;
    // Behind 200 an engine has said that it failed.
    const isError = status < 300;
    if (isError || pool.health.isFailure(status, true))
      this.failed(false, isError || status === 500);
  }

  /**
   * @param isUnsent the engine cannot have seen the request: then it is not the request's fault
   * @param isOfSource the engine that it gets the KV cache from may have failed instead
   */
  failed(isUnsent: boolean, isOfSource: boolean): void {
    const { pool, engine } = this.#placement!;
    const source = isOfSource ? this.#request.sourceOf?.(this.#leg) : undefined;
    const nowMs = this.#clock.wallMs();
    if (isUnsent || !pool.health.blamesRequests) {
      pool.failed(engine, nowMs, source, isUnsent ? "unsent" : "failed");
      return;
    }
    // A try that was late and then fails has failed once.
    if (this.#failures?.some((one) => one.engine === engine) ?? false) return;
    const others = this.#failures ?? [];
    for (const one of others) this.#forgive(one);
    const kind = this.#isLate ? "late" : "failed";
    const isCounted = others.length === 0 && pool.failed(engine, nowMs, source, kind);
    const waitedMs = this.#isLate ? this.#clock.nowMs() - this.#sentMs : Number.POSITIVE_INFINITY;
    this.#failures = [...others, { pool, engine, waitedMs, isCounted }];
  }

  /** The request is not wanted any more. How long it has waited counts all the same. */
  cancelled(): void {
    if (this.deadlineIndex < 0) return;
    const { pool, engine } = this.#placement!;
    const waitedMs = this.#clock.nowMs() - this.#sentMs;
    pool.board.observeWait(engine.slot, waitedMs);
    if (waitedMs < this.#lateMs() || !this.#isSilent() || this.#awaitsOther) return;
    this.#isLate = true;
    this.failed(false, true);
  }

  /** The try is over. */
  closed(): void {
    this.#stopWatching();
    this.#placement = undefined;
  }

  /** Time to look whether the response is late. */
  expired(): void {
    const waitedMs = this.#clock.nowMs() - this.#sentMs;
    const lateMs = this.#lateMs();
    const leftMs = Number.isFinite(lateMs) ? lateMs - waitedMs : firstLookMs(this.#placement!.pool);
    if (leftMs > 0) {
      this.#lookAgainIn(leftMs);
    } else if (!this.#isSilent() || this.#awaitsOther) {
      // The engine works: it is busy, or the prompt takes longer than was thought.
      this.#look();
      this.#lookAgainIn(lateMs);
    } else this.#late(waitedMs, lateMs);
  }

  #late(waitedMs: number, lateMs: number): void {
    this.#isLate = true;
    const { pool, engine } = this.#placement!;
    pool.board.observeWait(engine.slot, waitedMs);
    const ms = `${Math.round(waitedMs)} ms`;
    const cause = `no response after ${ms}, ${Math.round(lateMs)} ms is late for its length`;
    // A response in one piece may take any time, unless others have found that the engine does not work.
    const isLost = this.#isEarly || !pool.health.isHealthy(engine, this.#clock.wallMs());
    if (isLost && this.#leg.giveUp(cause)) {
      this.#patience *= patienceFactor;
      return;
    }
    // Without another engine a late response is better than none.
    this.failed(false, true);
    this.#lookAgainIn(lateMs);
  }

  /** @param tookMs what the engine that served the request took for its first byte */
  #served(tookMs: number, nowMs: number): void {
    for (const one of this.#failures ?? []) {
      // It had less time than the other engine needed.
      if (one.waitedMs <= tookMs) this.#forgive(one);
      else if (!one.isCounted) one.pool.failed(one.engine, nowMs);
    }
    this.#failures = undefined;
  }

  #forgive(failure: Failure): void {
    if (failure.isCounted) failure.pool.health.forgive(failure.engine);
    failure.isCounted = false;
  }

  #lateMs(): number {
    const { pool, lease } = this.#placement!;
    return this.#patience * lateAfterMs(pool, this.#isEarly, lease.tokens);
  }

  #look(): void {
    const { pool, engine } = this.#placement!;
    this.#silentSinceMs = this.#clock.wallMs();
    this.#tokensThen = pool.board.responseTokens(engine.slot);
  }

  /** Whether the engine has responded to nobody since, and none of its streams goes on. */
  #isSilent(): boolean {
    const { board } = this.#placement!.pool;
    const { slot } = this.#placement!.engine;
    return (
      board.usual.respondedAt(slot) < this.#silentSinceMs &&
      board.responseTokens(slot) === this.#tokensThen
    );
  }

  #lookAgainIn(ms: number): void {
    this.deadlineMs = this.#deadlines!.dueIn(ms);
  }

  #stopWatching(): void {
    if (this.deadlineIndex >= 0) this.#deadlines?.remove(this);
  }
}
