/** What a route's handler is given: the engine, and a request that has arrived in full. */

import type { EngineCore } from "../core/core.ts";
import type { Fault } from "../faults/fault.ts";
import type { Reply } from "../http/reply.ts";
import type { RequestLog } from "../http/request-log.ts";

export interface IncomingRequest {
  readonly method: string;
  readonly path: string;
  /** Without its question mark. */
  readonly query: string;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: Buffer;
  readonly reply: Reply;
  readonly fault: Fault | undefined;
  /** Runs `run` when the connection ends. */
  onDisconnect(run: () => void): void;
}

export interface RouteContext {
  readonly core: EngineCore;
  readonly log: RequestLog;
  /** Called when faults were set or cleared, because some of them concern the listener. */
  faultsChanged(): void;
}

export type Handler = (context: RouteContext, request: IncomingRequest) => void;
