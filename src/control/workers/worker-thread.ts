/** One worker thread as the main thread sees it: what was sent to it, what it responded, how it ended. */
import { Worker } from "node:worker_threads";
import type { SpanBatch } from "../../observe/traces/span.ts";
import type { DiscoveredByIdentity } from "../../pool/discovered-attributes.ts";
import type { Credentials } from "../../proxy/admission/tenants/credentials.ts";
import type { PageRequest, PageResponse } from "../../proxy/request/page-service.ts";
import type {
  BoundAddress,
  FromWorker,
  IdleClients,
  ToWorker,
  WorkerData,
  WorkerQuestion,
} from "../../proxy/worker/messages.ts";
import type { PageQuestion } from "../../proxy/worker/remote-pages.ts";
import type { QueueMessage, QueueReply } from "../../queue/messages.ts";
import { workerApplyTimeoutMs, workerResponseTimeoutMs, workerStopTimeoutMs } from "../limits.ts";

export type ApplyMessage = Extract<ToWorker, { type: "apply" }>;

export type ApplyResponse =
  | { readonly addresses: readonly BoundAddress[] }
  | { readonly failed: string; readonly code: string };

/** Takes what a worker sends to the queue in the main thread, and what to call with each reply. */
export type QueueReceiver = (message: QueueMessage, reply: (message: QueueReply) => void) => void;

/** Takes what a worker sends by itself. */
export interface WorkerReceiver {
  readonly queue: QueueReceiver;
  spans(batch: SpanBatch): void;
  /** Never rejects. */
  page(request: PageRequest): Promise<PageResponse>;
  /** A token needs a key that its issuer may have. Resolves when the issuer has been asked; never rejects. */
  issuerKeys(): Promise<void>;
}

export class WorkerThread {
  readonly index: number;
  /** Resolves with the cause once the thread has ended. */
  readonly ended: Promise<string>;
  readonly #worker: Worker;
  readonly #receiver: WorkerReceiver;
  readonly #reply = (message: QueueReply) => this.#send(message);
  /** Pending `apply` calls by generation. */
  readonly #applying = new Map<number, (response: ApplyResponse) => void>();
  /** Pending `ask` calls by id. */
  readonly #asking = new Map<number, (response: unknown) => void>();
  #lastQuestion = 0;
  #onDrained: (() => void) | undefined;
  /** Why this side ended it. */
  #killedFor: string | undefined;

  constructor(entry: URL, data: WorkerData, receiver: WorkerReceiver) {
    this.#receiver = receiver;
    this.index = data.workerIndex;
    this.#worker = new Worker(entry, { workerData: data, name: `worker ${data.workerIndex}` });
    let cause: string | undefined;
    this.ended = new Promise((resolve) => {
      this.#worker.on("error", (error: Error) => {
        cause ??= error.stack ?? String(error);
      });
      this.#worker.once("exit", (code) => {
        resolve(this.#killedFor ?? cause ?? `it ended with code ${code}`);
      });
    });
    this.#worker.on("message", (message: FromWorker) => this.#receive(message));
    void this.ended.then((why) => {
      const failed = `worker ${this.index} ended: ${why}`;
      for (const respond of [...this.#asking.values()]) respond(undefined);
      for (const generation of this.#applying.keys()) {
        this.#applied(generation, { failed, code: "GP_WORKER_ENDED" });
      }
    });
  }

  /** Sends a configuration. Resolves when the worker has applied or rejected it. */
  apply(message: ApplyMessage): Promise<ApplyResponse> {
    const { generation } = message;
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        const failed = `worker ${this.index} did not respond within ${workerApplyTimeoutMs / 1000} s`;
        this.#applied(generation, { failed, code: "GP_WORKER_SILENT" });
      }, workerApplyTimeoutMs);
      this.#applying.set(generation, (response) => {
        clearTimeout(timer);
        resolve(response);
      });
      this.#send(message);
    });
  }

  /** Stops accepting. Resolves when no request is in flight any more, or the thread has ended. */
  drain(timeoutMs: number, idle: IdleClients): Promise<void> {
    return new Promise((resolve) => {
      this.#onDrained = resolve;
      this.#send({ type: "drain", timeoutMs, idle });
      void this.ended.then(() => resolve());
    });
  }

  /** The worker's response; undefined = it has none, has ended, or did not respond in time. */
  ask(question: WorkerQuestion, timeoutMs: number = workerResponseTimeoutMs): Promise<unknown> {
    this.#lastQuestion += 1;
    const id = this.#lastQuestion;
    this.#send({ type: "question", id, question });
    return new Promise((resolve) => {
      const respond = (response: unknown) => {
        this.#asking.delete(id);
        clearTimeout(timer);
        resolve(response);
      };
      const timer = setTimeout(() => respond(undefined), timeoutMs);
      this.#asking.set(id, respond);
    });
  }

  applyDiscovered(discovered: DiscoveredByIdentity): void {
    this.#send({ type: "discovered", discovered });
  }

  applyCredentials(credentials: Credentials): void {
    this.#send({ type: "credentials", credentials });
  }

  reopen(): void {
    this.#send({ type: "reopen" });
  }

  /** Resolves when the thread has ended: by itself, or terminated if that takes too long. */
  async stop(): Promise<void> {
    this.#send({ type: "stop" });
    const timer = setTimeout(() => this.kill(), workerStopTimeoutMs);
    await this.ended;
    clearTimeout(timer);
  }

  /** Ends the thread wherever it is. @param cause for the log, if it hangs */
  kill(cause?: string): void {
    this.#killedFor ??= cause;
    void this.#worker.terminate();
  }

  get isHung(): boolean {
    return this.#killedFor !== undefined;
  }

  #send(message: ToWorker): void {
    this.#worker.postMessage(message);
  }

  #receive(message: FromWorker): void {
    switch (message.type) {
      case "listening":
        this.#applied(message.generation, { addresses: message.addresses });
        break;
      case "failed":
        this.#applied(message.generation, { failed: message.message, code: message.code });
        break;
      case "response":
        this.#asking.get(message.id)?.(message.response);
        break;
      case "drained":
        this.#onDrained?.();
        break;
      case "spans":
        this.#receiver.spans(message.batch);
        break;
      case "page":
        void this.#respond(message);
        break;
      case "issuer-keys-wanted":
        void this.#receiver.issuerKeys().then(() => this.#send({ type: "issuer-keys-asked" }));
        break;
      default:
        this.#receiver.queue(message, this.#reply);
    }
  }

  async #respond({ id, request }: PageQuestion): Promise<void> {
    this.#send({ type: "page", id, response: await this.#receiver.page(request) });
  }

  #applied(generation: number, response: ApplyResponse): void {
    const resolve = this.#applying.get(generation);
    this.#applying.delete(generation);
    resolve?.(response);
  }
}
