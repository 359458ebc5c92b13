/** The real service on a network in memory, with scripted engines and clients, in virtual time. */

import { expect } from "vitest";
import { type Config, type ConfigInput, configSchema } from "../../src/config/schema/schema.ts";
import { listenKey } from "../../src/config/values/listen-key.ts";
import { deadlineTickMs, relayPendingTotalBytesMax } from "../../src/limits.ts";
import { createMetricsMemory, MetricsMemory } from "../../src/observe/metrics/metrics-memory.ts";
import { SlotTable } from "../../src/pool/slots.ts";
import type { Credentials } from "../../src/proxy/admission/tenants/credentials.ts";
import type { Worker } from "../../src/proxy/worker/worker.ts";
import { beingRetried } from "../../src/scoreboard/request-counts.ts";
import { createScoreboardMemory, Scoreboard } from "../../src/scoreboard/scoreboard.ts";
import { createTenantMemory, TenantCounts } from "../../src/scoreboard/tenant-counts.ts";
import { seededRandom } from "../../src/simulated-engine/model/prng.ts";
import { MemoryNetwork } from "../../src/transport/memory.ts";
import type { MemoryOptions, MemorySocket } from "../../src/transport/memory-socket.ts";
import { Client, type ClientResponse, completion } from "./client.ts";
import { decodes, Engine, encodes, KvStore, prefills } from "./engine.ts";
import { KvAudit } from "./kv-audit.ts";
import type { Ask } from "./prompts.ts";
import { firstCallbackPort, SimulatedWorkers } from "./workers.ts";

type ServerInput = ConfigInput["servers"][number];
type RouteInput = ServerInput["routes"][number];
type PoolInput = NonNullable<ConfigInput["pools"]>[string];

export interface WorldOptions extends Partial<Omit<MemoryOptions, "random">> {
  readonly seed?: number;
  /** Of the proxy. */
  readonly workers?: number;
  /** How many engines of each kind. Where some encode, the route of all but completions has an encode and a prefill. */
  readonly encode?: number;
  readonly prefill?: number;
  readonly decode?: number;
  readonly route?: Partial<RouteInput>;
  /** Before the two that are always there: `/v1/completions` with a prefill, and all else to a decode engine. */
  readonly routes?: readonly RouteInput[];
  readonly server?: Partial<ServerInput>;
  readonly pool?: Partial<PoolInput>;
  /** Of all engines. */
  readonly engine?: Partial<NonNullable<PoolInput["engines"]>[number]>;
  readonly config?: Partial<ConfigInput>;
  /** As the main thread has read them. */
  /** What the handshake of each client has agreed on; undefined = there is none. */
  readonly handshake?: MemorySocket["tls"];
  readonly credentials?: Credentials;
}

/** Short, so that a silent engine costs few ticks; all different, so that one cannot pass for another. */
export const timeouts = {
  connectTimeoutMs: 300,
  readTimeoutMs: 1_000,
  bodyTimeoutMs: 700,
  clientSendTimeoutMs: 2_000,
} as const;
export const headerTimeoutMs = 500;
export const keepAliveTimeoutMs = 3_000;
const engineIdleMs = 1_500;

export class World {
  readonly network: MemoryNetwork;
  readonly workers: SimulatedWorkers;
  readonly board: Scoreboard;
  /** Of second policies, where a pool has one. */
  readonly shadowBoard: Scoreboard;
  readonly config: Config;
  /** What tenants use, over all workers. */
  readonly tenants: TenantCounts;
  /** What workers have counted. */
  readonly metrics: MetricsMemory;
  readonly kv = new KvStore();
  readonly kvAudit = new KvAudit();
  readonly encode: readonly Engine[];
  readonly prefill: readonly Engine[];
  readonly decode: readonly Engine[];
  readonly clients: Client[] = [];
  /** Lines of the access log: status, outcome, prefill and decode engines. */
  readonly lines: string[] = [];
  readonly random: () => number;
  readonly #slots: number;
  readonly #slotTable: SlotTable;
  readonly #credentials: Credentials | undefined;

