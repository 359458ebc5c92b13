/**
 * A decode engine in virtual time: continuous batching with a bound on KV tokens. Steps between two changes of the
 * batch are taken at once, in closed form: with `b` requests of `R` resident tokens, `k` steps take `k (base + b
 * perRequest + R perKv) + perKv b k (k - 1) / 2` ms.
 */
import type { EngineProfile } from "../profile.ts";
import type { Timeline } from "./timeline.ts";

export interface DecodeJob {
  readonly inputTokens: number;
  readonly outputTokens: number;
  firstToken(atMs: number): void;
  /** It has so many tokens more. */
  progressed(tokens: number): void;
  done(atMs: number): void;
}

interface Running {
  readonly job: DecodeJob;
  left: number;
}

export class DecodeEngine {
  readonly #timeline: Timeline;
  readonly #profile: EngineProfile;
  readonly #onSteps: (fromMs: number, toMs: number, kvShare: number) => void;
  readonly #waiting: DecodeJob[] = [];
  #running: Running[] = [];
  /** Of what runs: tokens of prompts and of answers so far. */
  #residentTokens = 0;
  /** The same with all that answers will come to: what is admitted by, as there is no preemption. */
  #reservedTokens = 0;
  #batchStartMs = 0;
  #plannedSteps = 0;
  #generation = 0;

  /** @param onSteps told of steps with the share of the KV room that their requests had */
  constructor(
    timeline: Timeline,
    profile: EngineProfile,
    onSteps: (fromMs: number, toMs: number, kvShare: number) => void = () => {},
  ) {
    this.#timeline = timeline;
    this.#profile = profile;
    this.#onSteps = onSteps;
  }

  submit(job: DecodeJob): void {
    this.#waiting.push(job);
    if (this.#running.length === 0) {
      this.#admit();
      this.#plan();
    } else if (this.#plannedSteps > 1) this.#interrupt();
  }

  #stepsMs(steps: number): number {
    const { stepBaseMs, stepRequestMs, stepKvTokenMs } = this.#profile;
    const batch = this.#running.length;
    const one = stepBaseMs + stepRequestMs * batch + stepKvTokenMs * this.#residentTokens;
    return steps * one + (stepKvTokenMs * batch * steps * (steps - 1)) / 2;
  }

  #admit(): void {
    while (this.#waiting.length > 0) {
      const job = this.#waiting[0]!;
      const tokens = job.inputTokens + job.outputTokens;
      const isFull = this.#reservedTokens + tokens > this.#profile.kvTokens;
      if (isFull && this.#running.length > 0) return;
      this.#waiting.shift();
      this.#running.push({ job, left: job.outputTokens });
      this.#residentTokens += job.inputTokens;
      this.#reservedTokens += tokens;
    }
  }

  /** Runs the batch until one of it is done, or, where one has no token yet, for one step. */
  #plan(): void {
    if (this.#running.length === 0) return;
    let steps = Number.POSITIVE_INFINITY;
    for (const { job, left } of this.#running) {
      steps = Math.min(steps, left === job.outputTokens ? 1 : left);
    }
    this.#batchStartMs = this.#timeline.nowMs;
    this.#endAfter(steps);
  }

  #endAfter(steps: number): void {
    this.#plannedSteps = steps;
    this.#generation += 1;
    const generation = this.#generation;
    this.#timeline.at(this.#batchStartMs + this.#stepsMs(steps), () => {
      if (generation === this.#generation) this.#advance(steps);
    });
  }

  /** Somebody waits: ends the batch with the step that is under way. */
  #interrupt(): void {
    const elapsedMs = this.#timeline.nowMs - this.#batchStartMs;
    let low = 1;
    let high = this.#plannedSteps;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#stepsMs(middle) >= elapsedMs) high = middle;
      else low = middle + 1;
    }
    if (low < this.#plannedSteps) this.#endAfter(low);
  }

  #advance(steps: number): void {
    const { nowMs } = this.#timeline;
    const before = this.#running;
    const kvShare = this.#residentTokens / this.#profile.kvTokens;
    this.#onSteps(this.#batchStartMs, nowMs, Math.min(1, kvShare));
    this.#residentTokens += steps * before.length;
    this.#running = [];
    const done: DecodeJob[] = [];
    for (const running of before) {
      const { job } = running;
      if (running.left === job.outputTokens) job.firstToken(nowMs);
      running.left -= steps;
      job.progressed(steps);
      if (running.left > 0) this.#running.push(running);
      else {
        const tokens = job.inputTokens + job.outputTokens;
        this.#residentTokens -= tokens;
        this.#reservedTokens -= tokens;
        done.push(job);
      }
    }
    this.#plannedSteps = 0;
    for (const job of done) job.done(nowMs);
    this.#admit();
    this.#plan();
  }
}
