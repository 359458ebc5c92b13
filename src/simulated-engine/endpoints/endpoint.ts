/** How requests and answers are worded at one path: the interfaces that each endpoint fills. */

import type { InferenceRequest, Served } from "../core/inference-request.ts";
import type { StoredResponses } from "../core/stored-responses.ts";
import type { EngineFamily, ResponseExtras } from "../dialects/dialect.ts";
import type { JsonBody } from "../http/json-body.ts";
import type { ResponseSink } from "../http/reply.ts";
import type { RequestError } from "../http/request-error.ts";
import type { PlannedOutput } from "../model/tokens.ts";

/** What paths have in common. */
interface Path {
  readonly path: string;
  /** Engine families that have it; undefined = all. */
  readonly families?: readonly EngineFamily[];
  /** The body of an error, where it is not OpenAI's. */
  errorBody?(error: RequestError): string;
}

/** A path to which answers are generated, by `POST`. Such requests are counted, logged and struck by faults. */
export interface Endpoint extends Path {
  /** Throws a RequestError. */
  read(body: JsonBody, served: Served, kept: StoredResponses): InferenceRequest;
  format(
    request: InferenceRequest,
    requestId: string,
    createdSeconds: number,
    kept: StoredResponses,
  ): ResponseFormat;
  /**
   * Where the client need not wait: answers it at once, and returns where the real answer goes. `abort` ends the computing.
   * Undefined where the client waits.
   */
  detach?(
    request: InferenceRequest,
    format: ResponseFormat,
    client: ResponseSink,
    abort: () => void,
  ): ResponseSink | undefined;
}

/** A path whose answer follows from the body alone, by `POST`. */
export interface SimpleEndpoint extends Path {
  /** The answer's JSON. Throws a RequestError. */
  response(body: JsonBody, engine: Simply): string;
}

/** What such an answer may tell of its engine. */
export interface Simply extends Served {
  readonly family: EngineFamily;
  readonly createdSeconds: number;
}

/** Words one request's answer: in one piece, or as the events of a stream, each with all that belongs to it on the wire. */
export interface ResponseFormat {
  whole(outputs: readonly PlannedOutput[], usage: Usage, extras: ResponseExtras): string;
  /** What a stream begins with, before anything is computed. */
  opening?(): readonly string[];
  /** What goes before the first token of a choice. `usage` is there when the client wants it with each event. */
  begin(index: number, usage: Usage | undefined): readonly string[];
  /** The event of one token; that of a choice's last one says why it is the last. "" where there is nothing to say. */
  token(index: number, output: PlannedOutput, position: number, usage: Usage | undefined): string;
  /** What goes after the last token of all choices. */
  end(outputs: readonly PlannedOutput[], usage: Usage): readonly string[];
  /** What goes in place of the rest when the request fails. */
  error(error: RequestError): readonly string[];
}

export interface Usage {
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** Prompt tokens that did not have to be computed. */
  readonly cachedTokens: number;
  /** Whether the engine was told to tell them where that is a choice. */
  readonly tellsCached: boolean;
}

/** An event without a name. */
export function dataEvent(data: string): string {
  return `data: ${data}\n\n`;
}

/** The end of a stream of events without names. */
export const doneEvent: string = dataEvent("[DONE]");

export function namedEvent(name: string, data: string): string {
  return `event: ${name}\ndata: ${data}\n\n`;
}