  constructor(options: WorldOptions = {}) {
    this.random = seededRandom(options.seed ?? 1);
    const { latencyMs = [1, 1], readBytes = [65_536, 65_536], kernelBytes = 131_072 } = options;
    this.network = new MemoryNetwork({ random: this.random, latencyMs, readBytes, kernelBytes });
    const names = (role: string, count: number) =>
      Array.from({ length: count }, (_, i) => `${role}${i + 1}:9000`);
    const encode = names("encode", options.encode ?? 0);
    const prefill = names("prefill", options.prefill ?? 2);
    const decode = names("decode", options.decode ?? 2);
    this.config = configuration(options, encode, prefill, decode);
    this.#slots = encode.length + prefill.length + decode.length;
    const size = { workers: options.workers ?? 1, slots: this.#slots };
    const memory = createScoreboardMemory(size);
    const shadowMemory = createScoreboardMemory(size);
    const metricsMemory = createMetricsMemory(size.workers);
    this.metrics = new MetricsMemory(metricsMemory, size.workers, 0);
    const tenantMemory = createTenantMemory(size.workers);
    this.tenants = new TenantCounts(tenantMemory, size.workers, 0);
    this.#credentials = options.credentials;
    this.board = new Scoreboard(memory, 0);
    this.shadowBoard = new Scoreboard(shadowMemory, 0);
    this.workers = new SimulatedWorkers(this.network, size.workers, {
      memory,
      shadowMemory,
      metricsMemory,
      tenantMemory,
      random: this.random,
      started: ({ kvLedger }, index) => this.kvAudit.watch(index, kvLedger),
      writeLine: (line) => void this.lines.push(line),
    });
    this.#slotTable = new SlotTable(this.#slots, (slot) => this.board.clearSlot(slot));
    this.apply(this.config);
    const { network, kv } = this;
    this.encode = encode.map((name) => new Engine(network, name, "encode", kv, encodes));
    this.prefill = prefill.map((name) => new Engine(network, name, "prefill", kv, prefills));
    this.decode = decode.map((name) => new Engine(network, name, "decode", kv, decodes));
    const key = listenKey(this.config.servers[0]!.listen[0]!);
    const where = { host: "proxy", port: 80, reusePort: false, backlog: 1 };
    void network.listen(where, (socket) => {
      this.workers.accept(socket, key);
      if (options.handshake === undefined) return;
      socket.tls = options.handshake;
      socket.handler.onConnect();
    });
    for (let index = 0; index < size.workers; index += 1) {
      const callback = { ...where, port: firstCallbackPort + index };
      void network.listen(callback, (socket) => this.workers.acceptCaller(socket, index));
    }
    this.#tick();
  }

  /** Serves by this configuration; slots stay with their engines, as the main thread keeps them. */
  apply(config: Config): void {
    this.workers.apply(config, this.#slotTable.assign(config), this.#credentials);
  }

  /** The first one; where there is one only, its state is the proxy's. */
  get worker(): Worker {
    return this.workers.all[0]!;
  }

  /** A client that connects now. */
  client(client: Client = new Client()): Client {
    client.socket = this.network.connect({ host: "proxy", port: 80 }, client);
    this.clients.push(client);
    return client;
  }

  /** A client that asks for a completion. */
  ask(ask: Ask, lines = "", version = "1.1"): Client {
    const client = this.client();
    client.send(completion(ask, lines, version));
    return client;
  }

  /** The next response of a client. */
  responseTo(client: Client, atMostMs = 10_000): ClientResponse {
    const before = client.answers.length;
    this.runUntil(() => client.answers.length > before, atMostMs);
    return client.answers.at(-1)!;
  }

  runFor(ms: number): void {
    this.network.runUntil(this.network.nowMs() + ms);
  }

  /** Runs until it holds; fails when that takes longer. */
  runUntil(holds: () => boolean, atMostMs: number): void {
    this.network.runUntil(this.network.nowMs() + atMostMs, holds);
    if (!holds()) throw new Error(`still not so after ${atMostMs} ms`);
  }

  /** Requests that have ended, by outcome. */
  endedWith({ code }: { readonly code: string }): number {
    const ones = this.metrics.outcomes.read().filter(({ labels }) => labels[2] === code);
    return ones.reduce((sum, { values: [count = 0] }) => sum + count, 0);
  }

  /** Of all engines, on the scoreboard. */
  get slots(): readonly number[] {
    return Array.from({ length: this.#slots }, (_, slot) => slot);
  }

  get engines(): readonly Engine[] {
    return [...this.encode, ...this.prefill, ...this.decode];
  }

  get inFlight(): number {
    let sum = 0;
    for (let slot = 0; slot < this.#slots; slot += 1) sum += this.board.inFlight(slot);
    return sum;
  }

  /** Nothing is occupied by any request: leases, bodies, connections that carry one. */
  expectAtRest(): void {
    const { board, shadowBoard } = this;
    this.kvAudit.check(board, this.slots);
    // One `expect` for all: these are the most frequent checks of all tests.
    const occupied: Record<string, number> = {
      "requests being retried": board.requests.sum(beingRetried),
      "requests in the queue": this.workers.queueSize,
      "requests in flight of tenants": this.tenants.inFlight,
    };
    for (let slot = 0; slot < this.#slots; slot += 1) {
      occupied[`requests in flight at slot ${slot}`] = board.inFlight(slot);
      occupied[`bytes at slot ${slot}`] = board.promptBytes(slot);
      occupied[`KV obligations at slot ${slot}`] = board.kv.openOf(slot);
      occupied[`requests in flight of a shadow at slot ${slot}`] = shadowBoard.inFlight(slot);
      occupied[`bytes of a shadow at slot ${slot}`] = shadowBoard.promptBytes(slot);
    }
    for (const [index, { bodies, pending }] of this.workers.all.entries()) {
      occupied[`bytes of bodies in worker ${index}`] = bodies.bytes;
      occupied[`bytes that wait for clients in worker ${index}`] = pending.bytes;
    }
    const left = Object.entries(occupied).filter(([, count]) => count !== 0);
    const violations = this.engines.flatMap((engine) => engine.violations);
    expect({ left, violations }).toEqual({ left: [], violations: [] });
  }

  /** Lets the clients go and waits until pooled connections have idled out: then nothing may be left. */
  expectNothingLeft(): void {
    for (const client of this.clients) client.socket.destroy();
    this.runFor(20);
    this.runUntil(() => this.workers.all.every(({ kvLedger }) => kvLedger.releasing === 0), 30_000);
    this.expectAtRest();
    for (const worker of this.workers.all) expect(worker.clientCount, "clients").toBe(0);
    this.runFor(engineIdleMs + 2 * deadlineTickMs);
    for (const worker of this.workers.all) {
      expect(worker.deadlines.size, "entries among the deadlines").toBe(0);
    }
    const open = [...this.network.open].map((one) => `${one.localAddress} to ${one.remoteAddress}`);
    expect(open, "open sockets").toEqual([]);
  }

  #tick(): void {
    this.network.after(deadlineTickMs, () => {
      this.workers.tick();
      this.#checkBounds();
      this.#tick();
    });
  }

  /** What requests hold of memory is never above its totals, and the books of KV obligations are right. */
  #checkBounds(): void {
    this.kvAudit.check(this.board, this.slots);
    const { bodyBytesTotalMax } = this.config;
    for (const { bodies, pending } of this.workers.all) {
      if (bodies.bytes < 0 || bodies.bytes > bodyBytesTotalMax)
        throw new Error(`${bodies.bytes} bytes of bodies, of ${bodyBytesTotalMax}`);
      if (pending.bytes < 0 || pending.bytes > relayPendingTotalBytesMax)
        throw new Error(`${pending.bytes} bytes wait for clients`);
    }
  }
}

/** Most worlds of a test are configured alike. */
let last: { readonly text: string; readonly config: Config } | undefined;

function configuration(...input: Parameters<typeof inputOf>): Config {
  const whole = inputOf(...input);
  const text = JSON.stringify(whole);
  if (last?.text !== text) last = { text, config: configSchema.parse(whole) };
  return last.config;
}

function inputOf(
  options: WorldOptions,
  encode: readonly string[],
  prefill: readonly string[],
  decode: readonly string[],
): ConfigInput {
  const pool = (urls: readonly string[]): PoolInput => ({
    keepAlive: { idleMs: engineIdleMs },
    ...options.pool,
    engines: urls.map((url) => ({ ...options.engine, url })),
  });
  return {
    // Counted, though nobody listens there.
    metrics: { port: 9902 },
    logFormats: { sim: { format: "$status $outcome $prefill_addr > $decode_addr" } },
    pools: {
      prefill: pool(prefill),
      decode: pool(decode),
      ...(encode.length > 0 && { encode: pool(encode) }),
    },
    servers: [
      {
        listen: [{ port: 80 }],
        headerTimeoutMs,
        keepAliveTimeoutMs,
        routes: [
          ...(options.routes ?? []),
          {
            match: { path: "/v1/completions" },
            target: { pool: "decode" },
            prefill: { pool: "prefill" },
            accessLogs: [{ file: "log", format: "sim" }],
            ...timeouts,
            ...options.route,
          },
          {
            match: { path: "/" },
            target: { pool: "decode" },
            ...(encode.length > 0 && { encode: { pool: "encode" }, prefill: { pool: "prefill" } }),
            accessLogs: [{ file: "log", format: "sim" }],
            ...timeouts,
            ...options.route,
          },
        ],
        ...options.server,
      },
    ],
    ...options.config,
  } satisfies ConfigInput;
}
