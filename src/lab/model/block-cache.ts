/** An engine's prefix cache: the blocks used last, up to a bound; only a leading run of a prompt's blocks is of use. */
import { traceBlockTokens } from "../traces/trace.ts";

export class BlockCache {
  readonly #blocksMax: number;
  /** In the order of their last use. */
  readonly #blocks = new Set<number>();

  constructor(blocksMax: number) {
    this.#blocksMax = blocksMax;
  }

  /** Tokens of a prompt that need no computing: at least one is always computed. Touches nothing. */
  hitTokens(blocks: readonly number[], tokens: number): number {
    let run = 0;
    while (run < blocks.length && this.#blocks.has(blocks[run]!)) run += 1;
    return Math.min(run * traceBlockTokens, tokens - 1);
  }

  /** The prompt has been computed: its blocks are the ones used last. */
  insert(blocks: readonly number[]): void {
    // From the end, so that of one prompt the first block, which others share most, goes last.
    for (let i = blocks.length - 1; i >= 0; i -= 1) {
      this.#blocks.delete(blocks[i]!);
      this.#blocks.add(blocks[i]!);
    }
    for (const block of this.#blocks) {
      if (this.#blocks.size <= this.#blocksMax) break;
      this.#blocks.delete(block);
    }
  }
}
