/**
 * The requests of one worker that operators can ask for: the last ones, and of those that have ended the slowest and
 * those that failed, through their client's fault or another's. Rings and short lists: the oldest makes room.
 */
import { listedRequestsMax } from "../../../limits.ts";
import type { Explanation } from "./explanation.ts";
import { Slowest } from "./slowest.ts";

export class RecentExplanations {
  readonly #ring: Ring;
  readonly #failed = new Ring(listedRequestsMax);
  readonly #clientFaults = new Ring(listedRequestsMax);
  readonly #slowestStart = new Slowest();
  readonly #longest = new Slowest();

  constructor(most: number) {
    this.#ring = new Ring(most);
  }

  get most(): number {
    return this.#ring.most;
  }

  add(explanation: Explanation): void {
    this.#ring.add(explanation);
  }

  /** Of those that were added. @param nowMs of the monotonic clock */
  ended(explanation: Explanation, nowMs: number, isClientFault: boolean): void {
    const { isStream, firstByteMs, endMs, hasFailed } = explanation;
    if (hasFailed) this.#failed.add(explanation);
    if (isClientFault) this.#clientFaults.add(explanation);
    if (isStream && firstByteMs >= 0) this.#slowestStart.add(explanation, firstByteMs, nowMs);
    this.#longest.add(explanation, endMs, nowMs);
  }

  /** Of several requests with the same id, the last one. */
  find(requestId: string): Explanation | undefined {
    const isIt = (one: Explanation) => one.requestId === requestId;
    return (
      this.#ring.newestFirst().find(isIt) ??
      this.#failed.newestFirst().find(isIt) ??
      this.#clientFaults.newestFirst().find(isIt) ??
      [...this.#slowestStart.all(), ...this.#longest.all()].find(isIt)
    );
  }

  /** Those that have ended, the last ones first. */
  recent(): Explanation[] {
    return this.#ring.newestFirst().filter(({ hasEnded }) => hasEnded);
  }

  /** Those that go on, the last ones first. */
  running(): Explanation[] {
    return this.#ring.newestFirst().filter(({ hasEnded }) => !hasEnded);
  }

  /** The last ones first. */
  failed(): readonly Explanation[] {
    return this.#failed.newestFirst();
  }

  /** The last ones first. */
  clientFaults(): readonly Explanation[] {
    return this.#clientFaults.newestFirst();
  }

  /** Streams whose first byte took longest, and what took longest in all; the slowest first. */
  slowest(nowMs: number): {
    readonly toStart: readonly Explanation[];
    readonly toEnd: readonly Explanation[];
  } {
    return { toStart: this.#slowestStart.list(nowMs), toEnd: this.#longest.list(nowMs) };
  }
}

class Ring {
  readonly #ones: (Explanation | undefined)[];
  #next = 0;

  constructor(most: number) {
    this.#ones = new Array<Explanation | undefined>(most).fill(undefined);
  }

  get most(): number {
    return this.#ones.length;
  }

  add(explanation: Explanation): void {
    this.#ones[this.#next] = explanation;
    this.#next = (this.#next + 1) % this.#ones.length;
  }

  newestFirst(): Explanation[] {
    const ones = this.#ones;
    const inOrder = [...ones.slice(this.#next), ...ones.slice(0, this.#next)];
    return inOrder.filter((one) => one !== undefined).reverse();
  }
}
