/** Answers of `/v1/responses` that are kept for later: to be read again, and to be gone on with. */

/** The one that was made longest ago is dropped. */
const keptMax = 1_000;

export interface KeptResponse {
  readonly json: string;
  /** All that was said up to and with this answer. */
  readonly conversation: readonly unknown[];
}

export class KeptResponses {
  readonly #kept = new Map<string, KeptResponse>();

  keep(id: string, response: KeptResponse): void {
    this.#kept.set(id, response);
    if (this.#kept.size > keptMax) this.#kept.delete(this.#kept.keys().next().value!);
  }

  get(id: string): KeptResponse | undefined {
    return this.#kept.get(id);
  }

  delete(id: string): boolean {
    return this.#kept.delete(id);
  }
}
