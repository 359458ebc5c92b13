/**
 * Frees the KV cache of an attempt that is over: waits for what the prefill engine has already responded, then sends a
 * decode engine a request that frees it. Nobody waits for it: it has its own bounds in time and number.
 */
import { Edits } from "../../../body/edit/splice.ts";
import type { DialectRequest, KvTransfer } from "../../../dialects/dialect.ts";
import { askForOneToken, askForOneTokenStreamed } from "../../../dialects/shared/one-token.ts";
import { kvDrainTimeoutMs, kvReleaseTimeoutMs, kvReleaseTriesMax } from "../../../limits.ts";
import type { Engine } from "../../../pool/engine.ts";
import type { Pool } from "../../../pool/pool.ts";
import type { Expirable } from "../../../transport/deadlines.ts";
import type { RequestContext } from "../../context/request-context.ts";
import type { CollectedBody } from "../../response/body/collected-body.ts";
import type { Destination, Route } from "../../routing/route.ts";
import type { EngineConnection } from "../../upstream/connection/engine-connection.ts";
import type { EngineFailure } from "../../upstream/connection/engine-failure.ts";
import { type LegSender, sendLegMessage } from "../../upstream/leg-message.ts";
import type { ExchangeRequest } from "../driver/exchange-services.ts";
import { rankLine } from "../legs/leg-engines.ts";
import type { KvLedger } from "./kv-ledger.ts";
import type { KvObligation, PrefillEnd } from "./kv-obligation.ts";

/** An attempt that is over, with all that is needed to free its KV cache. */
export interface DroppedAttempt {
  readonly obligation: KvObligation;
  readonly request: ExchangeRequest;
  readonly route: Route;
  readonly dialectRequest: DialectRequest;
  readonly transfer: KvTransfer;
  readonly prefill: Engine;
  /** Where its decode would have gone; undefined = the route leads to no pool. */
  readonly destination: Destination | undefined;
  /** Its decode engine; undefined = none was chosen. */
  readonly decode: Engine | undefined;
  /** A decode engine that has failed. It is asked last. */
  readonly failed: Engine | undefined;
  /** It did not respond in time. Asking it again would only keep the request's body for longer. */
  readonly isSilent: boolean;
  /** Whether the transfer names that engine, so that no other can free the KV cache. */
  readonly isBoundToDecode: boolean;
  /** What has come of the prefill's response. */
  readonly response: CollectedBody;
}

export class KvReleaser implements LegSender, Expirable {
  deadlineMs = Number.POSITIVE_INFINITY;
  deadlineIndex = -1;
  engine: Engine | undefined;
  readonly #attempt: DroppedAttempt;
  readonly #ledger: KvLedger;
  /** The request's goes on: to an error page, or to the client's next request. */
  readonly #context: RequestContext;
  readonly #tried: Engine[] = [];
  #connection: EngineConnection | undefined;
  #isDraining = false;
  #isResent = false;

  constructor(attempt: DroppedAttempt, ledger: KvLedger) {
    this.#attempt = attempt;
    this.#ledger = ledger;
    this.#context = attempt.request.context.snapshot();
  }

  get pool(): Pool | undefined {
    return this.#attempt.destination?.pool;
  }

  get uri(): string {
    return this.#attempt.destination?.uri ?? "";
  }

  /** The prefill's response may be on its way. */
  drain(connection: EngineConnection): void {
    if (!this.#start(kvDrainTimeoutMs)) {
      connection.cancel();
      return;
    }
    this.#connection = connection;
    this.#isDraining = true;
    connection.hangUp(this);
  }

