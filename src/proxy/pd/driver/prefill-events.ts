/** What comes of the prefill: the exchange, the queue and what of decode's response waits for it hear of it here. */

import type { Admission } from "../../admission/admission.ts";
import type { LegFailure } from "../../context/legs.ts";
import { finalReply } from "../../response/local/local-reply.ts";
import type { Route } from "../../routing/route.ts";
import type { EngineConnection } from "../../upstream/connection/engine-connection.ts";
import type { ResponseFault } from "../../upstream/connection/engine-failure.ts";
import type { Exchange } from "../exchange/exchange.ts";
import type { KvDuty } from "../kv/kv-duty.ts";
import type { Legs } from "../legs/legs.ts";
import type { Attempt } from "./attempt.ts";
import type { Delivery } from "./delivery.ts";
import type { ExchangeRequest } from "./exchange-services.ts";
import type { PrefillBody } from "./prefill-body.ts";
import { learnFromPrefill } from "./prefill-usage.ts";

export interface PrefillParts {
  readonly request: ExchangeRequest;
  readonly route: Route;
  readonly exchange: Exchange;
  readonly legs: Legs;
  readonly attempt: Attempt;
  readonly delivery: Delivery;
  /** Undefined = no engine holds a KV cache for this request. */
  readonly kv: KvDuty | undefined;
  readonly response: PrefillBody;
}

export class PrefillEvents {
  /** Undefined = nothing comes before an engine is picked. */
  admission: Admission | undefined;
  readonly #parts: PrefillParts;

  constructor(parts: PrefillParts) {
    this.#parts = parts;
  }

  /** The engine has responded with an error. @param isClients the request is what is wrong */
  refused(mayRetry: boolean, isClients: boolean): void {
    this.admission?.releasePrefill();
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
    const { response, kv } = this.#parts;
    if (response.add(source, chunk, start, end)) return;
    leg.cancel();
    kv?.prefillEnded("cut");
    this.#failed("invalid", false);
  }

  /** What is wrong with the whole response; undefined = nothing. */
  get fault(): ResponseFault | undefined {
    const { response, attempt, route, kv, exchange } = this.#parts;
    if (exchange.deliveringLeg === "prefill") return undefined;
    const onMissing = () => kv?.transferMissing() ?? "recompute";
    return response.read(attempt.transfer!, route.dialect, onMissing);
  }

  /** The response is whole, and is no failure. */
  ended(): void {
    const { response: body, request, legs, kv, exchange, delivery } = this.#parts;
    const { bytes: response, result } = body;
    learnFromPrefill(response, request.promptBytes, legs.targets, this.admission);
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
    this.admission?.releasePrefill();
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
