/** How one engine family is told to prefill and to decode: the interfaces that each dialect fills. */

import type { Edits } from "../body/edit/splice.ts";
import type { TopLevel } from "../body/json/top-level.ts";

/**
 * Which engine hears of a request when. `prefill-first`: decode is sent once the prefill has answered. `together`:
 * both at once, neither answers without the other. `decode-first`: the decode engine asks for the prefill, by calling the proxy
 * back or in its answer.
 */
export type LegOrder = "prefill-first" | "together" | "decode-first";
export type LegName = "prefill" | "decode";

/** An engine, as far as its dialect needs to know it. */
export interface EngineInfo {
  readonly host: string;
  readonly port: number;
  /** Data-parallel rank, where the engine is one rank behind an address that several share; -1 = none. */
  readonly dpRank: number;
  /** What the configuration says of it, or what was found out, by the names in the dialect's page: `bootstrap_port`, … */
  readonly attributes: Readonly<Record<string, string>>;
}

/** A client's request, a JSON object. The bytes of its prompt are never decoded. */
export interface DialectRequest {
  readonly members: TopLevel;
  /** Of the endpoint, without its query: `/v1/chat/completions`. */
  readonly path: string;
  /** As both engines see it in `X-Request-Id`, unless the hand-over gives another. */
  readonly requestId: string;
  readonly ids: IdGenerator;
}

/** Where new ids come from. */
export interface IdGenerator {
  uuid(): string;
  /** 128 random bits as hexadecimal digits: nobody can guess it. */
  secret(): string;
  /** Uniform in `[0, 2^63)`. */
  integer63(): bigint;
}

/** The engines of one round. `decode` is undefined while none has been chosen. */
export interface Engines {
  readonly prefill: EngineInfo;
  readonly decode: EngineInfo | undefined;
}

/** An answer that the proxy gives by itself, made of what the prefill engine said. */
export interface FinalReply {
  readonly contentType: string;
  readonly body: Buffer;
}

/** What decode's answer says of the hand-over: it is the client's, the prompt is not cached there, or too little of it has come. */
export type DecodeInspection = "deliver" | "needs-prefill" | "incomplete";

/** What a call-back says: all that the prefill needs has come, more calls have to, or it is not what this round's engine says. */
export type CallVerdict = "complete" | "incomplete" | "invalid";

/**
 * One round of one request: a prefill, and the decode that takes its KV cache. A retry that needs a new prefill is a new round, so
 * ids that are minted here are never used twice. Edits are already begun on the request's members.
 */
export interface KvTransfer {
  /**
   * In `X-Request-Id` to both engines, in place of the request's own and of what the route sets. Asked for once the engines of the
   * round are known. Long and random, so that it can be found wherever an answer repeats it: clients see their own.
   */
  requestId?(engines: Engines): string;

  /** Makes the client's body the prefill engine's. */
  prefillEdits(edits: Edits, engines: Engines): void;

  /**
   * Takes in the prefill engine's answer, whole and uncompressed. It may be referred to, and stays as it is. What is returned
   * ends the request: an answer that needs no decode, or `no-transfer` = the response names no KV cache, and decode cannot do without it.
   */
  prefillResponded(response: Buffer): FinalReply | "no-transfer" | undefined;

  /**
   * Makes the client's body the decode engine's. What a client put into a hand-off field of its own must never reach
   * an engine, with a hand-off or without: it would name the memory that the engine reads.
   */
  decodeEdits(edits: Edits, engines: Engines): void;

  /** Further header lines for a leg, each with its CRLF. */
  headerLines?(leg: LegName, engines: Engines): string;

  /**
   * Decode first, by call-back: where the decode engine is to call, a URL that is this round's alone. Told before
   * `decodeEdits`.
   */
  callbackUrl?(url: string): void;

  /** Decode first: takes in the body of a call-back. The engine's repetition of an earlier call must not count twice. */
  calledBack?(body: Buffer): CallVerdict;

  /** Decode first, by answer: looks at what has come of the body, without its framing, until it can tell. */
  inspectDecode?(body: Buffer, isComplete: boolean): DecodeInspection;
}

