/** A request, and its worker, as the stages see them that forward the request to engines. */
import type { TopLevel } from "../../body/json/top-level.ts";
import type { IdGenerator } from "../../dialects/dialect.ts";
import type { Endpoint } from "../../dialects/endpoints/endpoint.ts";
import type { Embeddings } from "../../dialects/vllm/encoder.ts";
import type { Pool } from "../../pool/pool.ts";
import type { QueuePlace } from "../../queue/orderings/shared/ordering.ts";
import type { QueueService } from "../../queue/queue-service.ts";
import type { RequestCounts } from "../../scoreboard/request-counts.ts";
import type { Deadlines } from "../../transport/deadlines.ts";
import type { Outcome } from "../context/outcomes.ts";
import type { RequestContext } from "../context/request-context.ts";
import type { ClientResponse } from "../response/client-response.ts";
import type { ResponseServices } from "../response/response-writer.ts";
import type { Server } from "../routing/server.ts";
import type { Tokenizers } from "./connection/tokenizers.ts";
import type { LegServices } from "./leg-services.ts";

/** What the stages that forward requests need of their worker. */
export interface WorkerServices extends LegServices, ResponseServices {
  readonly deadlines: Deadlines;
  readonly ids: IdGenerator;
  /** What becomes of requests. */
  readonly counts: RequestCounts;
  /** How many bytes may wait for one client now. */
  readonly pending: { readonly perClientMax: number };
  /** Where requests of all workers wait. */
  readonly queue: QueueService;
  /**
   * False if no pool has anything to do before an engine is chosen except the queue: looking costs 3 % of a request.
   */
  readonly hasAdmissionSteps: boolean;
  readonly poolKeys: {
    /** Value of the pool's policy key template; "" = it has none. */
    policy(pool: Pool, context: RequestContext): string;
    /** The same for the pool's shadow policy; undefined = it has none. */
    shadow(pool: Pool, context: RequestContext): string | undefined;
    queue(pool: Pool, context: RequestContext): QueuePlace;
  };
  /** The engines that tokenise the pool's prompts; undefined = none. */
  tokenizers(pool: Pool): Tokenizers | undefined;
  /** Scans are as large as bodies have members, so they are reused. */
  takeTopLevel(): TopLevel;
  giveTopLevel(members: TopLevel): void;
}

export interface ForwardedRequest {
  readonly context: RequestContext;
  readonly worker: WorkerServices;
  readonly server: Server;
  readonly response: ClientResponse;
  /** The body's members, where a dialect may have a say in it. */
  readonly members: TopLevel | undefined;
  /** Where its images and the like are encoded; undefined = the route has no encode. */
  readonly embeddings: Embeddings | undefined;
  /** What is asked; undefined = nothing that a proxy treats in a way of its own. */
  readonly endpoint: Endpoint | undefined;
  /** Of the prompt, as far as its length says what it costs to compute. */
  readonly promptBytes: number;
  /** For the client in place of the engine's; 0 = the engine's. */
  readonly status: number;
  /** Bytes that the client has not read yet. */
  readonly pendingBytes: number;
  /** Counts bytes of responses that are held back; false = there is no memory for them. */
  readonly body: { hold(bytes: number): boolean };
  ended(outcome: Outcome): void;
}
