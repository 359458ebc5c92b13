/**
 * When an engine that fails is taken out of its pool for a while. `FailureEjection` is nginx's rule (`max_fails`,
 * `fail_timeout`); `OutlierEjection` (`outlier-ejection.ts`) is Envoy's. `health.ts` chooses by the configuration.
 */
import type { Scoreboard } from "../../scoreboard/scoreboard.ts";
import type { Engine } from "../engine.ts";

/**
 * `unsent`: the connection could not be made, and the engine has seen nothing of the request. `late`: it did not
 * respond in time, and may still do so. `refused`: it does not want the request, for which another engine is asked.
 */
export type FailureKind = "failed" | "unsent" | "late" | "refused";

/** Why an engine was ejected. Stored as a number on the scoreboard. */
export const ejectionReasons = ["", "failures", "late", "success-rate", "failure-share"] as const;
export type EjectionReason = (typeof ejectionReasons)[number];

export interface EjectionRule {
  /**
   * Whether a request that fails at several engines is to blame, and not they: then failures can be taken back, and
   * requests that are late count.
   */
  readonly blamesRequests: boolean;
  /** Asked of each engine for each request: no allocation, no atomic read. */
  isEjected(engine: Engine, nowMs: number): boolean;
  /** Whether it is ejected, or would be if the pool could do without it. */
  isFailing(engine: Engine, nowMs: number): boolean;
  /** Whether an ejected engine is tried by a request that has failed at all others. */
  isLastResort(engine: Engine): boolean;
  /** Whether a response with this status is a failure. @param isRetried the route tries another engine for it */
  isFailure(status: number, isRetried: boolean): boolean;
  /** A request was given to the engine. */
  picked(engine: Engine, nowMs: number): void;
  failed(engine: Engine, nowMs: number, kind: FailureKind): void;
  /** A failure was the request's own: takes it back. */
  forgive(engine: Engine): void;
  /** A response of the engine began. @param tookMs since its request was sent */
  succeeded(engine: Engine, nowMs: number, tookMs: number): void;
}

const byFailures = ejectionReasons.indexOf("failures");

/** `maxFails` failures eject an engine for `failTimeoutMs`. Counts are on the scoreboard, so all workers agree. */
export class FailureEjection implements EjectionRule {
  readonly blamesRequests = false;
  readonly #board: Scoreboard;
  readonly #engines: readonly Engine[];

  constructor(board: Scoreboard, engines: readonly Engine[]) {
    this.#board = board;
    this.#engines = engines;
  }

  isEjected(engine: Engine, nowMs: number): boolean {
    return this.isFailing(engine, nowMs) && !this.#isAlone(engine);
  }

  /** An engine that is alone in its pool is never ejected: to try it is better than to reject all requests. */
  #isAlone(engine: Engine): boolean {
    return this.#engines.every((other) => other === engine || other.isDraining);
  }

  isFailing({ slot, maxFails, failTimeoutMs }: Engine, nowMs: number): boolean {
    return (
      maxFails > 0 &&
      this.#board.failures.count(slot) >= maxFails &&
      nowMs - this.#board.failures.checkedAt(slot) <= failTimeoutMs
    );
  }

  /** As in nginx. */
  isLastResort(): boolean {
    return false;
  }

  /** As in nginx, a status fails only where the route tries another engine for it, and 403 and 404 never do. */
  isFailure(status: number, isRetried: boolean): boolean {
    return isRetried && status !== 403 && status !== 404;
  }

  /** The first request after an ejection is a probe: until it has ended, the engine stays ejected for all others. */
  picked({ slot, failTimeoutMs }: Engine, nowMs: number): void {
    const board = this.#board;
    if (board.failures.count(slot) === 0) return;
    if (nowMs - board.failures.checkedAt(slot) > failTimeoutMs)
      board.failures.setCheckedAt(slot, nowMs);
  }

  failed(engine: Engine, nowMs: number): void {
    const { slot, maxFails } = engine;
    const count = this.#board.failures.add(slot);
    if (count === maxFails && !this.#isAlone(engine))
      this.#board.health.countEjection(slot, byFailures);
    this.#board.failures.setAccessedAt(slot, nowMs);
    this.#board.failures.setCheckedAt(slot, nowMs);
  }

  forgive(): void {}

  /** As in nginx, a success clears the failures only if its request began after the last failure. */
  succeeded({ slot }: Engine): void {
    const board = this.#board;
    if (board.failures.count(slot) === 0) return;
    if (board.failures.accessedAt(slot) < board.failures.checkedAt(slot))
      board.failures.clear(slot);
  }
}
