/** A request whose route has a page: the main thread responds, and the client gets what it says. */
import type { Deadlines, Expirable } from "../../transport/deadlines.ts";
import { type Outcome, outcomes } from "../context/outcomes.ts";
import type { RequestContext } from "../context/request-context.ts";
import type { ClientResponse } from "../response/client-response.ts";
import { pageReply } from "../response/local/local-reply.ts";
import type { PageRequest, PageResponse, PageService } from "./page-service.ts";

interface PagedRequest {
  readonly context: RequestContext;
  readonly response: ClientResponse;
  readonly worker: { readonly deadlines: Deadlines; readonly pages: PageService | undefined };
  ended(outcome: Outcome): void;
}

export class MainPage implements Expirable {
  deadlineMs: number;
  deadlineIndex = -1;
  readonly #request: PagedRequest;
  #cancel: (() => void) | undefined;
  #isOver = false;

  /** @param timeoutMs how long the client waits */
  constructor(request: PagedRequest, page: PageRequest["page"], timeoutMs: number) {
    const { context, worker } = request;
    const { head, body, path } = context;
    const contentType = head.fields.get("content-type") ?? "";
    const { method, target: uri } = head;
    // A copy of its own: to another thread goes all of the memory that a buffer lies in.
    const bytes = new Uint8Array(body);
    const question = { page, method, uri, path, contentType, body: bytes, timeoutMs };
    this.#request = request;
    this.deadlineMs = worker.deadlines.dueIn(timeoutMs);
    worker.deadlines.add(this);
    if (worker.pages === undefined) this.#done(undefined);
    else this.#cancel = worker.pages.ask(question, (response) => this.#done(response));
  }

  /** The client is gone. */
  cancel(): void {
    this.#end();
  }

  expired(): void {
    this.#done(undefined);
  }

  #done(page: PageResponse | undefined): void {
    if (this.#isOver) return;
    this.#end();
    const { response, context } = this.#request;
    if (page !== undefined) pageReply(response, context, page);
    this.#request.ended(page === undefined ? outcomes.noPage : outcomes.returned);
  }

  #end(): void {
    this.#isOver = true;
    this.#request.worker.deadlines.remove(this);
    this.#cancel?.();
  }
}
