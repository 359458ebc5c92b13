/**
 * The workers of a proxy on a simulated network, as the main thread keeps them: they share the scoreboard, and the queue
 * if there are several. A worker can die at any moment, as a thread does.
 */
import type { Config } from "../../src/config/schema/schema.ts";
import type { IdGenerator } from "../../src/dialects/dialect.ts";
import { MetricsMemory } from "../../src/observe/metrics/metrics-memory.ts";
import { Pool } from "../../src/pool/pool.ts";
import type { SlotsByIdentity } from "../../src/pool/slots.ts";
import type { Credentials } from "../../src/proxy/admission/tenants/credentials.ts";
import { Worker } from "../../src/proxy/worker/worker.ts";
import { QueueServer } from "../../src/queue/queue-server.ts";
import { RemoteQueue } from "../../src/queue/remote-queue.ts";
import { Scoreboard } from "../../src/scoreboard/scoreboard.ts";
import { TenantCounts } from "../../src/scoreboard/tenant-counts.ts";
import { seededRandom } from "../../src/simulated-engine/model/prng.ts";
import type { Clock } from "../../src/transport/clock.ts";
import type { MemoryNetwork } from "../../src/transport/memory.ts";
import type { MemorySocket } from "../../src/transport/memory-socket.ts";
import { noHandler, type Transport } from "../../src/transport/socket.ts";

interface WorkersDeps {
  readonly memory: SharedArrayBuffer;
  readonly shadowMemory: SharedArrayBuffer;
  readonly metricsMemory: SharedArrayBuffer;
  readonly tenantMemory: SharedArrayBuffer;
  random(): number;
  /** A worker is started. */
  started(worker: Worker, index: number): void;
  /** A line of the access log. */
  writeLine(line: string): void;
}

/** The same ones in each run. */
function seededIds(random: () => number): IdGenerator {
  const hex = (digits: number): string =>
    Array.from({ length: digits }, () => Math.floor(random() * 16).toString(16)).join("");
  return {
    uuid: () => [8, 4, 4, 4, 12].map(hex).join("-"),
    secret: () => hex(32),
    integer63: () => BigInt(`0x${hex(16)}`) >> 1n,
  };
}

/** One worker with all that dies with it. */
interface Life {
  readonly worker: Worker;
  readonly sockets: Set<MemorySocket>;
  isAlive: boolean;
  /** It runs no more, and its sockets stay open. */
  hangs: boolean;
  /** It does not get to run: what comes waits in the kernel. */
  isPaused: boolean;
}

/** How long a message takes between a worker and the main thread. */
const messageMs = 1;

/** Where decode engines call the first worker back; the next ones follow. */
export const firstCallbackPort = 81;

export class SimulatedWorkers {
  /** Of the error log, of all workers. */
  readonly logLines: string[] = [];
  readonly #network: MemoryNetwork;
  readonly #deps: WorkersDeps;
  readonly #lives: Life[];
  readonly #queue: QueueServer | undefined;
  readonly #count: number;
  /** Of ids: of its own, since how many there are should not change how the network behaves. */
  readonly #random = seededRandom(1);
  #serve: ((worker: Worker) => void) | undefined;
  #accepted = 0;

  constructor(network: MemoryNetwork, count: number, deps: WorkersDeps) {
    this.#network = network;
    this.#deps = deps;
    this.#count = count;
    if (count > 1) this.#queue = new QueueServer(network, () => {});
    this.#lives = Array.from({ length: count }, (_, index) => this.#start(index));
  }

  get all(): readonly Worker[] {
    return this.#lives.map(({ worker }) => worker);
  }

