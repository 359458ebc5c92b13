/**
 * One leg of a request: its engine, its connection, its lease. Sends once more by itself where a pooled connection was
 * stale.
 */
import type { PickRequest } from "../../policies/shared/policy.ts";
import type { Engine } from "../../pool/engine.ts";
import type { PickFailure, Placement, Pool } from "../../pool/pool.ts";
import type { RequestLeg } from "../../scoreboard/leg-counts.ts";
import type { Clock } from "../../transport/clock.ts";
import type { Explanation } from "../context/explained/explanation.ts";
import { type LegFailure, type LegRecord, newLegRecord } from "../context/legs.ts";
import type { LegOwner } from "./connection/connection-owner.ts";
import type { EngineConnection } from "./connection/engine-connection.ts";
import type { EngineFailure, ResponseFault } from "./connection/engine-failure.ts";
import { LegHealth } from "./leg-health.ts";
import { LegPlace } from "./leg-place.ts";
import type { LegServices } from "./leg-services.ts";
import { type StreamTokens, streamTokens } from "./stream-tokens.ts";
import type { Patience } from "./watched-leg.ts";

/** The request that a leg is part of. */
export interface LegRequest {
  readonly services: LegServices;
  /** Undefined = nobody asks why engines are chosen. */
  readonly explanation?: Explanation | undefined;
  /** Writes the request of this leg to the connection. */
  writeLeg(leg: Leg, connection: EngineConnection): void;
  legHead(leg: Leg, connection: EngineConnection): void;
  legBody(leg: Leg, connection: EngineConnection, chunk: Buffer, start: number, end: number): void;
  legEnded(leg: Leg): void;
  /** Whether the response may still turn out to be none. */
  isUndecided?(leg: Leg): boolean;
  /** Whether the head was all that the engine is judged by. */
  isFinal?(leg: Leg): boolean;
  /** What is wrong with a response that has come to its end; undefined = nothing. */
  faultOf?(leg: Leg): ResponseFault | undefined;
  /** @param connection open if its time was over, and may be taken over then */
  legFailed(leg: Leg, failure: LegFailure, unsent: boolean, connection: EngineConnection): void;
  /** Whether the request may be sent once more where a pooled connection was stale. */
  readonly mayBeResent: boolean;
  /** The leg at the other end of the KV transfer, if its engine may be why this leg fails or waits. */
  peerOf?(leg: Leg): Leg | undefined;
  /** Undefined = its legs are not late. */
  readonly patience?: Patience<Leg>;
}

/** Where each try is recorded. */
interface TryLog {
  addTry(leg: RequestLeg, record: LegRecord): void;
}

export class Leg implements LegOwner<EngineConnection> {
  readonly name: RequestLeg;
  /** Path and query for the engine. */
  uri = "";
  readonly health: LegHealth<Leg>;
  readonly #request: LegRequest;
  readonly #log: TryLog;
  readonly place: LegPlace;
  #connection: EngineConnection | undefined;
  #record: LegRecord | undefined;
  /** Of the response to the try under way. */
  #tokens: StreamTokens | undefined;
  #resent = false;
  #isReserved = false;
  #isRefused = false;
  #isBusy = false;
  #isSuspect = false;

  constructor(name: RequestLeg, request: LegRequest, log: TryLog) {
    this.name = name;
    this.#request = request;
    this.#log = log;
    this.health = new LegHealth(this, request);
    this.place = new LegPlace(name, request);
  }

