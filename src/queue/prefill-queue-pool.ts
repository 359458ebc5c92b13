/** The prompts that wait for the engines of one pool: who they are, how long they may wait, and what is learnt of them. */
import type { PolicyConfig } from "../config/schema/policies.ts";
import type { PromptUsage } from "../dialects/shared/prompt-usage.ts";
import { promptBlockBytes } from "../limits.ts";
import type { Pool } from "../pool/pool.ts";
import type { ReportedPrefixCache } from "../prefix-cache/reported-prefix-cache.ts";
import { TokenKeys } from "../prefix-cache/token-keys.ts";
import type { Clock } from "../transport/clock.ts";
import type { PoolCapacity } from "./pool-capacity.ts";
import { type EngineStates, PrefillQueue } from "./prefill-queue.ts";
import {
  boundedPriority,
  type QueueListener,
  type QueueRejection,
  type QueueRequest,
  type Ticket,
} from "./queue-service.ts";
import type { Prompt, QueuedPrompt } from "./queued-prompt.ts";

export type PredictiveConfig = Extract<PolicyConfig, { name: "predictive" }>;

/**
 * What is known of an engine's cache: what it holds, by its own KV events; what was sent there, less what has been seen not to be there;
 * or nothing.
 */
export type CacheKnowledge = "exact" | "approximate" | "blind";

/** The word of one engine on its cache. */
export interface CacheSource {
  readonly cache: ReportedPrefixCache | undefined;
}

/** A prompt in the queue, and who waits for it. */
interface TicketPrompt extends Prompt {
  readonly ticket: PrefillTicket;
}

export class PrefillQueuePool implements EngineStates<TicketPrompt> {
  readonly config: PredictiveConfig;
  readonly #clock: Clock;
  readonly #queue: PrefillQueue<TicketPrompt>;
  #pool: Pool;
  #room: PoolCapacity;
  #wallMs = 0;
  /** In the last pass over the queue a prompt could not go for want of room, here or in decode. */
  #isCapacityShort = false;
  #sources: readonly (CacheSource | undefined)[] = [];

  constructor(pool: Pool, config: PredictiveConfig, room: PoolCapacity, clock: Clock) {
    this.#pool = pool;
    this.#room = room;
    this.config = config;
    this.#clock = clock;
    this.#queue = new PrefillQueue(pool.size, config, this);
  }

  get pool(): Pool {
    return this.#pool;
  }

  /** From now on this is known of the engines' caches. @param sources by the engines' numbers; undefined = it does not tell */
  follow(sources: readonly (CacheSource | undefined)[]): void {
    this.#sources = sources;
  }

  /** Nothing of what the engine had is there any more. */
  forget(engine: string): void {
    const number = this.#pool.addresses.indexOf(engine);
    if (number >= 0) this.#queue.forget(number);
  }

