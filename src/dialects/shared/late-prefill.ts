/**
 * Changes a response by what the prefill engine has said, also where decode's response begins before that has come:
 * only what needs it waits.
 */

import type { PrefillResponse, ResponseFate, ResponseFilter } from "../dialect.ts";

/** A filter that knows the prefill's response. */
export interface InformedFilter extends ResponseFilter {
  /** Of JSON that concerns it: whether it is right only with the prefill's response. Undefined = always. */
  needsPrefill?(json: Buffer): boolean;
}

type Create = (prefillResponse: Buffer) => InformedFilter;

const nothing = Buffer.from("{}");

/** @param create called with an empty object, too: for as long as nothing is known */
export function informedBy(prefill: PrefillResponse, create: Create): ResponseFilter {
  return prefill.whole === undefined ? new LateFilter(prefill, create) : create(prefill.whole);
}

class LateFilter implements ResponseFilter {
  readonly #prefill: PrefillResponse;
  readonly #create: Create;
  readonly #uninformed: InformedFilter;
  #informed: InformedFilter | undefined;

  constructor(prefill: PrefillResponse, create: Create) {
    this.#prefill = prefill;
    this.#create = create;
    this.#uninformed = create(nothing);
  }

  get eventBytesMax(): number {
    return this.#uninformed.eventBytesMax;
  }

  concerns(bytes: Buffer, start: number, end: number): boolean {
    return (this.#informed ?? this.#uninformed).concerns(bytes, start, end);
  }

  awaitsPrefill(json: Buffer): boolean {
    const filter = this.#uninformed;
    if (this.#prefill.whole !== undefined || !filter.concerns(json, 0, json.length)) return false;
    return filter.needsPrefill?.(json) ?? true;
  }

  change(json: Buffer): Buffer | ResponseFate {
    const { whole } = this.#prefill;
    // It needs none.
    if (whole === undefined) return undefined;
    this.#informed ??= this.#create(whole);
    return this.#informed.change(json);
  }
}
