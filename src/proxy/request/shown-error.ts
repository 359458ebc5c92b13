/** The error of a request in whose place a page is served: which it is, and the status that the page is given. */
import { errorPagesMax } from "../../limits.ts";
import { type Outcome, outcomes } from "../context/outcomes.ts";
import type { RequestContext } from "../context/request-context.ts";
import { type ErrorPageResult, errorPage } from "../response/local/error-page.ts";
import type { Route } from "../routing/route.ts";
import type { Server } from "../routing/server.ts";

export class ShownError {
  /** The first one; undefined = there was none. */
  outcome: Outcome | undefined;
  /** For the client; 0 = the page's own. */
  status = 0;
  /** Errors of pages have pages, too, as long as the routes say so. */
  #mayHavePage = true;
  #pages = 0;

  /** The page to serve in the error's place; undefined = there is none. @param route where the error is */
  pageFor(
    outcome: Outcome,
    route: Route | undefined,
    server: Server,
    context: RequestContext,
  ): ErrorPageResult | undefined {
    if (!this.#mayHavePage) return undefined;
    if (this.#pages >= errorPagesMax) {
      this.#mayHavePage = false;
      return { response: { status: outcomes.routeLoop.status }, route };
    }
    const { status, pageStatus = status } = outcome;
    const page = errorPage(pageStatus, route, server, context);
    if (page === undefined) return undefined;
    this.#mayHavePage = route?.config.recursiveErrorPages ?? false;
    this.#pages += 1;
    this.outcome ??= outcome;
    this.status = page.response === undefined ? page.status : 0;
    return page;
  }
}