  /** Requests in the queue, wherever it is. */
  get queueSize(): number {
    const own = this.#lives.reduce((sum, { worker }) => sum + worker.queueSize, 0);
    return own + (this.#queue?.pools.size ?? 0);
  }

  apply(config: Config, slots: SlotsByIdentity, credentials?: Credentials): void {
    const { memory, random } = this.#deps;
    if (this.#queue !== undefined) {
      const board = new Scoreboard(memory, 0);
      const pools = Object.entries(config.pools).map(
        ([name, pool]) => new Pool(name, pool, { board, slots, random }),
      );
      this.#queue.pools.use(pools);
    }
    this.#serve = (worker) => worker.apply(config, slots, credentials);
    for (const { worker } of this.#lives) this.#serve(worker);
  }

  /** The system gives each connection to one of the workers. */
  accept(socket: MemorySocket, listenKey: string): void {
    this.#accepted += 1;
    const life = this.#lives[this.#accepted % this.#lives.length]!;
    life.sockets.add(socket);
    if (!life.hangs) life.worker.accept(socket, listenKey);
  }

  /** A decode engine calls one of them back. */
  acceptCaller(socket: MemorySocket, index: number): void {
    const life = this.#lives[index]!;
    life.sockets.add(socket);
    if (!life.hangs) life.worker.acceptCaller(socket);
  }

  tick(): void {
    for (const { worker, hangs, isPaused } of this.#lives) if (!hangs && !isPaused) worker.tick();
    this.#queue?.tick();
  }

  /** The worker does not get to run until `resume`. Nobody connects meanwhile. */
  pause(index: number): void {
    const life = this.#lives[index]!;
    life.isPaused = true;
    for (const socket of life.sockets) socket.pause();
  }

  /** As in an event loop, what is due runs before what has come is read. */
  resume(index: number): void {
    const life = this.#lives[index]!;
    life.isPaused = false;
    life.worker.tick();
    for (const socket of life.sockets) socket.resume();
  }

  /** The worker does nothing more, until it is killed. */
  hang(index: number): void {
    const life = this.#lives[index]!;
    life.isAlive = false;
    life.hangs = true;
    for (const socket of life.sockets) {
      socket.handler = noHandler;
      socket.pause();
    }
  }

  /** The worker dies now, in the middle of whatever it does, and another one takes its place. */
  kill(index: number): void {
    const { memory, shadowMemory } = this.#deps;
    const life = this.#lives[index]!;
    life.isAlive = false;
    for (const socket of life.sockets) {
      if (socket.closed) continue;
      socket.handler = noHandler;
      socket.reset();
    }
    for (const shared of [memory, shadowMemory]) new Scoreboard(shared, index).closeRow(index);
    this.#metrics(index).closeRow(index);
    this.#tenants(index).closeRow(index);
    this.#queue?.workerEnded(index);
    this.#lives[index] = this.#start(index);
    this.#serve?.(this.#lives[index].worker);
  }

  #start(index: number): Life {
    const { memory, shadowMemory, random, writeLine } = this.#deps;
    const network = this.#network;
    const sockets = new Set<MemorySocket>();
    const isAlive = (): boolean => life.isAlive;
    const clock: Clock = {
      nowMs: () => network.nowMs(),
      wallMs: () => network.wallMs(),
      defer: (task) => network.defer(() => isAlive() && task()),
    };
    const transport: Transport = {
      listen: (address, onSocket) => network.listen(address, onSocket),
      connect: (address, handler) => {
        const socket = network.connect(address, handler);
        sockets.add(socket);
        return socket;
      },
    };
    const queue = this.#queue && this.#remoteQueue(this.#queue, index, isAlive);
    const worker = new Worker({
      transport,
      clock,
      board: new Scoreboard(memory, index),
      shadowBoard: new Scoreboard(shadowMemory, index),
      metrics: this.#metrics(index),
      tenants: this.#tenants(index),
      random,
      ids: seededIds(this.#random),
      ...(queue && { queue }),
      openLog: () => ({ write: (line) => isAlive() && writeLine(line.trimEnd()) }),
      log: (_, line) => void this.logLines.push(line),
    });
    const port = firstCallbackPort + index;
    this.#deps.started(worker, index);
    worker.callbacks.listensAt({ host: "proxy", externalHost: "no.where", port });
    const life: Life = { worker, sockets, isAlive: true, hangs: false, isPaused: false };
    return life;
  }

  #metrics(index: number): MetricsMemory {
    return new MetricsMemory(this.#deps.metricsMemory, this.#count, index);
  }

  #tenants(index: number): TenantCounts {
    return new TenantCounts(this.#deps.tenantMemory, this.#count, index);
  }

  #remoteQueue(server: QueueServer, index: number, isAlive: () => boolean): RemoteQueue {
    const remote: RemoteQueue = new RemoteQueue((message) => {
      const sent = structuredClone(message);
      this.#network.after(messageMs, () => {
        if (!isAlive()) return;
        server.receive(index, sent, (reply) => {
          const back = structuredClone(reply);
          this.#network.after(messageMs, () => isAlive() && remote.receive(back));
        });
      });
    });
    return remote;
  }
}
