/** What the dialect has to say in decode's answer: when it is held for that, what changes it, and how one that was given up goes on. */
import { scanTopLevel, TopLevel } from "../../body/json/top-level.ts";
import type { DialectRequest, ResponseFilter, ResponseMerge } from "../../dialects/dialect.ts";
import type { ResponseHead } from "../../http1/head/response-head.ts";
import { filteredResponseBytesMax } from "../../limits.ts";
import type { ClientResponse } from "./client-response.ts";
import { OwnIdFilter, RequestIds } from "./own-id.ts";

export class ResponseMerger {
  /** An answer is held until it is whole, because what only the prefill engine knows is put in. */
  collects = false;
  readonly #merge: ResponseMerge | undefined;
  readonly #response: ClientResponse;
  /** Another id than the client's stands in the answer. */
  #ids: RequestIds | undefined;
  /** Of the answer that is the client's; of the one before, where that was given up. */
  #filter: ResponseFilter | undefined;
  #unfinished: ResponseFilter | undefined;

  constructor(merge: ResponseMerge | undefined, response: ClientResponse) {
    this.#merge = merge;
    this.#response = response;
  }

  /** The answer is read, and must not be compressed for its client. */
  get isRead(): boolean {
    return this.#merge !== undefined;
  }

  /** The engines know the request by another id than the client does. */
  useIds(given: string, own: string): void {
    if (this.#ids?.given !== given) this.#ids = new RequestIds(given, own);
  }

  /** The head of an answer is here that may become the client's. */
  start(head: ResponseHead): void {
    this.collects =
      this.#merge !== undefined && head.status < 300 && this.#response.mayChange(head);
  }

  /** The answer is the client's: what has come of it goes out, and what follows. */
  release(
    request: DialectRequest | undefined,
    prefillResponse: Buffer | undefined,
    isWhole: boolean,
  ): void {
    if (request !== undefined && this.#merge !== undefined) {
      const prefill = prefillResponse?.length === 0 ? undefined : prefillResponse;
      this.#filter = this.#merge.begin(request, prefill, this.#unfinished);
    }
    const ids = this.#ids;
    const isRenamed = ids !== undefined && this.#merge !== undefined;
    this.#response.release(isRenamed ? new OwnIdFilter(ids, this.#filter) : this.#filter, isWhole);
  }

  /** Too much has come to hold on to it: it stays as it is. */
  overflows(): boolean {
    if (this.#response.bufferedBytes <= filteredResponseBytesMax) return false;
    this.collects = false;
    return true;
  }

  /** After an answer was given up: the request for the rest; undefined = there is none. */
  rest(request: DialectRequest): DialectRequest | undefined {
    this.#unfinished = this.#filter;
    const body = this.#filter?.rest?.();
    const members = new TopLevel();
    if (body === undefined || scanTopLevel(body, 0, body.length, members) !== undefined)
      return undefined;
    return { ...request, members };
  }
}
