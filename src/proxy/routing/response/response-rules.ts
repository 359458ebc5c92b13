/** What a route makes of the heads of responses, in nginx's order: what engines send, redirects, then what is added. */
import type { RouteConfig } from "../../../config/schema/schema.ts";
import { forwardedLines } from "../../../http1/fields/forwarded-lines.ts";
import type { HeaderFields } from "../../../http1/fields/header-fields.ts";
import type { Pool } from "../../../pool/pool.ts";
import type { RequestContext } from "../../context/request-context.ts";
import type { VariableScope } from "../template.ts";
import { type Complete, completion } from "./absolute-location.ts";
import { AddedHeaders } from "./added-headers.ts";
import { Charset } from "./charset.ts";
import { ClientRate } from "./client-rate.ts";
import { Cookies } from "./cookies.ts";
import { DroppedLines, dropped, withoutKinds } from "./dropped-lines.ts";
import { Expires } from "./expires.ts";
import { dateLine, serverLine } from "./own-lines.ts";
import { Redirects } from "./redirects.ts";

export class ResponseRules {
  readonly #redirects: Redirects;
  readonly #cookies: Cookies | undefined;
  /** A target as it stands in `Location`. */
  readonly complete: Complete;
  readonly #charset: Charset | undefined;
  readonly #expires: Expires | undefined;
  readonly #added: AddedHeaders | undefined;
  /** Undefined = clients get responses as fast as they read. */
  readonly rate: ClientRate | undefined;
  /** Of texts that steps return. */
  readonly textType: string;
  /** Bodies without a length go out in chunks. */
  readonly chunks: boolean;
  /** Undefined = there are none. */
  readonly trailers: AddedHeaders | undefined;
  readonly #dropped: DroppedLines;
  readonly #hidesServer: boolean;
  readonly #hidesDate: boolean;

  constructor(config: RouteConfig, scope: VariableScope) {
    this.complete = completion(config.absoluteRedirects);
    this.#redirects = new Redirects(config, scope, this.complete);
    this.#cookies = Cookies.of(config.cookies, scope);
    this.#charset = Charset.of(config.charset, scope);
    this.#expires = Expires.of(config.expires, scope);
    this.rate = ClientRate.of(config.clientRate, scope);
    this.textType = config.textType;
    this.chunks = config.chunkedResponses;
    this.#added = AddedHeaders.of(config.responseHeaders, scope);
    this.trailers = AddedHeaders.of(config.responseTrailers, scope);
    this.#dropped = new DroppedLines(config.hideHeaders);
    const hidden = this.#dropped.of(0);
    this.#hidesServer = hidden.has("Server");
    this.#hidesDate = hidden.has("Date");
  }

  /**
   * Header lines of an engine's response for the client, each with its CRLF.
   * @param status for the client
   * @param requestId for the client; "" = the engine's, if it gives one
   * @param pool where the response comes from; undefined = it says nothing of places
   */
  linesOfEngine(
    context: RequestContext,
    fields: HeaderFields,
    status: number,
    requestId: string,
    pool: Pool | undefined,
  ): string {
    const redirects = this.#redirects.lines(context, fields, pool);
    const cookies = this.#cookies?.lines(context, fields);
    const type = this.#charset?.line(context, fields.get("content-type"));
    const expires = this.#expires?.lines(context, status, fields.get("last-modified")) ?? "";
    let kinds = this.#added?.replaces(status) ?? 0;
    if (redirects !== undefined) kinds |= dropped.places;
    if (type !== undefined) kinds |= dropped.contentType;
    if (expires !== "") kinds |= dropped.caching;
    if (cookies !== undefined) kinds |= dropped.cookies;
    if (requestId !== "") kinds |= dropped.requestId;
    let lines = forwardedLines(fields, this.#dropped.of(kinds));
    if (this.#hidesServer) lines += serverLine;
    if (this.#hidesDate) lines += dateLine(context.sources.clock.wallMs());
    lines += (type ?? "") + (redirects ?? "") + (cookies ?? "") + expires;
    if (requestId !== "") lines += `X-Request-Id: ${requestId}\r\n`;
    return this.#withAdded(context, status, lines + context.ownLines);
  }

  /** Those of a reply of the proxy's own. @param lines so far, each with its CRLF */
  linesOfReply(context: RequestContext, status: number, lines: string): string {
    const typed = this.#charset?.inLines(context, lines) ?? lines;
    const [, changed] = (this.#expires && /^Last-Modified: (.*)\r$/im.exec(lines)) ?? [];
    const expires = this.#expires?.lines(context, status, changed) ?? "";
    const kinds = (this.#added?.replaces(status) ?? 0) | (expires === "" ? 0 : dropped.caching);
    return this.#withAdded(context, status, withoutKinds(typed, kinds) + expires);
  }

  #withAdded(context: RequestContext, status: number, lines: string): string {
    return this.#added?.behind(context, status, lines) ?? lines;
  }
}
