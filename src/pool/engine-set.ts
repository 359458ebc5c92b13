/** The engines of a pool that one request could be given to. */
import type { Candidates } from "../policies/shared/policy.ts";

/** A reused set of engine numbers in ascending order. */
export class EngineSet implements Candidates {
  count = 0;
  readonly engines: Int32Array;
  readonly #members: Uint8Array;

  constructor(size: number) {
    this.engines = new Int32Array(size);
    this.#members = new Uint8Array(size);
  }

  has(engine: number): boolean {
    return this.#members[engine] === 1;
  }

  add(engine: number): void {
    this.engines[this.count] = engine;
    this.count += 1;
    this.#members[engine] = 1;
  }

  remove(engine: number): void {
    const at = this.engines.indexOf(engine);
    this.engines.copyWithin(at, at + 1, this.count);
    this.count -= 1;
    this.#members[engine] = 0;
  }

  clear(): void {
    this.count = 0;
    this.#members.fill(0);
  }
}
