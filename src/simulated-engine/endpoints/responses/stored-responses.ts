/**
 * Responses of `/v1/responses` that an engine stores, to be read, cancelled or continued. Other engines do not have
 * them.
 */

import { RequestError } from "../../http/request-error.ts";
import { storedResponsesMax } from "../../limits.ts";

export interface StoredResponse {
  readonly json: string;
  /** The messages up to and including this response. */
  readonly conversation: readonly unknown[];
  /** Aborts the job and returns the cancelled response; only while it is computed in the background. */
  readonly cancel?: () => StoredResponse;
}

export class StoredResponses {
  readonly #byId = new Map<string, StoredResponse>();

  store(id: string, response: StoredResponse): void {
    this.#byId.set(id, response);
    if (this.#byId.size > storedResponsesMax) this.#byId.delete(this.#byId.keys().next().value!);
  }

  /** Throws a RequestError if there is none with this id. */
  get(id: string): StoredResponse {
    const response = this.#byId.get(id);
    if (response !== undefined) return response;
    const message = `Response with id '${id}' not found.`;
    throw new RequestError(404, "invalid_request_error", message, "response_id");
  }

  /** Throws a RequestError if there is nothing to cancel. */
  cancel(id: string): StoredResponse {
    const { cancel } = this.get(id);
    if (cancel === undefined) {
      const message = "Cannot cancel a synchronous response.";
      throw new RequestError(400, "invalid_request_error", message, "response_id");
    }
    const cancelled = cancel();
    this.store(id, cancelled);
    return cancelled;
  }

  /** Throws a RequestError if there is none with this id. */
  delete(id: string): void {
    this.get(id);
    this.#byId.delete(id);
  }
}