  /** The engine holds the KV cache, and is not going to be asked for it. */
  release(): void {
    if (this.#start(kvReleaseTimeoutMs)) this.#tryNext();
  }

  expired(): void {
    this.#connection?.cancel();
    if (this.#isDraining) this.#drained(this.#attempt.response.isEmpty ? "none" : "cut");
    else this.#end(false);
  }

  sent(): void {}

  legConnected(): void {}

  legHead(connection: EngineConnection): void {
    const { status } = connection.head;
    if (this.#isDraining) {
      if (status < 300) return;
      connection.cancel();
      this.#drained("empty");
      return;
    }
    // The request is in the engine: cancelled now it frees the KV cache, or has fetched it.
    connection.cancel();
    if (status < 300) this.#end(true);
    else this.#tryNext();
  }

  legBody(connection: EngineConnection, chunk: Buffer, start: number, end: number): void {
    const { request, response } = this.#attempt;
    if (request.body.hold(end - start) && response.add(connection, chunk, start, end)) return;
    connection.cancel();
    this.#drained("cut");
  }

  legEnded(): void {
    const { transfer, response } = this.#attempt;
    const isHeld = transfer.prefillResponded(response.bytes) === undefined;
    this.#drained(isHeld ? "held" : "empty");
  }

  legFailed(connection: EngineConnection, { stale }: EngineFailure): void {
    if (this.#isDraining) {
      this.#drained(connection.bytesReceived === 0 ? "none" : "cut");
    } else if (stale && !this.#isResent) {
      this.#isResent = true;
      this.#send(true);
    } else this.#tryNext();
  }

  #start(timeoutMs: number): boolean {
    const { obligation, request } = this.#attempt;
    if (!this.#ledger.startRelease()) {
      obligation.released(false);
      return false;
    }
    request.body.keep();
    this.#expireIn(timeoutMs);
    request.worker.deadlines.add(this);
    return true;
  }

  #expireIn(timeoutMs: number): void {
    this.deadlineMs = this.#attempt.request.worker.deadlines.dueIn(timeoutMs);
  }

  #drained(how: PrefillEnd): void {
    this.#isDraining = false;
    this.#connection = undefined;
    if (this.#attempt.obligation.drained(how) === "release") {
      this.#expireIn(kvReleaseTimeoutMs);
      this.#tryNext();
    } else this.#close();
  }

  #tryNext(): void {
    this.#connection = undefined;
    this.#isResent = false;
    this.engine = this.#tried.length < kvReleaseTriesMax ? this.#nextEngine() : undefined;
    if (this.engine === undefined) {
      this.#end(false);
      return;
    }
    this.#tried.push(this.engine);
    this.#send(false);
  }

  /** The attempt's own decode engine, or else one with few requests. Nothing else goes by this request. */
  #nextEngine(): Engine | undefined {
    const { destination, decode, failed, isSilent, isBoundToDecode } = this.#attempt;
    if (destination === undefined) return undefined;
    if (decode !== undefined && decode !== failed && !this.#tried.includes(decode)) return decode;
    const other = isBoundToDecode ? undefined : this.#leastLoaded(destination.pool);
    if (other !== undefined || failed === undefined || isSilent) return other;
    return this.#tried.includes(failed) ? undefined : failed;
  }

  #leastLoaded(pool: Pool): Engine | undefined {
    const { failed, request } = this.#attempt;
    const isOut = (engine: Engine) => engine === failed || this.#tried.includes(engine);
    const nowMs = request.worker.clock.wallMs();
    let best: Engine | undefined;
    for (const engine of pool.engines) {
      if (isOut(engine) || !pool.isAvailable(engine, nowMs)) continue;
      if (best === undefined || pool.board.load(engine.slot) < pool.board.load(best.slot)) {
        best = engine;
      }
    }
    return best;
  }

  #send(fresh: boolean): void {
    const { request, route, dialectRequest, transfer, prefill } = this.#attempt;
    const { worker } = request;
    const context = this.#context;
    const { members } = dialectRequest;
    const engine = this.engine!;
    const pool = this.pool!;
    const engines = { prefill: prefill.info, decode: engine.info };
    edits.start(members);
    if (route.dialect.release!.by === "fetching-decode") askForOneToken(dialectRequest, edits);
    else askForOneTokenStreamed(dialectRequest, edits);
    transfer.decodeEdits(edits, engines);
    request.embeddings?.edit(members, edits);
    const transferId = transfer.requestId?.(engines);
    const message = {
      context,
      headers: route,
      timeouts: {
        connectTimeoutMs: route.config.connectTimeoutMs,
        sendTimeoutMs: kvReleaseTimeoutMs,
        readTimeoutMs: kvReleaseTimeoutMs,
      },
      edits,
      isRead: true,
      requestId: transferId ?? context.requestId,
      isTransferId: transferId !== undefined,
      lines: rankLine(this) + (transfer.headerLines?.("decode", engines) ?? ""),
    };
    this.#connection = worker.link(engine.address, pool).acquire(fresh);
    sendLegMessage(this, this.#connection, message, worker.scratch);
    edits.clear();
  }

  #end(isDone: boolean): void {
    this.#attempt.obligation.released(isDone);
    this.#close();
  }

  #close(): void {
    this.#connection = undefined;
    this.#attempt.request.worker.deadlines.remove(this);
    this.#attempt.request.body.letGo();
    this.#ledger.endRelease();
  }
}

/** Shared by all requests of the worker: edits are made and written within one call. */
const edits = new Edits();
