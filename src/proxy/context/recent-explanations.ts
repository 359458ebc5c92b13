/** The last requests of one worker whose decisions can be asked for by their ids. A ring: the oldest makes room. */
import type { Explanation } from "./explanation.ts";

export class RecentExplanations {
  readonly #ring: (Explanation | undefined)[];
  #next = 0;

  constructor(most: number) {
    this.#ring = new Array<Explanation | undefined>(most).fill(undefined);
  }

  get most(): number {
    return this.#ring.length;
  }

  add(explanation: Explanation): void {
    this.#ring[this.#next] = explanation;
    this.#next = (this.#next + 1) % this.#ring.length;
  }

  /** Of several requests with the same id, the last one. */
  find(requestId: string): Explanation | undefined {
    const { length } = this.#ring;
    for (let back = 1; back <= length; back += 1) {
      const kept = this.#ring[(this.#next - back + length) % length];
      if (kept?.requestId === requestId) return kept;
    }
    return undefined;
  }
}
