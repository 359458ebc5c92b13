/** When an engine computes: one prompt after the other, and one token per step for all sequences that decode. */

import type { Clock } from "../clock.ts";
import { type Random, seededRandom } from "../model/prng.ts";
import type { Timing } from "../options.ts";

/** A step that is late by more than this is not made up for. */
const lagMsMax = 100;

/** A prompt in the prefill queue. */
export interface PrefillTicket {
  readonly tokens: number;
  onStart(): void;
  onDone(): void;
}

/** A choice of a response that takes part in decode steps. */
export interface Sequence {
  /** Produces one token; false after the last. */
  step(): boolean;
}

export class Scheduler {
  readonly #clock: Clock;
  readonly #timing: Timing;
  readonly #slowdown: () => number;
  readonly #random: Random;
  readonly #queue = new Set<PrefillTicket>();
  readonly #batch = new Set<Sequence>();
  #prefilling: PrefillTicket | undefined;
  #cancelPrefill: (() => void) | undefined;
  #cancelStep: (() => void) | undefined;
  #prefillFreeAtMs = 0;
  #stepAtMs = 0;
  #pumping = false;

  /** @param slowdown by what a piece of work that begins now takes longer than `timing` says */
  constructor(clock: Clock, timing: Timing, slowdown: () => number = () => 1) {
    this.#clock = clock;
    this.#timing = timing;
    this.#slowdown = slowdown;
    this.#random = seededRandom(timing.seed);
  }

  get decoding(): number {
    return this.#batch.size;
  }

  get queued(): number {
    return this.#queue.size;
  }

  prefill(ticket: PrefillTicket): void {
    this.#queue.add(ticket);
    this.#pump();
  }

  /** Removes a prompt, in the queue or during its prefill; the next one then starts at once. */
  cancelPrefill(ticket: PrefillTicket): void {
    if (this.#queue.delete(ticket) || this.#prefilling !== ticket) return;
    this.#cancelPrefill?.();
    this.#prefilling = undefined;
    this.#prefillFreeAtMs = this.#clock.now();
    this.#pump();
  }

  /** The sequence takes part from the next step on. */
  join(sequence: Sequence): void {
    this.#batch.add(sequence);
    if (this.#cancelStep !== undefined) return;
    this.#stepAtMs = this.#clock.now();
    this.#scheduleStep();
  }

  leave(sequence: Sequence): void {
    this.#batch.delete(sequence);
  }

  close(): void {
    this.#queue.clear();
    this.#batch.clear();
    this.#cancelPrefill?.();
    this.#cancelStep?.();
    this.#prefilling = undefined;
    this.#cancelStep = undefined;
  }

  #pump(): void {
    // A prompt that takes no time ends in here and may enqueue the next; that must not recurse.
    if (this.#pumping) return;
    this.#pumping = true;
    while (this.#prefilling === undefined && this.#queue.size > 0) {
      const ticket = this.#queue.values().next().value!;
      this.#queue.delete(ticket);
      ticket.onStart();
      const durationMs = this.#prefillMs(ticket.tokens);
      if (durationMs > 0) this.#startPrefill(ticket, durationMs);
      else ticket.onDone();
    }
    this.#pumping = false;
  }

  #startPrefill(ticket: PrefillTicket, durationMs: number): void {
    const now = this.#clock.now();
    // Continues where the last one should have ended, so that late timers do not add up.
    const late = now - this.#prefillFreeAtMs;
    this.#prefillFreeAtMs = (late < 2 ? this.#prefillFreeAtMs : now) + durationMs;
    this.#prefilling = ticket;
    this.#cancelPrefill = this.#clock.after(this.#prefillFreeAtMs - now, () => {
      this.#prefilling = undefined;
      ticket.onDone();
      this.#pump();
    });
  }

  #scheduleStep(): void {
    const now = this.#clock.now();
    if (this.#stepAtMs < now - lagMsMax) this.#stepAtMs = now;
    this.#stepAtMs += this.#stepMs();
    this.#cancelStep = this.#clock.after(this.#stepAtMs - now, () => this.#step());
  }

  #step(): void {
    for (const sequence of this.#batch) {
      if (!sequence.step()) this.#batch.delete(sequence);
    }
    this.#cancelStep = undefined;
    if (this.#batch.size > 0) this.#scheduleStep();
  }

  #prefillMs(tokens: number): number {
    const rate = this.#timing.prefillTokensPerSecond;
    return rate === 0 ? 0 : (tokens / rate) * 1_000 * this.#stretch();
  }

  #stepMs(): number {
    const { itlMs, batchPenaltyMs } = this.#timing;
    return (itlMs + batchPenaltyMs * Math.max(0, this.#batch.size - 1)) * this.#stretch();
  }

  #stretch(): number {
    return this.#slowdown() * (1 + this.#timing.jitter * (2 * this.#random() - 1));
  }
}
