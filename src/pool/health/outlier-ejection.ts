/**
 * Outlier ejection as Envoy's (`envoy.config.cluster.v3.OutlierDetection`): failures in a row, success rate and share
 * of failures over a window; ejections that get longer, and shorter again with health; a bound on how much of a pool is
 * ejected. All of it is on the scoreboard, so all workers agree; nothing needs a timer.
 *
 * Unlike Envoy: an engine that is back after an ejection is tried by one request first, and fails for good by one
 * failure, since requests to it are expensive; and one that serves a request though it is ejected is back at once.
 */
import type { OutlierConfig } from "../../config/schema/pool/ejection.ts";
import type { Scoreboard } from "../../scoreboard/scoreboard.ts";
import type { Engine } from "../engine.ts";
import {
  type EjectionReason,
  type EjectionRule,
  ejectionReasons,
  type FailureKind,
} from "./ejection.ts";
import { outliersOf } from "./success-rates.ts";

export class OutlierEjection implements EjectionRule {
  readonly blamesRequests = true;
  readonly #board: Scoreboard;
  readonly #engines: readonly Engine[];
  readonly #config: OutlierConfig;

  constructor(board: Scoreboard, engines: readonly Engine[], config: OutlierConfig) {
    this.#board = board;
    this.#engines = engines;
    this.#config = config;
  }

  isEjected({ slot }: Engine, nowMs: number): boolean {
    const { health } = this.#board;
    const untilMs = health.ejectedUntil(slot);
    if (untilMs === 0 || health.isSpared(slot)) return false;
    return nowMs < untilMs || health.isTried(slot);
  }

  isFailing(engine: Engine, nowMs: number): boolean {
    return this.isEjected(engine, nowMs) || nowMs < this.#board.health.ejectedUntil(engine.slot);
  }

