/** The engines of one pool that tokenise prompts, in turn. If they do not respond, they are not asked for a while. */

import { tokenizeFailuresMax, tokenizeRestMs } from "../../../limits.ts";
import type { Engine } from "../../../pool/engine.ts";
import type { Pool } from "../../../pool/pool.ts";
import type { ModelHolders } from "../../../pool/served-models.ts";

export class Tokenizers {
  readonly pool: Pool;
  #next = 0;
  #failures = 0;
  #restsUntilMs = 0;

  constructor(pool: Pool) {
    this.pool = pool;
  }

  /** Undefined = none is to be asked now. @param holders those that know the request's model; undefined = all */
  next(nowMs: number, wallMs: number, holders?: ModelHolders): Engine | undefined {
    if (nowMs < this.#restsUntilMs) return undefined;
    const { engines, size } = this.pool;
    for (let tries = 0; tries < size; tries += 1) {
      const engine = engines[this.#next % size]!;
      this.#next = (this.#next + 1) % size;
      if (holders?.[engine.index] === 0) continue;
      if (this.pool.isAvailable(engine, wallMs)) return engine;
    }
    return undefined;
  }

  answered(isResponse: boolean, nowMs: number): void {
    this.#failures = isResponse ? 0 : this.#failures + 1;
    if (this.#failures < tokenizeFailuresMax) return;
    this.#failures = 0;
    this.#restsUntilMs = nowMs + tokenizeRestMs;
  }
}
