/**
 * What a policy is asked when it picks an engine for a request: the prompt's size and blocks, its key, the engines it
 * is bound to.
 */

import { scanTopLevel } from "../../../body/json/top-level.ts";
import { promptBlocks } from "../../../body/prompt/prompt-blocks.ts";
import { promptBlockBytes, promptBlocksMax } from "../../../limits.ts";
import type { PickRequest } from "../../../policies/shared/policy.ts";
import type { Engine } from "../../../pool/engine.ts";
import type { Pool } from "../../../pool/pool.ts";
import type { FoundPrompt } from "../../admission/prompt-look-up.ts";
import { holdersIn } from "../../context/engine-model.ts";
import { holderOf, requestedResponse } from "../../response/stored-response.ts";
import type { ForwardedRequest } from "../../upstream/forwarded-request.ts";

const noBlocks: readonly number[] = [];

export class PickRequests {
  /** The engine that takes the request if it can, whatever the policy; undefined = none. */
  stickyEngine: Engine | undefined;
  /** What engines have reported of the prompt; undefined = they were not asked. */
  found: FoundPrompt | undefined;
  readonly #request: ForwardedRequest;
  /** Hashes of the prompt's blocks, made once, if a policy needs them. */
  #blocks: number[] | undefined;
  /** Id of the stored response that the request is about, which one engine keeps; "" = none. */
  readonly #storedResponse: string;

  constructor(request: ForwardedRequest) {
    const { endpoint, context, members } = request;
    this.#request = request;
    this.#storedResponse = requestedResponse(endpoint, context.path, members);
  }

  pick(pool: Pool): PickRequest {
    const { context, promptBytes, worker } = this.#request;
    const blocks = this.blocks(pool);
    const sticky = this.stickyEngine;
    return {
      bytes: promptBytes,
      tokens: this.found?.tokens ?? pool.ratio.tokensOf(promptBytes),
      blocks,
      reported: this.#reportedBlocks(pool, blocks.length),
      clientAddress: context.connection.remoteAddress,
      key: worker.poolKeys.policy(pool, context),
      shadowKey: worker.poolKeys.shadow(pool, context),
      holders: holdersIn(pool, context),
      requiredEngine: holderOf(pool, this.#storedResponse),
      stickyEngine: sticky && pool.engines.indexOf(sticky) >= 0 ? sticky.index : undefined,
      clock: worker.clock,
    };
  }

  /** Of the prompt, if the pool goes by them. */
  blocks(pool: Pool): readonly number[] {
    return pool.usesBlocks ? this.promptBlocks() : noBlocks;
  }

  promptBlocks(): readonly number[] {
    if (this.#blocks !== undefined) return this.#blocks;
    this.#blocks = [];
    const { members, context, worker } = this.#request;
    if (members !== undefined) {
      promptBlocks(members, promptBlockBytes, promptBlocksMax, this.#blocks);
      return this.#blocks;
    }
    // The body of a request that goes to one engine unchanged has not been scanned. If it is not JSON, it has no prompt
    // blocks.
    const own = worker.takeTopLevel();
    const { body } = context;
    if (scanTopLevel(body, 0, body.length, own) === undefined) {
      promptBlocks(own, promptBlockBytes, promptBlocksMax, this.#blocks);
    }
    worker.giveTopLevel(own);
    return this.#blocks;
  }

  /**
   * Whole blocks of the prompt that each engine has, as if all blocks had as many tokens; below 0 = the engine does not
   * report.
   */
  #reportedBlocks(pool: Pool, count: number): Int32Array | undefined {
    if (this.found?.pool !== pool || this.found.leadingTokens.size === 0) return undefined;
    const { leadingTokens, tokens } = this.found;
    return Int32Array.from(pool.engines, ({ name }) => {
      const leading = leadingTokens.get(name);
      return leading === undefined ? -1 : Math.floor((count * leading) / tokens);
    });
  }
}
