/** How requests are read and responses are worded at one path: the interfaces that each endpoint implements. */

import type { JsonBody } from "../http/json-body.ts";
import type { ResponseSink } from "../http/reply.ts";
import type { RequestError } from "../http/request-error.ts";
import type { PlannedOutput } from "../model/planned-output.ts";
import type { InferenceRequest, Served } from "../request/inference-request.ts";
import type { ResponseExtras } from "../request/response-extras.ts";
import type { EngineFamily } from "../roles.ts";
import type { StoredResponses } from "./responses/stored-responses.ts";

/** What all endpoints have in common. */
interface Path {
  readonly path: string;
  /** Engine families that have it; undefined = all. */
  readonly families?: readonly EngineFamily[];
  /** The body of an error, where it is not in OpenAI's shape. */
  errorBody?(error: RequestError): string;
}

/** A path whose responses are generated, by `POST`. Its requests are counted and logged, and faults strike them. */
export interface Endpoint extends Path {
  /** Throws a RequestError. */
  read(body: JsonBody, served: Served, stored: StoredResponses): InferenceRequest;
  format(
    request: InferenceRequest,
    requestId: string,
    createdSeconds: number,
    stored: StoredResponses,
  ): ResponseFormat;
  /**
   * For a client that need not wait: responds at once, and returns the sink for the real response. `abort` ends the
   * job. Undefined when the client waits.
   */
  detach?(
    request: InferenceRequest,
    format: ResponseFormat,
    client: ResponseSink,
    abort: () => void,
  ): ResponseSink | undefined;
}

/** A path whose response follows from the body alone, by `POST`. */
export interface SimpleEndpoint extends Path {
  /** The response's JSON. Throws a RequestError. */
  response(body: JsonBody, engine: EngineInfo): string;
}

/** What such a response may contain about its engine. */
export interface EngineInfo extends Served {
  readonly createdSeconds: number;
}

/** Words one request's response: in one piece, or as the events of a stream, each complete as sent. */
export interface ResponseFormat {
  whole(outputs: readonly PlannedOutput[], usage: Usage, extras: ResponseExtras): string;
  /** The first events of a stream, before anything is computed. */
  streamStart?(): readonly string[];
  /** The events before the first token of a choice. `usage` is set when the client wants it with each event. */
  choiceStart(index: number, usage: Usage | undefined): readonly string[];
  /** The event of one token; a choice's last one has its finish reason. "" where a token has no event. */
  token(index: number, output: PlannedOutput, position: number, usage: Usage | undefined): string;
  /** The events after the last token of all choices. */
  streamEnd(outputs: readonly PlannedOutput[], usage: Usage): readonly string[];
  /** The events in place of the rest when the request fails. */
  error(error: RequestError): readonly string[];
}

export interface Usage {
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** Prompt tokens that did not have to be computed. */
  readonly cachedTokens: number;
  /** Whether the usage includes them, at endpoints where that is optional. */
  readonly reportsCached: boolean;
  /** In one piece it names the details that it has nothing of. */
  readonly namesNulls: boolean;
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
