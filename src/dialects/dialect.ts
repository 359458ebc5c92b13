/** How engines of one kind prefill and decode a request between them: the interfaces that each dialect implements. */

import type { Edits } from "../body/edit/splice.ts";
import type { TopLevel } from "../body/json/top-level.ts";
import type {
  DialectDetection,
  EngineAttributes,
  EngineFamily,
  OtherPort,
  OverviewCells,
} from "./definition.ts";

/**
 * Which engine gets a request when. `prefill-first`: decode is sent once the prefill has responded. `together`: both
 * at once, and neither gets on without the other. `decode-first`: the decode engine asks for the prefill, by calling
 * the proxy back or in its response.
 */
export type LegOrder = "prefill-first" | "together" | "decode-first";
export type LegName = "prefill" | "decode";

/** An engine, as far as its dialect needs to know it. */
export interface EngineInfo {
  readonly host: string;
  readonly port: number;
  /** Data-parallel rank, where the engine is one rank behind an address that several share; -1 = none. */
  readonly dpRank: number;
  /** Configured or discovered, by the names in the definition: `bootstrap_port`, … */
  readonly attributes: Readonly<Record<string, string>>;
}

/** A client's request, a JSON object. The bytes of its prompt are never decoded. */
export interface DialectRequest {
  readonly members: TopLevel;
  /** Of the endpoint, without its query: `/v1/chat/completions`. */
  readonly path: string;
  /** As both engines see it in `X-Request-Id`, unless the KV transfer gives another. */
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

/** The engines of one attempt. `decode` is undefined while none has been chosen. */
export interface Engines {
  readonly prefill: EngineInfo;
  readonly decode: EngineInfo | undefined;
}

/** A response that the proxy makes by itself, from what the prefill engine said. */
export interface FinalReply {
  readonly contentType: string;
  readonly body: Buffer;
}

/**
 * What decode's response is: `deliver` = the client's; `needs-prefill` = the decode engine has too little of the
 * prompt cached; `incomplete` = more of it must arrive before that shows.
 */
export type DecodeInspection = "deliver" | "needs-prefill" | "incomplete";

/**
 * Of a call-back: the prefill has all that it needs, more calls must come, or the call is not from this attempt's
 * engine.
 */
export type CallVerdict = "complete" | "incomplete" | "invalid";

/**
 * The KV transfer of one attempt: a prefill, and the decode that takes its KV cache. A retry that needs a new prefill
 * is a new attempt, so an id that is generated here is never used twice. Edits are already started on the request's
 * members.
 */
export interface KvTransfer {
  /**
   * In `X-Request-Id` to both engines, in place of the request's own and of what the route sets. Called once the
   * engines of the attempt are known. Long and random, so that it can be found wherever a response repeats it:
   * clients see their own.
   */
  requestId?(engines: Engines): string;

  /** Makes the client's body the prefill engine's. */
  prefillEdits(edits: Edits, engines: Engines): void;

  /**
   * Reads the prefill engine's response, whole and uncompressed. It may be referred to, and stays as it is. Undefined =
   * decode follows. A reply ends the request: it needs no decode. If the response names no KV cache: `missing-transfer`
   * where decode can compute the prompt, `no-transfer` where it cannot do without.
   */
  prefillResponded(response: Buffer): FinalReply | "missing-transfer" | "no-transfer" | undefined;

  /**
   * Makes the client's body the decode engine's. What a client wrote into a KV-transfer field of its own must never
   * reach an engine, with a transfer or without: it would name the memory that the engine reads.
   */
  decodeEdits(edits: Edits, engines: Engines): void;

  /** Further header lines for a leg, each with its CRLF. */
  headerLines?(leg: LegName, engines: Engines): string;

  /**
   * Decode first, by call-back: the URL, of this attempt alone, that the decode engine calls. Called before
   * `decodeEdits`.
   */
  callbackUrl?(url: string): void;

  /** Decode first: reads the body of a call-back. The engine's repetition of an earlier call must not count twice. */
  calledBack?(body: Buffer): CallVerdict;

  /**
   * Decode first, by response: called with all that has arrived of the body, without its framing, until it is
   * complete or clear.
   */
  inspectDecode?(body: Buffer, isComplete: boolean): DecodeInspection;
}

/**
 * What the client gets of decode's response where decode itself does not know it: what was cached before the prefill,
 * the prompt's own log-probabilities. Through prefill and decode the response is the one that a single engine gives.
 */
export interface ResponseMerge {
  /** Takes out of decode's body what decode could only get wrong. Runs after the KV transfer's own edits. */
  decodeEdits?(members: TopLevel, edits: Edits): void;

  /** Changes the body of the engine whose response it is, be it decode or one engine alone. Runs last. */
  edits?(members: TopLevel, edits: Edits): void;

  /**
   * Called once decode's response, a 2xx, is the client's. Undefined = it goes to the client as it comes.
   * @param prefill undefined = there was no prefill
   * @param unfinished the filter of a preempted response, of which this one is the rest
   */
  begin(
    request: DialectRequest,
    prefill: PrefillResponse | undefined,
    unfinished: ResponseFilter | undefined,
  ): ResponseFilter | undefined;
}

/** What the prefill engine has responded, where decode's response may begin before it. */
export interface PrefillResponse {
  /** Undefined = it has not come yet. An empty object, if it never will: nothing is known then. */
  readonly whole: Buffer | undefined;
}

/**
 * `undefined`: it goes on as it is. `dropped`: an event that does not go to the client. `unfinished`: the engine has
 * preempted the request here. Neither this nor what follows is for the client, who gets the rest from another
 * attempt.
 */
export type ResponseFate = undefined | "dropped" | "unfinished";

/** Changes one response: its JSON when it is in one piece, else the data of its events one after the other. */
export interface ResponseFilter {
  /** Larger events go on as they are: what is collected of a stream delays its client. */
  readonly eventBytesMax: number;

