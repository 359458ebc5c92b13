/**
 * Gives memory back to the system after a burst. Runtimes collect garbage when they allocate: after the last large
 * request nothing does, and its bytes would stay for as long as it is quiet.
 */
import { reclaimBytesMax, reclaimBytesMin, reclaimQuietMs } from "../../limits.ts";

export class MemoryReclaimer {
  readonly #collect: () => void;
  /** Bytes that were given back since the last collection. */
  #releasedBytes = 0;
  /** The same since the last collection in quiet: what is given back while sockets close is still referred to then. */
  #unquietBytes = 0;
  #seenBytes = 0;
  #quietSinceMs = 0;

  /** @param collect runs a full collection, which takes some ms: nothing may be under way that would wait for it */
  constructor(collect: () => void) {
    this.#collect = collect;
  }

  /** Bytes that requests or responses held are garbage now. */
  released(bytes: number): void {
    this.#releasedBytes += bytes;
    this.#unquietBytes += bytes;
  }

  /** To be called now and then. Collects once enough was given back and it is quiet, or when it becomes too much. */
  tick(nowMs: number): void {
    if (this.#unquietBytes !== this.#seenBytes) {
      this.#seenBytes = this.#unquietBytes;
      this.#quietSinceMs = nowMs;
    }
    const isQuiet = nowMs - this.#quietSinceMs >= reclaimQuietMs;
    if (isQuiet ? this.#unquietBytes < reclaimBytesMin : this.#releasedBytes < reclaimBytesMax)
      return;
    this.#releasedBytes = 0;
    if (isQuiet) {
      this.#unquietBytes = 0;
      this.#seenBytes = 0;
    }
    this.#collect();
  }
}
