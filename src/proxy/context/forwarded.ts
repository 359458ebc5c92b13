/** A request as the parts see it that forward it. */
import type { TopLevel } from "../../body/json/top-level.ts";
import type { Endpoint } from "../../dialects/endpoints/endpoint.ts";
import type { Embeddings } from "../../dialects/vllm/encoder.ts";
import type { ClientResponse } from "../response/client-response.ts";
import type { Server } from "../routing/routing.ts";
import type { Worker } from "../worker/worker.ts";
import type { Outcome } from "./outcomes.ts";
import type { RequestContext } from "./request-context.ts";

export interface Forwarded {
  readonly context: RequestContext;
  readonly worker: Worker;
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
  ended(outcome: Outcome): void;
}