  /** Not where it would wait in vain. */
  isLastResort({ slot }: Engine): boolean {
    return ejectionReasons[this.#board.health.reason(slot)] !== "late";
  }

  /** 429 and 503 are backpressure: the engine works. */
  isFailure(status: number, isRetried: boolean): boolean {
    return !isRetried && status >= 500 && status !== 503;
  }

  /**
   * The first request after an ejection tries the engine. If nothing comes of it, for example because its client goes
   * away, the ejection starts again.
   */
  picked({ slot }: Engine, nowMs: number): void {
    const { health } = this.#board;
    const untilMs = health.ejectedUntil(slot);
    if (untilMs === 0 || nowMs < untilMs || health.isSpared(slot)) return;
    health.setTried(slot, true);
    health.setEjectedUntil(slot, nowMs + this.#config.baseEjectionMs);
  }

  failed(engine: Engine, nowMs: number, kind: FailureKind): void {
    const { slot } = engine;
    const { health, failures } = this.#board;
    this.#count(slot, true, nowMs);
    const count = failures.add(slot);
    const max = this.#failuresMax(kind);
    const isBack = health.isTried(slot);
    if (max === 0 || (count < max && !isBack)) return;
    if (isBack || !this.isEjected(engine, nowMs)) {
      this.#eject(engine, nowMs, kind === "late" ? "late" : "failures");
    }
  }

  #failuresMax(kind: FailureKind): number {
    const { consecutiveFailures, consecutiveConnectFailures } = this.#config;
    return (kind === "unsent" && consecutiveConnectFailures) || consecutiveFailures;
  }

  forgive({ slot }: Engine): void {
    const { health, failures } = this.#board;
    health.takeBackFailure(slot);
    const count = failures.takeBack(slot);
    const reason = ejectionReasons[health.reason(slot)];
    const isByFailures = reason === "failures" || reason === "late";
    if (health.ejectedUntil(slot) === 0 || !isByFailures) return;
    if (count >= this.#config.consecutiveFailures) return;
    health.setEjections(slot, Math.max(0, health.ejections(slot) - 1));
    this.#readmit(slot);
  }

  succeeded({ slot }: Engine, nowMs: number, tookMs: number): void {
    const { health, failures } = this.#board;
    this.#count(slot, false, nowMs);
    if (health.ejectedUntil(slot) > 0) {
      const isBack = health.isTried(slot) || health.isSpared(slot);
      if (!isBack && !this.#disproves(slot, nowMs - tookMs)) return;
      this.#readmit(slot, nowMs);
    }
    if (failures.count(slot) > 0) failures.clear(slot);
  }

  /**
   * Whether a success shows that what the engine is ejected for is over. Requests from before its failures say nothing
   * new, unless it was only late; and one success does not change a rate.
   */
  #disproves(slot: number, sentMs: number): boolean {
    const { health } = this.#board;
    const reason = ejectionReasons[health.reason(slot)];
    return reason === "late" || (reason === "failures" && sentMs >= health.ejectedAt(slot));
  }

  /** Takes requests again. @param nowMs when the time in health starts, by which ejections get shorter */
  #readmit(slot: number, nowMs?: number): void {
    const { health } = this.#board;
    health.setTried(slot, false);
    health.setSpared(slot, false);
    health.setEjectedUntil(slot, 0);
    if (nowMs !== undefined) health.setEjectedAt(slot, nowMs);
  }

  #eject({ slot }: Engine, nowMs: number, reason: EjectionReason): void {
    const { health } = this.#board;
    const { baseEjectionMs, maxEjectionMs, intervalMs } = this.#config;
    const isBack = health.isTried(slot);
    health.setReason(slot, ejectionReasons.indexOf(reason));
    const isOver = !isBack && this.#isFull(nowMs);
    const isSpared = isOver && (reason === "late" || !this.#giveBackLate(nowMs));
    health.setSpared(slot, isSpared);
    if (isSpared) {
      health.setEjectedUntil(slot, nowMs + baseEjectionMs);
      return;
    }
    health.countEjection(slot, ejectionReasons.indexOf(reason));
    const healthyMs = isBack ? 0 : Math.max(0, nowMs - health.ejectedAt(slot));
    const left = Math.max(0, health.ejections(slot) - Math.floor(healthyMs / intervalMs));
    health.setEjections(slot, left + 1);
    health.setEjectedAt(slot, nowMs);
    health.setTried(slot, false);
    const longMs = Math.max(baseEjectionMs, maxEjectionMs);
    health.setEjectedUntil(slot, nowMs + Math.min(longMs, baseEjectionMs * (left + 1)));
  }

  /** Spares an engine that was only late, and may serve, for one that fails. False = there is none. */
  #giveBackLate(nowMs: number): boolean {
    const late = this.#engines.find(
      (engine) => this.isEjected(engine, nowMs) && !this.isLastResort(engine),
    );
    if (late === undefined) return false;
    this.#board.health.setTried(late.slot, false);
    this.#board.health.setSpared(late.slot, true);
    return true;
  }

  /** Whether as many engines are ejected as may be, of those that do not drain. */
  #isFull(nowMs: number): boolean {
    let size = 0;
    let ejected = 0;
    for (const engine of this.#engines) {
      if (engine.isDraining) continue;
      size += 1;
      if (this.isEjected(engine, nowMs)) ejected += 1;
    }
    // An engine that is alone is never ejected: to try it is better than to reject all requests.
    if (size <= 1) return true;
    return ejected >= Math.max(1, Math.floor((size * this.#config.maxEjectedPercent) / 100));
  }

  #count(slot: number, isFailure: boolean, nowMs: number): void {
    const { health } = this.#board;
    const window = Math.floor(nowMs / this.#config.intervalMs) | 0;
    if (health.startsWindow(this.#engines[0]!.slot, window)) this.#judge(nowMs);
    health.addResult(slot, isFailure);
  }

  /** The window is over: compares its engines, and begins the next one. */
  #judge(nowMs: number): void {
    const { health } = this.#board;
    const outliers = outliersOf(this.#engines, this.#board, this.#config);
    for (const { slot } of this.#engines) health.clearResults(slot);
    for (const { engine, reason } of outliers) {
      if (!this.isEjected(engine, nowMs)) this.#eject(engine, nowMs, reason);
    }
  }
}
