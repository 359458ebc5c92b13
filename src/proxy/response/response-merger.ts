/**
 * The dialect's part in decode's response: when it is held back, what changes it, and how a preempted one continues.
 */
import type { Edits } from "../../body/edit/splice.ts";
import { KeyName } from "../../body/json/key-name.ts";
import { scanTopLevel, TopLevel } from "../../body/json/top-level.ts";
import type {
  DialectRequest,
  PrefillResponse,
  ResponseFilter,
  ResponseMerge,
} from "../../dialects/dialect.ts";
import { isTrue } from "../../dialects/shared/member-facts.ts";
import type { ResponseHead } from "../../http1/head/response-head.ts";
import { filteredResponseBytesMax } from "../../limits.ts";
import type { Route } from "../routing/route.ts";
import type { ClientResponse } from "./client-response.ts";
import { OwnIdFilter, RequestIds } from "./own-id.ts";

const stream = new KeyName("stream");

/** What changes the response to a request with these members. */
export function mergerOf(
  members: TopLevel | undefined,
  { dialect, resumed }: Route,
  response: ClientResponse,
): ResponseMerger {
  if (members === undefined) return new ResponseMerger(undefined, response);
  // Off for what is no stream, of which nothing goes out before it is whole.
  const resumes = resumed !== undefined && isTrue(members, stream);
  return new ResponseMerger(resumes ? resumed : dialect.merge, response);
}

export class ResponseMerger {
  /** The response is held back until it is whole, because something that only the prefill engine knows is put in. */
  collects = false;
  readonly #merge: ResponseMerge | undefined;
  readonly #response: ClientResponse;
  /** The response has another id than the client's in it. */
  #ids: RequestIds | undefined;
  /** Of the client's response, and of the one that was preempted before it. */
  #filter: ResponseFilter | undefined;
  #unfinished: ResponseFilter | undefined;

  constructor(merge: ResponseMerge | undefined, response: ClientResponse) {
    this.#merge = merge;
    this.#response = response;
  }

  /** The response is read, so it must not be compressed. */
  get isRead(): boolean {
    return this.#merge !== undefined;
  }

  /** The engines know the request by another id than the client does. */
  useIds(given: string, own: string): void {
    if (this.#ids?.given !== given) this.#ids = new RequestIds(given, own);
  }

  /** The head has come of a response that may become the client's. */
  start(head: ResponseHead): void {
    this.collects =
      this.#merge !== undefined && head.status < 300 && this.#response.mayChange(head);
  }

  /** Whether the response, which is whole and held back, is right only with the prefill's. */
  awaitsPrefill(request: DialectRequest | undefined, prefill: PrefillResponse): boolean {
    const json = this.collects ? this.#response.heldJson : undefined;
    if (request === undefined || json === undefined) return false;
    const filter = this.#merge?.begin(request, prefill, this.#unfinished);
    return filter?.awaitsPrefill?.(json) ?? false;
  }

  /** The response is the client's: what has come of it goes out, and what follows. */
  release(
    request: DialectRequest | undefined,
    prefill: PrefillResponse | undefined,
    isWhole: boolean,
  ): void {
    if (request !== undefined && this.#merge !== undefined) {
      this.#filter = this.#merge.begin(request, prefill, this.#unfinished);
    }
    const ids = this.#ids;
    const isRenamed = ids !== undefined && this.#merge !== undefined;
    this.#response.release(isRenamed ? new OwnIdFilter(ids, this.#filter) : this.#filter, isWhole);
  }

  /** Too much has come to hold it back: it stays as it is. */
  overflows(): boolean {
    if (this.#response.bufferedBytes <= filteredResponseBytesMax) return false;
    this.collects = false;
    return true;
  }

  /** All has come that the API's clients wait for. */
  get isComplete(): boolean {
    return this.#filter?.isComplete ?? false;
  }

  /** Changes the body of the engine whose response it is. */
  edit(members: TopLevel, edits: Edits): void {
    this.#merge?.edits?.(members, edits);
  }

  /** After a preemption, or where it broke off: the request for the rest; undefined = there is none. */
  rest(request: DialectRequest): DialectRequest | undefined {
    this.#unfinished = this.#filter;
    const body = this.#filter?.rest?.();
    const members = new TopLevel();
    if (body === undefined || scanTopLevel(body, 0, body.length, members) !== undefined)
      return undefined;
    return { ...request, members };
  }
}