/**
 * What the client sees of decode's answer where decode itself does not know it: what was cached before the prefill, the prompt's
 * own log-probabilities. Through prefill and decode the answer is the one that a single engine gives.
 */
export interface ResponseMerge {
  /** Takes out of decode's body what decode could only answer wrongly. Comes after the hand-over's own edits. */
  decodeEdits?(members: TopLevel, edits: Edits): void;

  /**
   * Asked once decode's answer, a 2xx, is the client's. Undefined = it goes to the client as it comes.
   * @param prefillAnswer whole; undefined = there was no prefill
   * @param unfinished the filter of an answer that asked for its rest, of which this one is
   */
  begin(
    request: DialectRequest,
    prefillResponse: Buffer | undefined,
    unfinished: ResponseFilter | undefined,
  ): ResponseFilter | undefined;
}

/**
 * `undefined`: it goes on as it is. `dropped`: an event that does not go to the client. `unfinished`: the engine has given the
 * request up here. Neither this nor what follows is for the client, who gets the rest from another round.
 */
export type ResponseFate = undefined | "dropped" | "unfinished";

/** Changes one answer: its JSON when it is in one piece, else the data of its events one after the other. */
export interface ResponseFilter {
  /** Larger events go on as they are. Much kept of a stream is much that waits for its client. */
  readonly eventBytesMax: number;

  /** Whether anything in these bytes might have to be changed. Asked of each event, so it must cost little. */
  concerns(bytes: Buffer, start: number, end: number): boolean;

  /** The JSON as the client is to have it, or what becomes of it. What is no JSON at all stays as it is. */
  change(json: Buffer): Buffer | ResponseFate;

  /**
   * After `unfinished`: the body of a request for the rest, with all that has been generated. It goes the whole way, prefill and
   * decode. Undefined = this request has no such form.
   */
  rest?(): Buffer | undefined;
}

/** Something that a dialect must know of its engines and that no request tells: asked by the main thread, again and again. */
export interface EngineProbe {
  /** Whose engines are asked. */
  readonly legs: readonly LegName[];
  /** With its query. A 503 says that the engine does not take requests yet; any 200 that it does. */
  readonly path: string;
  /** The attribute that says the port to ask on (then `bootstrap_host` may say another host). Undefined = the engine's own. */
  readonly port?: { readonly attribute: string; readonly otherwise: number };
  /** Attributes without which an engine is of no use, be they found or configured. */
  readonly needs?: readonly string[];
  /** What the body of a 200 tells, by the names that the configuration uses. Numbers as they are written. */
  discovered(response: Buffer, engine: EngineInfo): Readonly<Record<string, string>>;
}

/** Holds no state and does no I/O. */
export interface Dialect {
  readonly name: string;
  readonly order: LegOrder;

  /** Decode first: the decode engine calls the proxy back for its prefill. */
  readonly callsBack?: boolean;

  /** The prefill's request names the decode engine, which therefore is chosen before the prefill. Always so with `together`. */
  readonly choosesDecodeFirst?: boolean;

  /**
   * The prefill engine keeps the KV cache for a decode that does not come, and one that comes and goes at once frees it (NIXL).
   */
  readonly releasesByDecode?: boolean;

  /**
   * Decode engines go wrong over a prompt without a hand-over: they wait for it, or generate from memory that nobody has filled. What a
   * hand-over cannot carry is refused, and whatever else has decode compute a prompt has no effect.
   */
  readonly requiresPrefill?: boolean;

  /** Undefined = decode's answer goes to the client as it comes. */
  readonly merge?: ResponseMerge;

  readonly probes?: readonly EngineProbe[];

  /** Whether a hand-over can carry this request; where not, decode alone computes it, if it can (`needsPrefill`). */
  supports?(request: DialectRequest): boolean;

  /** Takes the hand-off fields out of a request that one engine serves alone. */
  strip(members: TopLevel, edits: Edits): void;

  /** Begins a round. */
  beginTransfer(request: DialectRequest): KvTransfer;
}
