/** Responses that go on where another attempt has broken off. */

import type { Edits } from "../../../body/edit/splice.ts";
import type { TopLevel } from "../../../body/json/top-level.ts";
import type {
  DialectRequest,
  PrefillResponse,
  ResponseFilter,
  ResponseMerge,
} from "../../dialect.ts";
import { askForIds, hidesIds } from "../token-ids.ts";
import { ContinuedResponse } from "./continued-response.ts";

/**
 * The responses of `merge`, and the rest of those that break off.
 * @param asksForIds the engines report the ids of tokens if they are asked to, which the client does not see
 */
export function continued(merge: ResponseMerge | undefined, asksForIds: boolean): ResponseMerge {
  const inner = merge instanceof ContinuedResponses ? merge.inner : merge;
  return new ContinuedResponses(inner, asksForIds);
}

class ContinuedResponses implements ResponseMerge {
  readonly inner: ResponseMerge | undefined;
  readonly #asksForIds: boolean;

  constructor(inner: ResponseMerge | undefined, asksForIds: boolean) {
    this.inner = inner;
    this.#asksForIds = asksForIds;
  }

  decodeEdits(members: TopLevel, edits: Edits): void {
    this.inner?.decodeEdits?.(members, edits);
  }

  edits(members: TopLevel, edits: Edits): void {
    if (this.#asksForIds && hidesIds(members)) askForIds(members, edits);
  }

  begin(
    request: DialectRequest,
    prefill: PrefillResponse | undefined,
    unfinished: ResponseFilter | undefined,
  ): ResponseFilter {
    if (unfinished instanceof ContinuedResponse) return unfinished.next(prefill);
    const { inner } = this;
    return new ContinuedResponse({ request, merge: inner, asksForIds: this.#asksForIds }, prefill);
  }
}
