/** Replies of the proxy's own: what the configuration returns, and errors in the shape of the endpoint. */
import type { FinalReply } from "../../../dialects/dialect.ts";
import { endpointOf } from "../../../dialects/endpoints/find-endpoint.ts";
import { reasonOf } from "../../../http1/reason.ts";
import type { Outcome } from "../../context/outcomes.ts";
import type { RequestContext } from "../../context/request-context.ts";
import { percentEncode } from "../../routing/percent.ts";
import { completion } from "../../routing/response/absolute-location.ts";
import { dateLine, serverLine } from "../../routing/response/own-lines.ts";
import type { ReturnedReply } from "../../routing/rewrite.ts";
import type { ClientResponse } from "../client-response.ts";
import { errorBody } from "./error-body.ts";

/** What the main thread responds with in place of engines: plain data. */
export interface LocalPage {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  /** Methods, with status 405. */
  readonly allow?: string;
}

export function commonLines(context: RequestContext): string {
  const id = context.requestId === "" ? "" : `X-Request-Id: ${context.requestId}\r\n`;
  return serverLine + dateLine(context.sources.clock.wallMs()) + id + context.ownLines;
}

/** What a `return` of the configuration says: a redirect, or a text. */
export function returnedReply(
  response: ClientResponse,
  context: RequestContext,
  { status, text, location }: ReturnedReply,
  contentType = "text/plain",
): void {
  const lines =
    commonLines(context) +
    (location === undefined ? "" : locationLine(response, context, location));
  if (text === undefined && location !== undefined) {
    response.local(status, reasonOf(status), lines, nothing);
    return;
  }
  if (text === undefined && status >= 400) {
    const shown = shownStatus(status);
    const problem = { code: "GP_RETURNED", message: reasonOf(shown) };
    const body = errorBody(problem, shown, endpointOf(context.path)?.errors);
    response.local(shown, reasonOf(shown), lines + json, body);
    return;
  }
  const isTyped = status !== 204 && contentType !== "";
  const type = isTyped ? `Content-Type: ${contentType}\r\n` : "";
  response.local(status, reasonOf(status), lines + type, Buffer.from(text ?? ""));
}

/** nginx's own statuses, of a head that is too large and of TLS, are 400 to clients. */
function shownStatus(status: number): number {
  return status >= 494 && status <= 497 ? 400 : status;
}

function locationLine({ rules }: ClientResponse, context: RequestContext, target: string): string {
  const complete = rules?.complete ?? asPath;
  return `Location: ${complete(context, percentEncode(target, notInLine))}\r\n`;
}

/** What the proxy has made of what engines said: of a prefill after which there is nothing to decode, or of several. */
export function finalReply(
  response: ClientResponse,
  context: RequestContext,
  { contentType, body }: FinalReply,
): void {
  response.local(200, "OK", `${commonLines(context)}Content-Type: ${contentType}\r\n`, body);
}

/** A page of the main thread. */
export function pageReply(
  response: ClientResponse,
  context: RequestContext,
  { status, contentType, body, allow }: LocalPage,
): void {
  const allowed = allow === undefined ? "" : `Allow: ${allow}\r\n`;
  const lines = `${commonLines(context)}Content-Type: ${contentType}\r\n${allowed}`;
  response.local(status, reasonOf(status), lines, Buffer.from(body));
}

/** Of a stream that waits for its first token. */
export function earlyHead(context: RequestContext): string {
  const type = "Content-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-cache\r\n";
  return `HTTP/1.1 200 OK\r\n${commonLines(context)}${type}`;
}

/** An error of the proxy's own. @returns false = it is too late for one, or nobody is there to read it */
export function errorReply(
  response: ClientResponse,
  context: RequestContext,
  outcome: Outcome,
): boolean {
  const { status } = outcome;
  if (status === 0 || response.started) return false;
  // What the operator has written gets nothing besides.
  const isLater = (status === 503 || status === 429) && outcome.code !== "GP_RETURNED";
  const seconds = Math.min(
    retryAfterSecondsMax,
    Math.max(1, Math.ceil(context.retryAfterMs / 1000)),
  );
  // RFC 9110, section 11.6.1: a 401 says how to do it.
  const challenge = status === 401 ? "WWW-Authenticate: Bearer\r\n" : "";
  const retry = isLater ? `Retry-After: ${seconds}\r\n` : challenge;
  response.local(
    status,
    reasonOf(status),
    commonLines(context) + retry + json,
    errorBody(outcome, status, endpointOf(context.path)?.errors),
  );
  return true;
}

const retryAfterSecondsMax = 3_600;
const asPath = completion(undefined);
/** Redirects of the configuration may have decoded paths in them. */
const notInLine = /[\x00-\x20\x7f-\u{10ffff}]/gu;
const nothing = Buffer.alloc(0);
const json = "Content-Type: application/json\r\n";
