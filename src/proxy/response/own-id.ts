/** Gives a client its own request id back if the engines know the request by an id of the KV transfer. */
import type { ResponseFate, ResponseFilter } from "../../dialects/dialect.ts";
import { usualEventBytesMax } from "../../limits.ts";

export class RequestIds {
  readonly given: string;
  readonly givenBytes: Buffer;
  /** As it stands between the quotes of a JSON string. */
  readonly ownBytes: Buffer;

  constructor(given: string, own: string) {
    this.given = given;
    this.givenBytes = Buffer.from(given, "latin1");
    this.ownBytes = Buffer.from(JSON.stringify(own).slice(1, -1));
  }
}

/** Puts it wherever the other one stands: that has random bits enough to stand nowhere by chance. */
export class OwnIdFilter implements ResponseFilter {
  readonly eventBytesMax: number;
  readonly #ids: RequestIds;
  /**
   * The dialect's own changes. They see the client's id, since what they remember of one attempt goes into the response
   * of the next.
   */
  readonly #inner: ResponseFilter | undefined;

  constructor(ids: RequestIds, inner: ResponseFilter | undefined) {
    this.#ids = ids;
    this.#inner = inner;
    this.eventBytesMax = inner?.eventBytesMax ?? usualEventBytesMax;
  }

  concerns(bytes: Buffer, start: number, end: number): boolean {
    const { givenBytes } = this.#ids;
    const at = bytes.indexOf(givenBytes, start);
    const isThere = at >= 0 && at + givenBytes.length <= end;
    return isThere || (this.#inner?.concerns(bytes, start, end) ?? false);
  }

  get holds(): boolean {
    return this.#inner?.holds ?? false;
  }

  missed(): void {
    this.#inner?.missed?.();
  }

  awaitsPrefill(json: Buffer): boolean {
    return this.#inner?.awaitsPrefill?.(json) ?? false;
  }

  change(json: Buffer): Buffer | ResponseFate {
    const inner = this.#inner;
    const renamed = this.#rename(json);
    const named = renamed ?? json;
    const fate = inner?.concerns(named, 0, named.length) ? inner.change(named) : undefined;
    return fate ?? renamed;
  }

  #rename(json: Buffer): Buffer | undefined {
    const { givenBytes, ownBytes } = this.#ids;
    const parts: Buffer[] = [];
    let from = 0;
    for (let at = json.indexOf(givenBytes); at >= 0; at = json.indexOf(givenBytes, from)) {
      parts.push(json.subarray(from, at), ownBytes);
      from = at + givenBytes.length;
    }
    if (from === 0) return undefined;
    parts.push(json.subarray(from));
    return Buffer.concat(parts);
  }
}
