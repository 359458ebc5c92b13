/**
 * What one request occupies at one engine. It is closed exactly once, whatever happens; a second close does nothing.
 */
import type { Scoreboard } from "./scoreboard.ts";

/** Who wants to know that a request has left an engine: the policy that placed it, or a shadow. */
export interface EndListener {
  /** @param engine its index in the pool */
  ended?(engine: number, bytes: number): void;
}

export class Lease {
  readonly slot: number;
  readonly bytes: number;
  readonly uncachedBytes: number;
  /** Tokens of the prompt. */
  readonly tokens: number;
  readonly #board: Scoreboard;
  readonly #listener: EndListener | undefined;
  readonly #engine: number;
  #responseTokens = 0;
  #open = true;

  /**
   * @param listener is called when the lease closes
   * @param engine the engine's index in the pool, for the listener
   * @param tokens of the prompt
   */
  constructor(
    board: Scoreboard,
    slot: number,
    bytes: number,
    uncachedBytes = bytes,
    listener?: EndListener,
    engine = -1,
    tokens = 0,
  ) {
    this.#board = board;
    this.slot = slot;
    this.bytes = bytes;
    this.uncachedBytes = uncachedBytes;
    this.tokens = tokens;
    this.#listener = listener;
    this.#engine = engine;
  }

  /** Counts more tokens of the response, a whole number. */
  addResponseTokens(tokens: number): void {
    if (tokens === 0 || !this.#open) return;
    this.#responseTokens += tokens;
    this.#board.addResponseTokens(this.slot, tokens);
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    const { slot, bytes, uncachedBytes, tokens } = this;
    this.#board.giveBack(slot, bytes, uncachedBytes, tokens, this.#responseTokens);
    this.#listener?.ended?.(this.#engine, this.bytes);
  }
}
