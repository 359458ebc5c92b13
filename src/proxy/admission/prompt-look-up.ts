/**
 * Looks a prompt up before an engine is picked: its tokens, and how many of them each engine reports to have cached.
 */
import type { Pool } from "../../pool/pool.ts";
import type { LeadingTokens } from "../../queue/queue-service.ts";
import type { Route } from "../routing/route.ts";
import type { Tokenizers } from "../upstream/connection/tokenizers.ts";
import type { ForwardedRequest } from "../upstream/forwarded-request.ts";
import { PromptTokens } from "./prompt-tokens.ts";

export interface FoundPrompt {
  readonly pool: Pool;
  /** Of the whole prompt. */
  readonly tokens: number;
  readonly leadingTokens: LeadingTokens;
}

const noneTells: LeadingTokens = new Map();

export class PromptLookUp {
  readonly #request: ForwardedRequest;
  readonly #pool: Pool;
  readonly #tokens: PromptTokens;
  readonly #done: (found: FoundPrompt | undefined) => void;
  #isOver = false;

  /** @param done called once with what was found; undefined = the prompt's tokens are not to be had */
  constructor(
    request: ForwardedRequest,
    route: Route,
    tokenizers: Tokenizers,
    done: (found: FoundPrompt | undefined) => void,
  ) {
    this.#request = request;
    this.#pool = tokenizers.pool;
    this.#done = done;
    this.#tokens = new PromptTokens(request, route, tokenizers, (ids) => this.#tokenised(ids));
  }

  start(): void {
    this.#tokens.start();
  }

  /** Nobody waits for it any more. */
  cancel(): void {
    this.#isOver = true;
    this.#tokens.cancel();
  }

  #tokenised(ids: Int32Array | undefined): void {
    if (ids === undefined) {
      this.#end(undefined);
      return;
    }
    const pool = this.#pool;
    const found = (leadingTokens: LeadingTokens) =>
      this.#end({ pool, tokens: ids.length, leadingTokens });
    if (pool.config.kvEvents === undefined) found(noneTells);
    else this.#request.worker.queue.leadingTokens(pool.name, ids, found);
  }

  #end(found: FoundPrompt | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#done(found);
  }
}