  /** By the engines' numbers. */
  cacheKnowledge(): CacheKnowledge[] {
    return this.#pool.engines.map((_, engine) => {
      if (this.exact(engine) !== undefined) return "exact";
      return this.#queue.isModelled(engine) ? "approximate" : "blind";
    });
  }

  /** Prompts that wait, or have an engine and are not done. */
  get size(): number {
    return this.#queue.queuedCount + this.#queue.openCount;
  }

  /** Prompts that wait. */
  get waitingCount(): number {
    return this.#queue.queuedCount;
  }

  /** The same engines in a new configuration; false = they are not the same, or the policy is not. */
  takeOver(pool: Pool, config: PredictiveConfig, room: PoolCapacity): boolean {
    if (pool.addresses.join() !== this.#pool.addresses.join()) return false;
    if (JSON.stringify(config) !== JSON.stringify(this.config)) return false;
    pool.adopt(this.#pool);
    this.#pool = pool;
    this.#room = room;
    return true;
  }

  /** Goes on with what another pool has learnt of the engines that both have, and of their model's tokens. */
  adopt(other: PrefillQueuePool): void {
    const numbers = new Map(other.#pool.addresses.map((address, number) => [address, number]));
    const others = this.#pool.addresses.map((address) => numbers.get(address) ?? -1);
    if (others.every((number) => number < 0)) return;
    this.#pool.adopt(other.#pool);
    this.#queue.adopt(other.#queue, others);
  }

  ticket(queueRequest: QueueRequest, listener: QueueListener): Ticket {
    return new PrefillTicket(this, queueRequest, listener);
  }

  /** Another queue has taken its place, or none. */
  close(): void {
    this.#refuseAll("replaced");
  }

  /** Sends what can be sent, and turns away what has waited too long. */
  tick(): void {
    const { queueTimeoutMs } = this.config;
    const beforeMs = this.#now() - queueTimeoutMs;
    for (const { arrivedMs, engine, prompt } of this.#queue.held()) {
      // What one leaves by going, another may have been given meanwhile.
      if (arrivedMs > beforeMs || engine >= 0) continue;
      const { ticket } = prompt;
      this.drop(ticket);
      ticket.refused("timeout", queueTimeoutMs);
    }
    this.#release(this.#now());
  }

  // ---- What tickets ask ----

  enter(ticket: PrefillTicket): void {
    const { queueMax, ttftMaxMs, priorityMs } = this.config;
    const { bytes, blocks, tokenIds, priority, tenant, explains } = ticket.queueRequest;
    const nowMs = this.#now();
    if (this.#queue.queuedCount >= queueMax) {
      this.#refuse(ticket, "queue-full", nowMs);
      return;
    }
    const prompt = {
      tokens: Math.max(1, tokenIds?.length ?? this.#pool.ratio.tokensOf(bytes)),
      keys: tokenIds && new TokenKeys(tokenIds),
      blocks,
      blockTokens: this.#pool.ratio.tokensOf(promptBlockBytes),
      advanceMs: -boundedPriority(priority) * priorityMs,
      tenant,
      explains,
      ticket,
    };
    ticket.held = this.#queue.add(prompt, nowMs);
    if (ttftMaxMs > 0) {
      const { waitMs, ms } = this.#queue.expectedTtft(ticket.held, nowMs);
      // What takes longer by itself is refused only where it would have to wait, too.
      if (waitMs > 0 && ms > ttftMaxMs) {
        this.drop(ticket);
        this.#refuse(ticket, this.#isAnyFit() ? "overloaded" : "no-healthy-engine", nowMs);
        return;
      }
    }
    this.#release(nowMs);
  }

  done({ held, queueRequest }: PrefillTicket, { promptTokens, cachedTokens }: PromptUsage): void {
    if (promptTokens !== undefined) this.#pool.ratio.observe(queueRequest.bytes, promptTokens);
    const nowMs = this.#now();
    this.#queue.done(held!, cachedTokens, nowMs);
    this.#gaveBack(nowMs);
  }

  /** Gives back what it has: its place in the queue, or at a prefill engine, which is the next one's. */
  drop({ held }: PrefillTicket): void {
    if (held === undefined) return;
    const hadEngine = held.engine >= 0;
    this.#queue.remove(held);
    if (hadEngine) this.#gaveBack(this.#now());
  }

  leave({ queueRequest }: PrefillTicket, isAdmitted: boolean): void {
    if (isAdmitted) this.#room.leave(queueRequest.decodePool);
  }

  /** There may be more room, here or in decode. */
  capacityFreed(): void {
    if (this.#isCapacityShort) this.#release(this.#now());
  }

  // ---- What the queue asks ----

  isAvailable(engine: number): boolean {
    const pool = this.#pool;
    const one = pool.engines[engine]!;
    if (!pool.isAvailable(one, this.#wallMs)) return false;
    return !one.backup || !this.#isAnyPrimaryFit();
  }

  others(engine: number, open: number): number {
    const { board, engines } = this.#pool;
    const { slot } = engines[engine]!;
    return Math.max(0, board.inFlight(slot) - open) + board.signals.externalRequests(slot);
  }

  hasCapacity(engine: number, open: number): boolean {
    const { maxConns, slot } = this.#pool.engines[engine]!;
    return maxConns === 0 || Math.max(open, this.#pool.board.inFlight(slot)) < maxConns;
  }

  exact(engine: number): ReportedPrefixCache | undefined {
    return this.#sources[engine]?.cache;
  }

  admit({ prompt }: QueuedPrompt<TicketPrompt>): boolean {
    const { ticket } = prompt;
    // What waits for this pool in another way, as it did before a reload, takes places, too.
    const pools = [this.#pool.name, ticket.queueRequest.decodePool];
    ticket.isAdmitted = this.#room.admit(pools, this.#wallMs);
    if (!ticket.isAdmitted) this.#isCapacityShort = true;
    return ticket.isAdmitted;
  }

  #isAnyFit(): boolean {
    return this.#pool.engines.some((engine) => this.#pool.isAvailable(engine, this.#wallMs));
  }

  #isAnyPrimaryFit(): boolean {
    return this.#pool.engines.some(
      (engine) => !engine.backup && this.#pool.isAvailable(engine, this.#wallMs),
    );
  }

  /** The clocks are read once for all engines. */
  #now(): number {
    this.#wallMs = this.#clock.wallMs();
    return this.#clock.nowMs();
  }

  /** A prefill engine's place is free. */
  #gaveBack(nowMs: number): void {
    // One pass is enough: what the room tells of is seen in it.
    this.#isCapacityShort = false;
    this.#room.leave(this.#pool.name);
    this.#release(nowMs);
  }

  #release(nowMs: number): void {
    this.#isCapacityShort = false;
    if (this.#queue.queuedCount === 0) return;
    if (!this.#isAnyFit()) {
      this.#refuseAll("no-healthy-engine");
      return;
    }
    for (const held of this.#queue.release(nowMs)) {
      const { ticket } = held.prompt;
      // One that was granted before it may have led to this one's end.
      if (ticket.isOver) continue;
      const nameOf = (number: number) => this.#pool.engines[number]!.name;
      const seen = held.seen.map(({ number, ...rest }) => ({ engine: nameOf(number), ...rest }));
      ticket.listener.granted(nameOf(held.engine), seen);
    }
  }

  #refuseAll(reason: QueueRejection): void {
    const tickets = this.#queue.held().map(({ prompt }) => prompt.ticket);
    for (const ticket of tickets) this.drop(ticket);
    for (const ticket of tickets) ticket.refused(reason, 0);
  }

  #refuse({ listener }: PrefillTicket, reason: QueueRejection, nowMs: number): void {
    const waitMs = this.#queue.expectedWaitMs(nowMs);
    listener.refused(reason, Number.isFinite(waitMs) ? waitMs : 0);
  }
}

export class PrefillTicket implements Ticket {
  queueRequest: QueueRequest;
  readonly listener: QueueListener;
  held: QueuedPrompt<TicketPrompt> | undefined;
  /** There is room for it in decode, which it gives back at its end. */
  isAdmitted = false;
  isOver = false;
  readonly #pool: PrefillQueuePool;
  #isPrefilled = false;

  constructor(pool: PrefillQueuePool, queueRequest: QueueRequest, listener: QueueListener) {
    this.#pool = pool;
    this.queueRequest = queueRequest;
    this.listener = listener;
  }

  wait(): void {
    this.#pool.enter(this);
  }

  /** Unless it is over, by what another one's refusal has led to. */
  refused(reason: QueueRejection, retryAfterMs: number): void {
    if (!this.isOver) this.listener.refused(reason, retryAfterMs);
  }

  done(usage: PromptUsage): void {
    if (this.isOver || this.#isPrefilled || this.held === undefined) return;
    this.#isPrefilled = true;
    this.#pool.done(this, usage);
    this.#forgetPrompt();
  }

  skip(): void {
    if (this.#isPrefilled) return;
    this.#isPrefilled = true;
    this.#pool.drop(this);
    this.#forgetPrompt();
  }

  /** A request may go on for minutes, and its tokens may be as large as its body. */
  #forgetPrompt(): void {
    this.held = undefined;
    if (this.queueRequest.tokenIds !== undefined)
      this.queueRequest = { ...this.queueRequest, tokenIds: undefined };
  }

  leave(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.skip();
    this.#pool.leave(this, this.isAdmitted);
  }
}
