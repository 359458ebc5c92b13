/** What the tries of one leg say of their engines: success, failure, or lateness. */

import type { ResponseHead } from "../../http1/head/response-head.ts";
import { latenessLooks, patienceFactor } from "../../limits.ts";
import type { Engine } from "../../pool/engine.ts";
import { firstLookMs, lateMsOf, observeFirstByte } from "../../pool/health/lateness.ts";
import type { Placement } from "../../pool/pool.ts";
import type { Clock } from "../../transport/clock.ts";
import type { Deadlines, Expirable } from "../../transport/deadlines.ts";
import { endsSoon, hasEvents } from "../response/body/stream-marks.ts";
import { Blame } from "./blame.ts";
import { EngineSilence } from "./engine-silence.ts";
import { PeerWait } from "./peer-wait.ts";
import type { AwaitedHealth, WatchedLeg, WatchedRequest } from "./watched-leg.ts";

export class LegHealth<Leg extends WatchedLeg> implements AwaitedHealth, Expirable {
  deadlineMs = Number.POSITIVE_INFINITY;
  deadlineIndex = -1;
  readonly #leg: Leg;
  readonly #request: WatchedRequest<Leg>;
  #placement: Placement | undefined;
  #deadlines: Deadlines | undefined;
  #sentMs = 0;
  readonly #silence = new EngineSilence();
  isLate = false;
  #peerWait: PeerWait | undefined;
  /** The last failure may be that of the engine at the other end of the KV transfer. */
  mayBePeers = false;
  /** The engine has refused this request, and others before that no other engine has seen. */
  isDoubted = false;
  /** Of the response under way: something of its body is here, or its status says enough. */
  hasResponded = false;
  #head: ResponseHead | undefined;
  #patience = 1;
  /** Undefined = no try of this leg has failed. */
  #blame: Blame | undefined;

  constructor(leg: Leg, request: WatchedRequest<Leg>) {
    this.#leg = leg;
    this.#request = request;
  }

