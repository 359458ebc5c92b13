/** Pages that this worker's requests ask of the main thread, until it responds. */
import { pagesAtOnceMax } from "../../limits.ts";
import type { PageRequest, PageResponse, PageService } from "../request/page-service.ts";

export interface PageQuestion {
  readonly type: "page";
  readonly id: number;
  readonly request: PageRequest;
}

export interface PageReply {
  readonly type: "page";
  readonly id: number;
  readonly response: PageResponse;
}

export class RemotePages implements PageService {
  readonly #post: (question: PageQuestion) => void;
  /**
   * By id; undefined = the client is gone. It counts until the main thread has responded, so that clients that leave
   * cannot pile work up there.
   */
  readonly #waiting = new Map<number, ((response: PageResponse) => void) | undefined>();
  #serial = 0;

  constructor(post: (question: PageQuestion) => void) {
    this.#post = post;
  }

  ask(request: PageRequest, done: (response: PageResponse | undefined) => void): () => void {
    if (this.#waiting.size >= pagesAtOnceMax) {
      done(undefined);
      return () => {};
    }
    this.#serial += 1;
    const id = this.#serial;
    this.#waiting.set(id, done);
    this.#post({ type: "page", id, request });
    return () => {
      if (this.#waiting.has(id)) this.#waiting.set(id, undefined);
    };
  }

  receive({ id, response }: PageReply): void {
    const done = this.#waiting.get(id);
    this.#waiting.delete(id);
    done?.(response);
  }
}
