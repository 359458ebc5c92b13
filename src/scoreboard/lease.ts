/** What a request occupies at one engine. Closed exactly once, whatever happens; a second close does nothing. */
import type { Policy } from "../policies/shared/policy.ts";
import type { Scoreboard } from "./scoreboard.ts";

export class Lease {
  readonly slot: number;
  readonly bytes: number;
  readonly uncachedBytes: number;
  /** Of its prompt. */
  readonly tokens: number;
  readonly #board: Scoreboard;
  readonly #policy: Pick<Policy, "ended"> | undefined;
  readonly #engine: number;
  #responseTokens = 0;
  #open = true;

  /** @param policy is told of the end, with the engine's number in its pool */
  constructor(
    board: Scoreboard,
    slot: number,
    bytes: number,
    uncachedBytes = bytes,
    policy?: Pick<Policy, "ended">,
    engine = -1,
    tokens = 0,
  ) {
    this.#board = board;
    this.slot = slot;
    this.bytes = bytes;
    this.uncachedBytes = uncachedBytes;
    this.tokens = tokens;
    this.#policy = policy;
    this.#engine = engine;
  }

  /** So many more tokens of its answer have come, a whole number. */
  answered(tokens: number): void {
    if (!this.#open) return;
    this.#responseTokens += tokens;
    this.#board.answered(this.slot, tokens);
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    const { slot, bytes, uncachedBytes, tokens } = this;
    this.#board.giveBack(slot, bytes, uncachedBytes, tokens, this.#responseTokens);
    this.#policy?.ended?.(this.#engine, this.bytes);
  }
}
