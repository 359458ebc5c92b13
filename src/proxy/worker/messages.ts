/**
 * What the main thread and the worker threads say to each other. Plain data only: it crosses threads by structured
 * clone.
 */
import type { Config } from "../../config/schema/schema.ts";
import type { SpanBatch } from "../../observe/traces/span.ts";
import type { DiscoveredByIdentity } from "../../pool/discovered-attributes.ts";
import type { SlotsByIdentity } from "../../pool/slots.ts";
import type { QueueMessage, QueueReply } from "../../queue/messages.ts";
import type { Credentials } from "../admission/tenants/credentials.ts";
import type { ListeningSocket } from "../client/listeners.ts";
import type { PageQuestion, PageReply } from "./remote-pages.ts";

/** An address as it is bound: with the real port where the configuration says 0. */
export type BoundAddress =
  | { readonly host: string; readonly port: number }
  | { readonly unixPath: string };

/**
 * Client connections without a request, in a drain: they are closed, or, if another process serves on, may still bring
 * one request as long as they would have been kept.
 */
export type IdleClients = "close" | "keep";

/** `workerData` of a worker thread. The first configuration comes as an `apply` message. */
export interface WorkerData {
  /** This worker's row in the scoreboard, from 0. */
  readonly workerIndex: number;
  readonly workers: number;
  /** The memory of the scoreboard, to be given to `new Scoreboard(memory, workerIndex)`. */
  readonly scoreboard: SharedArrayBuffer;
  /** Of another one, of the same size, for the second policies that follow those that decide. */
  readonly shadows: SharedArrayBuffer;
  /** Where metrics are counted, for `new MetricsMemory(memory, workers, workerIndex)`. */
  readonly metrics: SharedArrayBuffer;
  /** What tenants use, for `new TenantCounts(memory, workers, workerIndex)`. */
  readonly tenants: SharedArrayBuffer;
  /** What clients use of limits of routes, for `new ZoneCounts(memory, workers, workerIndex)`. */
  readonly zones: SharedArrayBuffer;
  /** An Int32 of each worker, which it counts up every `deadlineTickMs` as long as it does not hang. */
  readonly heartbeats: SharedArrayBuffer;
  /** Listening sockets of the process from which this one takes over; undefined = it takes over from none. */
  readonly inherited?: readonly ListeningSocket[];
}

/** What an operator may want to know of a worker. Each kind has a reply of its own. */
export type WorkerQuestion =
  /** Of one request: `Explained`, or undefined where it is not known. */
  | { readonly about: "request"; readonly requestId: string }
  /** Of those that have ended: `RequestLists`, or undefined where none are kept. */
  | { readonly about: "requests" }
  /** About what waits, and the engines' caches: `QueueState`, or undefined if the queue is in the main thread. */
  | { readonly about: "queues" }
  /** About its listening sockets, for the next process: `ListeningSocket[]`. */
  | { readonly about: "sockets" }
  /** Of second policies: `ShadowReport[]`. */
  | { readonly about: "shadows" };

export type ToWorker =
  | QueueReply
  | PageReply
  /** Answered by `response` with the same id. */
  | { readonly type: "question"; readonly id: number; readonly question: WorkerQuestion }
  /**
   * Serve by this configuration from now on: the first one, or a reload. Answered by `listening` or `failed`. It is
   * ready to be used: no port is 0, `reusePort` is set where threads share a port, and a unix socket is given to worker
   * 0 alone (so that a server of another worker may have nothing to listen on).
   */
  | {
      readonly type: "apply";
      readonly config: Config;
      /** Counts up with each `apply`; the reply names it. */
      readonly generation: number;
      readonly slots: SlotsByIdentity;
      readonly discovered: DiscoveredByIdentity;
      readonly credentials: Credentials;
    }
  /** Keys of clients or engines have been read again. */
  | { readonly type: "credentials"; readonly credentials: Credentials }
  /** The issuer of tokens has been asked for keys. New ones have come as `credentials` before. */
  | { readonly type: "issuer-keys-asked" }
  /** What is known of the engines now, in place of what was known before. */
  | { readonly type: "discovered"; readonly discovered: DiscoveredByIdentity }
  /** Stop accepting, finish what is in flight, then say `drained`. `timeoutMs` 0 = as long as it takes. */
  | { readonly type: "drain"; readonly timeoutMs: number; readonly idle: IdleClients }
  /** Close everything at once; the worker then ends by itself. */
  | { readonly type: "stop" }
  /** Open the log files again, since they were moved. */
  | { readonly type: "reopen" };

export type FromWorker =
  | QueueMessage
  | PageQuestion
  /** A token is signed with a key that is not known. Answered by `issuer-keys-asked`. */
  | { readonly type: "issuer-keys-wanted" }
  | {
      readonly type: "listening";
      readonly generation: number;
      readonly addresses: readonly BoundAddress[];
    }
  /** The generation could not be applied; the one before stays in force. */
  | {
      readonly type: "failed";
      readonly generation: number;
      /** As nginx words it: `bind() to 0.0.0.0:85 failed (98: Address already in use)`. */
      readonly message: string;
      /** The system's code, such as `EADDRINUSE`, or the proxy's own. */
      readonly code: string;
    }
  | { readonly type: "response"; readonly id: number; readonly response: unknown }
  /** Of requests that have ended. */
  | { readonly type: "spans"; readonly batch: SpanBatch }
  | { readonly type: "drained" };
