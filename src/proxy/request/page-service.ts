/** What a request asks of the main thread: a page about the whole proxy, or something for all engines. */
import type { RouteConfig } from "../../config/schema/schema.ts";
import type { LocalPage } from "../response/local/local-reply.ts";

/** Plain data: it crosses threads. */
export interface PageRequest {
  readonly page: NonNullable<RouteConfig["page"]>;
  readonly method: string;
  /** Path and query as the client sent them. */
  readonly uri: string;
  /** As routing has made it, decoded, without the query. */
  readonly path: string;
  /** "" = there is none. */
  readonly contentType: string;
  readonly body: Uint8Array;
  /** How long the client waits for the page. */
  readonly timeoutMs: number;
}

export type PageResponse = LocalPage;

export interface PageService {
  /**
   * @param done called once, unless it is cancelled before; undefined = too many pages are being waited for
   * @returns what cancels it
   */
  ask(request: PageRequest, done: (response: PageResponse | undefined) => void): () => void;
}
