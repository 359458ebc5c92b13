/**
 * At which engines one leg of a request has failed, and who is to blame. If the same request fails at a second engine
 * too, it is the request: then what was counted is taken back, unless a further engine serves it.
 */

import type { Engine } from "../../pool/engine.ts";
import type { FailureKind } from "../../pool/health/ejection.ts";
import type { Pool } from "../../pool/pool.ts";

interface Failure {
  readonly pool: Pool;
  readonly engine: Engine;
  /** How long the engine had, if it was late; infinite = it failed. */
  readonly waitedMs: number;
  readonly kind: FailureKind;
  /** The engine at the other end of the KV transfer, if that one may have failed instead. */
  readonly peer: Engine | undefined;
  isCounted: boolean;
}

export class Blame {
  #failures: readonly Failure[] = [];

  /**
   * A try has failed. One that was late and then fails has failed once.
   * @param peer the engine at the other end of the KV transfer, if that one may have failed instead
   * @param waitedMs how long the engine had, if it was late; infinite = it failed
   */
  failed(
    { pool, engine }: { readonly pool: Pool; readonly engine: Engine },
    nowMs: number,
    peer: Engine | undefined,
    kind: FailureKind,
    waitedMs = Number.POSITIVE_INFINITY,
  ): void {
    const others = this.#failures;
    if (others.some((one) => one.engine === engine)) return;
    for (const one of others) forgive(one);
    const isCounted = others.length === 0 && pool.failed(engine, nowMs, peer, kind);
    this.#failures = [...others, { pool, engine, waitedMs, kind, peer, isCounted }];
  }

  /** @param tookMs what the engine that served the request took for its first byte */
  served(tookMs: number, nowMs: number): void {
    for (const one of this.#failures) {
      // It had less time than the other engine needed.
      if (one.waitedMs <= tookMs) forgive(one);
      else if (!one.isCounted) one.pool.failed(one.engine, nowMs, one.peer);
    }
    this.#failures = [];
  }

  /** A further engine has refused the request: then those that did so before were right. @param tookMs as above */
  refused(tookMs: number, nowMs: number): void {
    for (const one of this.#failures) {
      if (one.kind !== "refused") continue;
      forgive(one);
      one.pool.health.trustRefusals(one.engine);
    }
    this.#failures = this.#failures.filter(({ kind }) => kind !== "refused");
    this.served(tookMs, nowMs);
  }
}

function forgive(failure: Failure): void {
  if (failure.isCounted) failure.pool.health.forgive(failure.engine);
  failure.isCounted = false;
}