  /** Whether anything in these bytes might have to be changed. Called for each event, so it must cost little. */
  concerns(bytes: Buffer, start: number, end: number): boolean;

  /**
   * Whether this JSON cannot be changed before the prefill's response has come. It waits then, and what follows it.
   * Undefined = nothing does.
   */
  awaitsPrefill?(json: Buffer): boolean;

  /** The JSON as the client is to have it, or what becomes of it. What is no JSON at all stays as it is. */
  change(json: Buffer): Buffer | ResponseFate;

  /** The event that was changed last, and those that follow, are kept together until this is false again. */
  readonly holds?: boolean;

  /** The end has come by which the API's clients know it: nothing can follow. */
  readonly isComplete?: boolean;

  /** An event has gone on unseen, since it is too large. */
  missed?(): void;

  /**
   * After `unfinished`, or where the response broke off: the body of a request for the rest, with all that has been
   * generated. It goes the whole way, prefill and decode. Undefined = this request cannot be continued.
   */
  rest?(): Buffer | undefined;
}

/** How engines free a KV cache that they hold for a decode which does not come. */
export interface KvRelease {
  /**
   * `cancelled-decode`: a decode engine frees it when its request is cancelled before it has fetched the KV cache.
   * `fetching-decode`: only one that fetches it does. `nothing`: it stays until the engine's own time is over.
   */
  readonly by: "cancelled-decode" | "fetching-decode" | "nothing";
  /** Some of it is held before the prefill is done, and stays if the prefill is cancelled. */
  readonly holdsEarly?: boolean;
  /** What frees it, in a phrase for the documentation. */
  readonly how: string;
  /** How long the engine holds it otherwise, in words. */
  readonly lease: string;
}

/** What a dialect must know of its engines and no request says: the main thread asks for it, again and again. */
export interface EngineProbe {
  /** Whose engines are asked. */
  readonly legs: readonly LegName[];
  /** Tells it from another one of the same path. */
  readonly name?: string;
  /** With its query. A 503 says that the engine does not take requests yet; any 200 that it does. */
  readonly path: string;
  /** Undefined = the engine's own. */
  readonly port?: OtherPort;
  /**
   * Engines serve without it: its status says nothing of them, and once it has responded it is asked seldom. Default
   * false.
   */
  readonly isOptional?: boolean;
  /** An engine that does not respond still has what it said last. Default false. */
  readonly outlivesEngine?: boolean;
  /** Attributes without which an engine is of no use, whether discovered or configured. */
  readonly needs?: readonly string[];
  /** What the body of a 200 says, by the names of attributes. Numbers as they are written. */
  discovered(response: Buffer, engine: EngineInfo): Readonly<Record<string, string>>;
  /** What of such a body is not used, to warn of. */
  ignored?(response: Buffer): string | undefined;
}

/** Holds no state and does no I/O. */
export interface Dialect<Name extends string = string> {
  /** As in the configuration. */
  readonly name: Name;
  /** What the engines are and how they pass on the KV cache, in a phrase. */
  readonly summary: string;
  /** Undefined = any. */
  readonly family?: EngineFamily;
  /** Its page is `docs/dialects/<page>.md`; several dialects may share one. */
  readonly page: string;
  readonly overview: OverviewCells;
  /** Members of a body that carry the transfer. What a client writes there reaches no engine. */
  readonly transferFields: readonly string[];
  /** What it reads of its engines. */
  readonly attributes?: EngineAttributes;
  /** Undefined = `auto` never finds it. */
  readonly detection?: DialectDetection;

  readonly order: LegOrder;

  /** Each engine serves whole requests: a route of this dialect has no prefill. */
  readonly servesWhole?: boolean;

  /** Decode first: the decode engine calls the proxy back for its prefill. */
  readonly callsBack?: boolean;

  /** A prefill's response names the KV cache; `prefillResponded` returns undefined only for one that does. */
  readonly prefillNamesKv?: boolean;

  /**
   * The prefill's request names the decode engine, which therefore is chosen before the prefill. Always so with
   * `together`.
   */
  readonly choosesDecodeFirst?: boolean;

  /** Undefined = no engine holds a KV cache for a decode that does not come. */
  readonly release?: KvRelease;

  /**
   * Decode engines go wrong over a prompt without a KV transfer: they wait for it, or generate from memory that
   * nobody has filled. A request that the transfer does not support is rejected, and no other setting has decode
   * compute a prompt.
   */
  readonly requiresPrefill?: boolean;

  /** Undefined = decode's response goes to the client as it comes. */
  readonly merge?: ResponseMerge;

  readonly probes?: readonly EngineProbe[];

  /**
   * Whether the KV transfer supports this request; if not, decode alone computes it, unless the dialect
   * `requiresPrefill`.
   */
  supports?(request: DialectRequest): boolean;

  /** Removes the KV-transfer fields from a request that one engine serves alone. */
  strip(members: TopLevel, edits: Edits): void;

  /** Starts the KV transfer of an attempt. */
  beginTransfer(request: DialectRequest): KvTransfer;
}

/** Checks the definition and keeps its name as a type, from which the configuration's list of names is made. */
export function defineDialect<const Name extends string>(dialect: Dialect<Name>): Dialect<Name> {
  return Object.freeze(dialect);
}
