/** What an attempt has generated so far: its text, its tokens, and their ids where the engine reports them. */

import { continuedBytesMax } from "../../../limits.ts";

/** What the attempts before have generated. */
export interface GeneratedBefore {
  /** As it stands between the quotes of a JSON string. */
  readonly text: Buffer;
  /** As it stands between the brackets of a JSON array. */
  readonly ids: Buffer;
  readonly tokens: number;
  /** The engine has reported the ids of all tokens. */
  readonly knowsIds: boolean;
}

export const nothingBefore: GeneratedBefore = {
  text: Buffer.alloc(0),
  ids: Buffer.alloc(0),
  tokens: 0,
  knowsIds: true,
};

const comma = Buffer.from(",");

/** What one event, or a whole response, adds. */
export interface Addition {
  readonly text: Buffer;
  /** Undefined = the engine reports none. */
  readonly ids: Buffer | undefined;
  /** Of the whole attempt if `isTotal`, else of this event. */
  readonly tokens: number;
  readonly isTotal: boolean;
}

export class Generated {
  /** More than a response may be continued with. */
  isTooLong = false;
  readonly #before: GeneratedBefore;
  readonly #texts: Buffer[] = [];
  readonly #ids: Buffer[] = [];
  #textBytes = 0;
  #tokens = 0;
  #knowsIds = true;
  /** Tokens and ids behind the last text: half a character has no text yet, and is generated again. */
  #seenTokens = 0;
  #looseIds: Buffer[] = [];

  constructor(before: GeneratedBefore) {
    this.#before = before;
  }

  /** In this attempt. */
  get ownTokens(): number {
    return this.#tokens;
  }

  add({ text, ids, tokens, isTotal }: Addition): void {
    this.#seenTokens = isTotal ? tokens : this.#seenTokens + tokens;
    if (ids !== undefined && ids.length > 0) this.#looseIds.push(ids);
    else if (ids === undefined && tokens > 0) this.#knowsIds = false;
    if (text.length === 0) return;
    this.#textBytes += text.length;
    if (this.#textBytes > continuedBytesMax) {
      this.isTooLong = true;
      return;
    }
    this.#texts.push(text);
    this.#ids.push(...this.#looseIds);
    this.#looseIds = [];
    this.#tokens = this.#seenTokens;
  }

  /** Of this attempt and those before. */
  get all(): GeneratedBefore {
    const { text, ids, tokens, knowsIds } = this.#before;
    const parts: Buffer[] = ids.length > 0 ? [ids] : [];
    for (const part of this.#ids) parts.push(...(parts.length > 0 ? [comma, part] : [part]));
    return {
      text: Buffer.concat([text, ...this.#texts]),
      ids: Buffer.concat(parts),
      tokens: tokens + this.#tokens,
      knowsIds: knowsIds && this.#knowsIds,
    };
  }
}
