/** One worker thread as the main thread sees it: what it was told, what it answered, how it ended. */
import { Worker } from "node:worker_threads";
import { workerResponseTimeoutMs } from "../../limits.ts";
import type { DiscoveredByIdentity } from "../../pool/discovered-attributes.ts";
import type {
  BoundAddress,
  FromWorker,
  ToWorker,
  WorkerData,
  WorkerQuestion,
} from "../../proxy/worker/messages.ts";
import type { QueueMessage, QueueReply } from "../../queue/messages.ts";

export type ApplyMessage = Extract<ToWorker, { type: "apply" }>;

export type ApplyResponse =
  | { readonly addresses: readonly BoundAddress[] }
  | { readonly failed: string; readonly code: string };

/** A worker that does not answer within this time has failed. */
const applyTimeoutMs = 30_000;
/** Time for a worker to close everything before it is ended by force. */
const stopTimeoutMs = 2_000;

export class WorkerThread {
  readonly index: number;
  readonly startedMs = Date.now();
  /** Resolves once the thread is gone, with what ended it. */
  readonly ended: Promise<string>;
  readonly #worker: Worker;
  /** Who waits for the answer to which generation. */
  readonly #pending = new Map<number, (response: ApplyResponse) => void>();
  /** Who waits for the answer to which question. */
  readonly #asked = new Map<number, (response: unknown) => void>();
  #questions = 0;
  readonly #ask: (question: QueueMessage, response: (message: QueueReply) => void) => void;
  readonly #responseQuestion = (message: QueueReply) => this.#send(message);
  #onDrained: (() => void) | undefined;

  constructor(
    entry: URL,
    data: WorkerData,
    ask: (question: QueueMessage, response: (message: QueueReply) => void) => void,
  ) {
    this.#ask = ask;
    this.index = data.workerIndex;
    this.#worker = new Worker(entry, { workerData: data, name: `worker ${data.workerIndex}` });
    let cause: string | undefined;
    this.ended = new Promise((resolve) => {
      this.#worker.on("error", (error: Error) => {
        cause ??= error.stack ?? String(error);
      });
      this.#worker.once("exit", (code) => resolve(cause ?? `it ended with code ${code}`));
    });
    this.#worker.on("message", (message: FromWorker) => this.#receive(message));
    void this.ended.then((ending) => {
      const failed = `worker ${this.index} ended: ${ending}`;
      for (const reported of [...this.#asked.values()]) reported(undefined);
      for (const generation of this.#pending.keys()) {
        this.#response(generation, { failed, code: "GP_WORKER_ENDED" });
      }
    });
  }

  /** Hands over a configuration and waits until it is in force or refused. */
  apply(message: ApplyMessage): Promise<ApplyResponse> {
    const { generation } = message;
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        const failed = `worker ${this.index} did not answer within ${applyTimeoutMs / 1000} s`;
        this.#response(generation, { failed, code: "GP_WORKER_SILENT" });
      }, applyTimeoutMs);
      this.#pending.set(generation, (response) => {
        clearTimeout(timer);
        resolve(response);
      });
      this.#send(message);
    });
  }

  /** Stops accepting; resolves when nothing is in flight any more, or the thread is gone. */
  drain(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#onDrained = resolve;
      this.#send({ type: "drain", timeoutMs });
      void this.ended.then(() => resolve());
    });
  }

  /** What the worker says; undefined = it is gone, or has not answered in time. */
  ask(question: WorkerQuestion): Promise<unknown> {
    this.#questions += 1;
    const id = this.#questions;
    this.#send({ type: "asked", id, question });
    return new Promise((resolve) => {
      const reported = (response: unknown) => {
        this.#asked.delete(id);
        clearTimeout(timer);
        resolve(response);
      };
      const timer = setTimeout(() => reported(undefined), workerResponseTimeoutMs);
      this.#asked.set(id, reported);
    });
  }

  applyDiscovered(discovered: DiscoveredByIdentity): void {
    this.#send({ type: "facts", discovered });
  }

  reopen(): void {
    this.#send({ type: "reopen" });
  }

  /** Resolves when the thread is gone: by itself, or by force when it takes too long. */
  async stop(): Promise<void> {
    this.#send({ type: "stop" });
    const timer = setTimeout(() => this.kill(), stopTimeoutMs);
    await this.ended;
    clearTimeout(timer);
  }

  kill(): void {
    void this.#worker.terminate();
  }

  #send(message: ToWorker): void {
    this.#worker.postMessage(message);
  }

  #receive(message: FromWorker): void {
    switch (message.type) {
      case "listening":
        this.#response(message.generation, { addresses: message.addresses });
        break;
      case "failed":
        this.#response(message.generation, { failed: message.message, code: message.code });
        break;
      case "prompt":
      case "prompt-done":
      case "prompt-skipped":
      case "prompt-left":
      case "prompt-looked-up":
        this.#ask(message, this.#responseQuestion);
        break;
      case "told":
        this.#asked.get(message.id)?.(message.response);
        break;
      case "drained":
        this.#onDrained?.();
        break;
    }
  }

  #response(generation: number, response: ApplyResponse): void {
    const resolve = this.#pending.get(generation);
    this.#pending.delete(generation);
    resolve?.(response);
  }
}
