/** What the driver of an exchange needs of its worker and of the request beyond what legs and admission do. */
import type { Engine } from "../../../pool/engine.ts";
import type { Pool } from "../../../pool/pool.ts";
import type { RequestContext } from "../../context/request-context.ts";
import type { EngineConnection } from "../../upstream/connection/engine-connection.ts";
import type { ForwardedRequest, WorkerServices } from "../../upstream/forwarded-request.ts";
import type { LegReports } from "../../upstream/leg-services.ts";
import type { Callbacks } from "../callbacks.ts";
import type { KvLedger } from "../kv/kv-ledger.ts";

export interface ExchangeReports extends LegReports {
  /** A prefill engine has named no KV cache where its dialect has it do so. */
  transferMissing(pool: Pool, engine: Engine): void;
  /** Decode computes a prompt because no prefill could be had. */
  fellBack(context: RequestContext): void;
}

export interface ExchangeServices extends WorkerServices {
  /** Where decode engines call back for their prefill. */
  readonly callbacks: Callbacks;
  /** What prefill engines may hold for requests of this worker. */
  readonly kvLedger: KvLedger;
  readonly reports: ExchangeReports;
}

export interface ExchangeRequest extends ForwardedRequest {
  readonly worker: ExchangeServices;
  /** Its members stay as they are from `keep` to `letGo`, also after the request's end. */
  /** The connection has another protocol from now on. */
  upgraded(connection: EngineConnection): void;
  readonly body: ForwardedRequest["body"] & { keep(): void; letGo(): void };
}
