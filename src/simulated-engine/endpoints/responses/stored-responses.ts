/** Answers of `/v1/responses` that an engine keeps: to be read again, cancelled, and gone on with. Another engine has none of them. */

import { RequestError } from "../../http/request-error.ts";
import { storedResponsesMax } from "../../limits.ts";

export interface StoredResponse {
  readonly json: string;
  /** All that was said up to and with this answer. */
  readonly conversation: readonly unknown[];
  /** Ends what computes it, and gives what it is from then on; only while that is under way without a client. */
  readonly cancel?: () => StoredResponse;
}

export class StoredResponses {
  readonly #kept = new Map<string, StoredResponse>();

  keep(id: string, response: StoredResponse): void {
    this.#kept.set(id, response);
    if (this.#kept.size > storedResponsesMax) this.#kept.delete(this.#kept.keys().next().value!);
  }

  /** Throws a RequestError where it has none. */
  get(id: string): StoredResponse {
    const response = this.#kept.get(id);
    if (response !== undefined) return response;
    const message = `Response with id '${id}' not found.`;
    throw new RequestError(404, "invalid_request_error", message, "response_id");
  }

  /** Throws a RequestError where there is nothing to cancel. */
  cancel(id: string): StoredResponse {
    const { cancel } = this.get(id);
    if (cancel === undefined) {
      const message = "Cannot cancel a synchronous response.";
      throw new RequestError(400, "invalid_request_error", message, "response_id");
    }
    const cancelled = cancel();
    this.keep(id, cancelled);
    return cancelled;
  }

  /** Throws a RequestError where it has none. */
  delete(id: string): void {
    this.get(id);
    this.#kept.delete(id);
  }
}
