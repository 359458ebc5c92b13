/** What comes of the prefill: the exchange, the queue and what of decode's response waits for it hear of it here. */

import type { Admission } from "../../admission/admission.ts";
import type { LegFailure } from "../../context/legs.ts";
import { finalReply } from "../../response/local/local-reply.ts";
import type { EngineConnection } from "../../upstream/connection/engine-connection.ts";
import type { ResponseFault } from "../../upstream/connection/engine-failure.ts";
import type { Exchange } from "../exchange/exchange.ts";
import type { KvDuty, KvParts } from "../kv/kv-duty.ts";
import type { Delivery } from "./delivery.ts";
import type { PrefillBody } from "./prefill-body.ts";
import { learnFromPrefill } from "./prefill-usage.ts";

/** What of an exchange hears of it. */
export interface PrefillParts extends KvParts {
  readonly exchange: Exchange;
  readonly delivery: Delivery;
  /** Undefined = no engine holds a KV cache for this request. */
  readonly kv: KvDuty | undefined;
  /** Undefined = nothing comes before an engine is picked. */
  readonly admission: Admission | undefined;
}

export class PrefillEvents {
  readonly #parts: PrefillParts;
  readonly #response: PrefillBody;

  constructor(parts: PrefillParts, response: PrefillBody) {
    this.#parts = parts;
    this.#response = response;
  }

  /** The engine has responded with an error. @param isClients the request is what is wrong */
  refused(mayRetry: boolean, isClients: boolean): void {
    this.#parts.admission?.releasePrefill();
    this.#parts.exchange.prefillRefused(mayRetry, isClients);
    this.#neverComes();
  }

  /** A part of a response that is not the client's. */
  body(
    leg: { cancel(): void },
    source: EngineConnection,
    chunk: Buffer,
    start: number,
    end: number,
  ): void {
    if (this.#response.add(source, chunk, start, end)) return;
    leg.cancel();
    this.#parts.kv?.prefillEnded("cut");
    this.#failed("invalid", false);
  }

  /** What is wrong with the whole response; undefined = nothing. */
  get fault(): ResponseFault | undefined {
    const { attempt, route, kv, exchange } = this.#parts;
    if (exchange.deliveringLeg === "prefill") return undefined;
    return this.#response.read(attempt.transfer!, route.dialect, kv);
  }

  /** The response is whole, and is no failure. */
  ended(): void {
    const { request, legs, kv, exchange, delivery, admission } = this.#parts;
    const { bytes: response, result } = this.#response;
    const { placement } = legs.prefill!.place;
    learnFromPrefill(response, request, placement!, legs.targets, admission);
    const { reply, isMissing } = result;
    kv?.prefillEnded(reply === undefined && !isMissing ? "held" : "empty");
    if (reply === undefined) {
      // It is not the prefill's fault.
      if (!delivery.faults.replacesError(legs.decode)) exchange.prefillDone();
    } else {
      const isFirst = exchange.deliveringLeg === undefined && !exchange.resumes;
      if (isFirst) finalReply(request.response, request.context, reply);
      exchange.deliverPrefillResponse();
    }
    if (exchange.deliversDecode) delivery.prefillCame(response);
  }

  failed(failure: LegFailure, mayRetry: boolean): void {
    this.#parts.admission?.releasePrefill();
    this.#failed(failure, mayRetry);
  }

  #failed(failure: LegFailure, mayRetry: boolean): void {
    const { delivery, exchange } = this.#parts;
    delivery.retractUnsent();
    exchange.prefillFailed(failure, mayRetry);
    this.#neverComes();
  }

  /** If decode's response is on its way, it goes on without what the prefill would have told. */
  #neverComes(): void {
    const { exchange, delivery } = this.#parts;
    if (exchange.deliversDecode) delivery.prefillCame(undefined);
  }
}
