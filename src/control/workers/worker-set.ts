/** The worker threads of one instance: starts them, and hands configurations to them. */
import { randomBytes } from "node:crypto";
import type { DiscoveredByIdentity } from "../../pool/discovered-attributes.ts";
import type { ListeningSocket } from "../../proxy/client/listeners.ts";
import type { BoundAddress, WorkerData } from "../../proxy/worker/messages.ts";
import { upgradeSocketsTimeoutMs } from "../limits.ts";
import { ServeError } from "../serve-error.ts";
import type { AppliedConfig } from "./main-pools.ts";
import { configOfWorker, socketsByWorker, withRecordSalt } from "./ready-config.ts";
import { type QueueReceiver, type WorkerReceiver, WorkerThread } from "./worker-thread.ts";

export interface WorkerSetOptions extends Omit<WorkerReceiver, "queue"> {
  readonly entry: URL;
  /** What all workers share. */
  readonly shared: Omit<WorkerData, "workerIndex" | "inherited">;
  /** Listening sockets for the first start of each; undefined = there was no process before. */
  readonly inherited: readonly ListeningSocket[] | undefined;
  /** Takes what a worker sends to the queue in the main thread. */
  queue(worker: number, ...args: Parameters<QueueReceiver>): void;
}

export class WorkerSet {
  readonly #options: WorkerSetOptions;
  readonly #threads: (WorkerThread | undefined)[];
  readonly #recordSalt = randomBytes(16).toString("hex");
  #discovered: DiscoveredByIdentity = {};
  #generation = 0;

  constructor(options: WorkerSetOptions) {
    this.#options = options;
    this.#threads = new Array<WorkerThread | undefined>(options.shared.workers).fill(undefined);
  }

  get living(): WorkerThread[] {
    return this.#threads.filter((thread) => thread !== undefined);
  }

  startAll(): WorkerThread[] {
    const { inherited = [], shared } = this.#options;
    const sockets = socketsByWorker(inherited, shared.workers);
    return this.#threads.map((_, index) => this.start(index, sockets[index]));
  }

  /** @param sockets of the process before, which end with the first worker that has them */
  start(index: number, sockets: readonly ListeningSocket[] = []): WorkerThread {
    const { entry, shared, inherited, queue } = this.#options;
    const data = {
      ...shared,
      workerIndex: index,
      ...(inherited !== undefined && { inherited: sockets }),
    };
    const thread = new WorkerThread(entry, data, {
      ...this.#options,
      queue: (message, reply) => {
        // What a worker said last may come after another one has its place.
        if (this.#threads[index] === thread) queue(index, message, reply);
      },
    });
    this.#threads[index] = thread;
    void thread.ended.then(() => {
      if (this.#threads[index] === thread) this.#threads[index] = undefined;
    });
    return thread;
  }

  /** The listening sockets of all workers; undefined = one did not respond, or none is alive. */
  async sockets(): Promise<ListeningSocket[] | undefined> {
    const { living } = this;
    const timeoutMs = upgradeSocketsTimeoutMs;
    const responses = await Promise.all(
      living.map((thread) => thread.ask({ about: "sockets" }, timeoutMs)),
    );
    if (living.length === 0 || responses.includes(undefined)) return undefined;
    return (responses as ListeningSocket[][]).flat();
  }

  /** What was discovered about the engines. A worker that starts later gets it as well. */
  applyDiscovered(discovered: DiscoveredByIdentity): void {
    this.#discovered = discovered;
    for (const thread of this.living) thread.applyDiscovered(discovered);
  }

  /**
   * All of these workers must be able to serve it: otherwise rejects with `ServeError`.
   * @returns the addresses that the first of them has bound
   */
  async apply(
    threads: readonly WorkerThread[],
    { config, slots, credentials }: AppliedConfig,
  ): Promise<readonly BoundAddress[]> {
    this.#generation += 1;
    const generation = this.#generation;
    const responses = await Promise.all(
      threads.map((thread) =>
        thread.apply({
          type: "apply",
          config: withRecordSalt(configOfWorker(config, thread.index), this.#recordSalt),
          generation,
          slots,
          discovered: this.#discovered,
          credentials,
        }),
      ),
    );
    for (const response of responses) {
      if ("failed" in response) throw new ServeError(response.failed, response.code);
    }
    const [first] = responses;
    return first !== undefined && "addresses" in first ? first.addresses : [];
  }
}
