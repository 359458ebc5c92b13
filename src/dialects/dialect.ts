/** How one engine family is told to prefill and to decode: the interface that each dialect fills. */

import type { Edits } from "../body/splice.ts";
import type { TopLevel } from "../body/top-level.ts";

/**
 * Which engine hears of a request when. `prefill-first`: decode is sent once the prefill has answered. `together`:
 * both at once, neither answers without the other. `decode-first`: the decode engine asks for the prefill.
 */
export type LegOrder = "prefill-first" | "together" | "decode-first";

export interface EngineAddress {
  readonly host: string;
  readonly port: number;
}

/** What a dialect may know of a request apart from its body. */
export interface LegContext {
  /** Of the endpoint, without its query: `/v1/chat/completions`. */
  readonly path: string;
  /** As both engines see it in `X-Request-Id`. */
  readonly requestId: string;
  readonly prefill: EngineAddress;
  readonly decode: EngineAddress;
}

/** What the prefill engine gave for the decode engine. */
export interface Handoff {
  /** The JSON value of `kv_transfer_params` as the engine wrote it. Opaque: it differs by connector and by version. */
  readonly kvTransferParams: Buffer;
}

/**
 * Dialects hold no state and do no I/O. Edits are already begun on `members`, which holds the client's body, a JSON
 * object; the bytes of a prompt are never decoded.
 */
export interface Dialect {
  readonly name: string;
  readonly order: LegOrder;

  /** Makes the client's body the prefill engine's. */
  prefillEdits(members: TopLevel, edits: Edits, leg: LegContext): void;

  /**
   * Takes the hand-off out of the prefill engine's answer, whole and uncompressed. Undefined when it has none. The
   * hand-off refers to `answer`, which must stay as it is.
   */
  takeHandoff(answer: Buffer): Handoff | undefined;

  /**
   * Makes the client's body the decode engine's. What a client put into a hand-off field of its own must never reach
   * an engine, with a hand-off or without: it would name the memory that the engine reads.
   */
  decodeEdits(members: TopLevel, edits: Edits, handoff: Handoff | undefined, leg: LegContext): void;
}