  get #clock(): Clock {
    return this.#request.services.clock;
  }

  /** What is short shows at its end whether it is what it should be, and that is soon. */
  get #showsAtEnd(): boolean {
    return this.#leg.name === "prefill" || endsSoon(this.#head!);
  }

  /** Whether the first byte of the response comes before the last token. */
  get #isEarly(): boolean {
    return this.#leg.name !== "decode" || (this.#request.patience?.asksForStream ?? false);
  }

  get #awaited(): AwaitedHealth | undefined {
    return this.#request.patience?.awaited(this.#leg);
  }

  /** The request is sent. @param nowMs by the clock of this leg, which reads it anyway: a reading costs 50 ns */
  sent(placement: Placement, deadlines: Deadlines, nowMs: number): void {
    this.#placement = placement;
    this.#sentMs = nowMs;
    this.isLate = false;
    this.#peerWait = undefined;
    this.mayBePeers = false;
    this.isDoubted = false;
    this.hasResponded = false;
    if (placement.pool.health.blamesRequests)
      this.#silence.start(placement, deadlines, nowMs, this.#clock.wallMs());
    if (firstLookMs(placement.pool) === 0) return;
    this.#deadlines = deadlines;
    this.#lookAgain();
    deadlines.add(this);
  }

  /**
   * The head is here. An engine may send that of a stream long before there is a token, or without ever having one.
   * @param headMs when, by the clock that does not jump
   */
  headCame(head: ResponseHead, headMs: number): void {
    const { status } = head;
    this.#head = head;
    if (status < 300) return;
    const { pool, engine } = this.#placement!;
    const wallMs = this.#clock.wallMs();
    this.#responded(wallMs);
    // As engines say that a KV cache could not be had; any other status is about themselves.
    if (pool.health.isFailure(status, false)) this.failed(false, status === 500);
    else if (status < 500) {
      const tookMs = headMs - this.#sentMs;
      this.isDoubted = status !== 429 && pool.health.refuses(engine);
      if (!this.isDoubted) pool.succeeded(engine, wallMs, tookMs);
      if (status !== 429) this.#blame?.refused(tookMs, wallMs);
    }
  }

  /**
   * Some of the body is here, and not known to be junk. Reported at once rather than at the response's end: an engine
   * that is back takes its share before its first long stream is over.
   */
  bodyBegan(): void {
    if (this.hasResponded) return;
    if (this.#showsAtEnd && firstLookMs(this.#placement!.pool) === 0) return;
    const wallMs = this.#clock.wallMs();
    this.#responded(wallMs);
    if (!this.#showsAtEnd) this.#served(this.#clock.nowMs() - this.#sentMs, wallMs);
    this.#observe();
  }

  /** The response is whole, and what it should be. @param nowMs as `headMs` */
  ended(status: number, nowMs: number): void {
    if (status >= 300 || (this.hasResponded && !this.#showsAtEnd)) return;
    if (!this.hasResponded) this.#observe();
    const wallMs = this.#clock.wallMs();
    this.#responded(wallMs);
    this.#served(nowMs - this.#sentMs, wallMs);
  }

  #observe(): void {
    const { pool, lease } = this.#placement!;
    const isEarly = this.#leg.name !== "decode" || hasEvents(this.#head!.fields);
    observeFirstByte(pool, isEarly, lease.tokens, this.#waitedMs);
  }

  #served(tookMs: number, wallMs: number): void {
    const { pool, engine } = this.#placement!;
    pool.succeeded(engine, wallMs, tookMs);
    this.#blame?.served(tookMs, wallMs);
  }

  /** The engine has shown that it works, or at least that it responds. */
  #responded(wallMs: number): void {
    if (this.hasResponded) return;
    this.hasResponded = true;
    if (this.#placement!.pool.health.blamesRequests) this.#silence.responded(wallMs);
    // A prefill is of use when all of it is here.
    if (this.#leg.name !== "prefill") this.#stopWatching();
  }

  /** The route tries another engine because of the response's status. */
  refused(status: number): void {
    const { health } = this.#placement!.pool;
    // Behind 200 an engine has said that it failed.
    const isError = status < 300 || status === 500;
    if (isError || this.isDoubted || health.isFailure(status, true)) this.failed(false, isError);
  }

  /**
   * @param isUnsent the engine cannot have seen the request: then it is not the request's fault
   * @param isOfPeer the engine at the other end of the KV transfer may have failed instead
   */
  failed(isUnsent: boolean, isOfPeer: boolean): void {
    const { pool, engine } = this.#placement!;
    // Whether an engine that is still awaited is the reason shows by itself.
    const hasPeer = isOfPeer && (this.#awaited === undefined || !this.#isSuspect);
    const peer = hasPeer ? this.#peer?.engine : undefined;
    const nowMs = this.#clock.wallMs();
    if (isUnsent || !pool.health.blamesRequests) {
      pool.failed(engine, nowMs, peer, isUnsent ? "unsent" : "failed");
      return;
    }
    // Decode that fails shows soon by itself whether the prefill engine does.
    this.mayBePeers ||= peer !== undefined && this.#leg.name === "prefill";
    const failed = this.isDoubted ? "refused" : "failed";
    this.#blame ??= new Blame();
    if (this.isLate) this.#blame.failed(this.#placement!, nowMs, peer, "late", this.#waitedMs);
    else this.#blame.failed(this.#placement!, nowMs, peer, failed);
  }

  /** The leg at the other end has failed at `peer`: perhaps because of this leg's engine. */
  suspected(placement: Placement, peer: Engine): void {
    this.#blame ??= new Blame();
    this.#blame.failed(placement, this.#clock.wallMs(), peer, "failed");
  }

  get #peer(): Placement | undefined {
    return this.#request.peerOf?.(this.#leg)?.place.placement;
  }

  /**
   * The request is not wanted any more. How long it has waited counts all the same.
   * @returns whether the engine may be the reason
   */
  cancelled(): boolean {
    if (this.deadlineIndex < 0) return false;
    const { pool, engine } = this.#placement!;
    const waitedMs = this.#waitedMs;
    pool.board.observeWait(engine.slot, waitedMs);
    // What it waited for was late as well: then it has waited long enough.
    const isSecond = this.#awaited?.isLate ?? false;
    const lateMs = isSecond ? firstLookMs(pool) : this.#lateMs();
    if (waitedMs < lateMs || !this.#isSilentFor(lateMs) || !this.#isSuspect) return false;
    this.isLate = true;
    this.failed(false, true);
    return true;
  }

  /** The engine has called the proxy back for this leg. */
  calledBack(): void {
    if (this.deadlineIndex >= 0) this.#silence.responded(this.#clock.wallMs());
  }

  closed(): void {
    this.#stopWatching();
    this.#head = undefined;
  }

  /** Time to look whether the response is late. */
  expired(): void {
    const waitedMs = this.#waitedMs;
    const lateMs = this.#lateMs();
    if (waitedMs >= lateMs && this.#isSilentFor(lateMs) && this.#isSuspect)
      this.#late(waitedMs, lateMs);
    else if (!this.#waitsForPeer(waitedMs) || !this.#giveUpPair(waitedMs)) this.#lookAgain();
  }

  /** Whether the engine may work, and the one at the other end of the KV transfer does not. */
  #waitsForPeer(waitedMs: number): boolean {
    const peer = this.hasResponded || this.#awaited !== undefined ? undefined : this.#peer;
    if (peer === undefined) return false;
    this.#peerWait ??= new PeerWait(peer, this.#deadlines!, this.#clock);
    const lateMs = this.#lateMs(true);
    return this.#peerWait.isVain(waitedMs, lateMs, this.#isEarly && this.isOvertaken);
  }

  #giveUpPair(waitedMs: number): boolean {
    this.mayBePeers = true;
    const isGivenUp = this.#giveUp(waitedMs, "the engine of the other leg is silent");
    if (!isGivenUp) this.mayBePeers = false;
    return isGivenUp;
  }

  #giveUp(waitedMs: number, reason: string): boolean {
    const isGivenUp = this.#leg.giveUp(`no response after ${Math.round(waitedMs)} ms, ${reason}`);
    if (isGivenUp) this.#patience *= patienceFactor;
    return isGivenUp;
  }

  #late(waitedMs: number, lateMs: number): void {
    const wasLate = this.isLate;
    const hasFailedOthers = this.#hasFailedOthers;
    this.isLate = true;
    const { pool, engine } = this.#placement!;
    if (!wasLate) pool.board.observeWait(engine.slot, waitedMs);
    // A response in one piece may take any time, unless others have found that the engine does not work.
    const isHealthy = pool.health.isHealthy(engine, this.#clock.wallMs());
    const isTrusted = isHealthy && !hasFailedOthers && this.#awaited === undefined;
    const isLost = this.#isEarly || !isTrusted;
    const reason = `${Math.round(lateMs)} ms is late for its length`;
    if (isLost && this.#giveUp(waitedMs, reason)) return;
    // Without another engine a late response is better than none.
    if (!wasLate) this.failed(false, true);
    this.#lookAgain();
  }

  /**
   * Whether the engine itself may be what a late response waits for. Legs that wait for each other are late together:
   * one whose engine responds to those behind it waits for the other one, and if neither does, both may be the reason.
   */
  get #isSuspect(): boolean {
    const awaited = this.#awaited;
    return awaited === undefined || awaited.isLate || awaited.isOvertaken;
  }

  get isOvertaken(): boolean {
    return this.#silence.isOvertaken;
  }

  #lateMs(isEarly = this.#isEarly): number {
    const lateMs = lateMsOf(this.#placement!, isEarly, this.#hasFailedOthers, this.#clock.wallMs());
    return this.#patience * lateMs;
  }

  /** Whether other requests have failed at the engine since its last response. */
  get #hasFailedOthers(): boolean {
    const { pool, engine } = this.#placement!;
    return pool.health.failuresOf(engine) > (this.isLate ? 1 : 0);
  }

  #isSilentFor(ms: number): boolean {
    return this.#silence.lastsMs(this.#clock.nowMs(), this.#clock.wallMs()) >= ms;
  }

  /** How long the try has waited while this worker ran. */
  get #waitedMs(): number {
    return this.#silence.waitedMs(this.#clock.nowMs());
  }

  /** So often that a hanging engine is found little later than its last sign of life allows. */
  #lookAgain(): void {
    this.deadlineMs = this.#deadlines!.dueIn(firstLookMs(this.#placement!.pool) / latenessLooks);
  }

  #stopWatching(): void {
    if (this.deadlineIndex >= 0) this.#deadlines?.remove(this);
  }
}