  get #clock(): Clock {
    return this.#request.services.clock;
  }

  get engine(): Engine | undefined {
    return this.place.placement?.engine;
  }
  get pool(): Pool | undefined {
    return this.place.placement?.pool;
  }

  /** The connection that is carrying this leg now. */
  get connection(): EngineConnection | undefined {
    return this.#connection;
  }

  /** Whether another engine of the pool could be tried. Where none could, what this one said is better than nothing. */
  get mayTryAnother(): boolean {
    return this.place.hasOther;
  }

  /** Takes a place at an engine that this leg has not tried. */
  reserve(pool: Pool, uri: string, pick: PickRequest): PickFailure | undefined {
    const failure = this.place.take(pool, pick);
    if (failure === undefined) this.#reserved(uri);
    return failure;
  }

  /** Takes a place at this engine, if it has one. */
  reserveAt(pool: Pool, engine: Engine, uri: string, pick: PickRequest): boolean {
    const isTaken = this.place.takeAt(pool, engine, pick);
    if (isTaken) this.#reserved(uri);
    return isTaken;
  }

  #reserved(uri: string): void {
    this.uri = uri;
    this.#isRefused = false;
    this.#isBusy = false;
    this.#isSuspect = false;
    this.#isReserved = true;
  }

  /** Whether a place is taken where nothing was sent yet. */
  get isReserved(): boolean {
    return this.#isReserved;
  }

  /** Sends the request to the engine that is reserved. */
  start(): void {
    this.#isReserved = false;
    this.#resent = false;
    this.#send(this.place.placement!, false);
  }

  cancel(): void {
    this.detach()?.cancel();
  }

  /** As `cancel`, but the connection, if there is one, is the caller's to close. */
  detach(): EngineConnection | undefined {
    const connection = this.#connection;
    if (connection === undefined && !this.#isReserved) return undefined;
    // An engine that is no longer wanted has not failed, as far as is known: another attempt may go to it.
    const isSuspect = this.health.cancelled() && this.mayTryAnother;
    if (!this.#isRefused && !this.#isSuspect && !isSuspect) this.place.untry();
    this.#close();
    return connection;
  }

  /** The engine may be why the leg at the other end of the KV transfer has failed there: another one is tried next. */
  suspect(peer: Engine): void {
    this.place.avoid();
    this.#isSuspect = true;
    this.health.suspected(this.place.placement!, peer);
  }

  /** The engine has said that it has too much to do. @param forMs how long it wants no more requests */
  busy(forMs: number): void {
    this.pool!.board.setBusyUntil(this.engine!.slot, this.#clock.wallMs() + forMs);
    this.#isBusy = true;
  }

  /**
   * The engine's status is one for which the route tries another engine. As in nginx it counts as a failure, except 403
   * and 404; nor does backpressure.
   */
  refused(): void {
    this.#isRefused = true;
    if (!this.#isBusy) this.health.refused(this.#record?.status ?? 0);
  }

  legConnected(): void {
    if (this.#record !== undefined) this.#record.connectedMs = this.#clock.nowMs();
  }

  legHead(connection: EngineConnection): void {
    const record = this.#record!;
    record.headMs = this.#clock.nowMs();
    record.status = connection.head.status;
    record.headBytes = connection.head.fields.text.length;
    this.health.headCame(connection.head, record.headMs);
    if (record.status < 500) this.place.placement!.shadow?.responseStarted();
    this.#request.legHead(this, connection);
  }

  legBody(connection: EngineConnection, chunk: Buffer, start: number, end: number): void {
    this.#tokens ??= streamTokens(chunk, start, end);
    this.#tokens.add(end - start);
    this.#request.legBody(this, connection, chunk, start, end);
    if (this.#connection !== connection || this.#request.isUndecided?.(this)) return;
    this.health.bodyBegan();
    this.place.placement?.lease.addResponseTokens(this.#tokens.take());
  }

  legEnded(connection: EngineConnection): void {
    const fault = this.#request.faultOf?.(this);
    if (fault !== undefined) {
      this.legFailed(connection, { ...fault, stale: false, unsent: false });
      return;
    }
    const endMs = this.#clock.nowMs();
    if (!this.#isRefused) {
      this.place.untry();
      this.#observe(endMs);
    }
    this.#close(endMs);
    this.#request.legEnded(this);
  }

  legFailed(connection: EngineConnection, failure: EngineFailure): void {
    const placement = this.place.placement!;
    if (failure.stale && !this.#resent && this.#request.mayBeResent) {
      this.#resent = true;
      this.#send(placement, true);
      return;
    }
    // It may have waited for a KV cache that does not come.
    const hasWaited = (failure.kind === "timeout" && !failure.unsent) || failure.isError === true;
    if (failure.kind !== "descriptors" && !this.#request.isFinal?.(this))
      this.health.failed(failure.unsent && !this.#resent, hasWaited);
    placement.pool.board.legs.failed(placement.engine.slot, this.name, failure.kind);
    this.#request.services.reports.legFailed(placement, this.name, failure);
    // As nginx logs a try without a response.
    if (this.#record?.status === 0) this.#record.status = failure.kind === "timeout" ? 504 : 502;
    this.#close();
    // What broke the first connection may have read the request, and have taken the KV cache with it.
    const isUnsent = failure.unsent && !this.#resent;
    this.#request.legFailed(this, failure.kind, isUnsent, connection);
  }

  /** What the engine took for it. */
  #observe(endMs: number): void {
    const { pool, engine } = this.place.placement!;
    const { sentMs, headMs, status } = this.#record!;
    this.health.ended(status, endMs);
    if (status >= 400) return;
    pool.board.observe(engine.slot, headMs - sentMs, endMs - sentMs);
  }

  /** Nothing has come in time. Gives this try up if another engine may be tried; false = there is none. */
  giveUp(cause: string): boolean {
    if (this.#connection === undefined || !this.#request.patience?.mayTimeOut(this)) return false;
    this.place.late();
    this.fail({ kind: "timeout", cause });
    return true;
  }

  /** What comes is of no use: gives this try up. */
  fail(fault: ResponseFault): void {
    const connection = this.#connection!;
    if (fault.kind !== "timeout") connection.cancel();
    this.legFailed(connection, { ...fault, stale: false, unsent: false });
    connection.leave(this);
  }

  #send(placement: Placement, fresh: boolean): void {
    const { pool, engine } = placement;
    const connection = this.#request.services.link(engine.address, pool).acquire(fresh);
    this.#connection = connection;
    if (!fresh) {
      const sentMs = this.#clock.nowMs();
      const { key } = engine.address;
      const isConnected = !connection.connecting;
      this.#record = newLegRecord(key, sentMs, placement.lease.tokens, isConnected);
      this.#log.addTry(this.name, this.#record);
      this.health.sent(placement, connection.link.deadlines, sentMs);
    }
    this.#request.writeLeg(this, connection);
  }

  /** Bytes of the request as sent, for the log. */
  sent(bytes: number): void {
    if (this.#record !== undefined) this.#record.bytesSent = bytes;
  }

  /** Every way out comes through here. The lease closes once however often this runs. */
  #close(endMs = this.#clock.nowMs()): void {
    if (this.#record !== undefined) {
      const { pool, engine } = this.place.placement!;
      const { headMs, status } = this.#record;
      pool.board.legs.ended(engine.slot, this.name, headMs < 0 ? 0 : status);
      this.#record.endMs = endMs;
      this.#record.bytesReceived = this.#connection?.bytesReceived ?? 0;
    }
    this.health.closed();
    this.#record = undefined;
    this.#tokens = undefined;
    this.#connection = undefined;
    this.#isReserved = false;
    this.place.placement?.shadow?.close();
    this.place.placement?.lease.close();
  }
}
