/** What one request needs of its client's connection and of its worker. */
import type { ServerConfig } from "../../config/schema/schema.ts";
import type { Explanation } from "../context/explained/explanation.ts";
import type { Outcome } from "../context/outcomes.ts";
import type { RequestContext } from "../context/request-context.ts";
import type { RequestMetrics } from "../context/request-metrics.ts";
import type { RequestTenant } from "../context/request-tenant.ts";
import type { RequestTrace } from "../context/request-trace.ts";
import type { ExchangeServices } from "../pd/driver/exchange-services.ts";
import type { ClientPort } from "../response/response-writer.ts";
import type { Route } from "../routing/route.ts";
import type { PageService } from "./page-service.ts";
import type { UpgradedClient } from "./upgrade.ts";

/** The client's connection, as far as one request needs it. */
export interface RequestClient extends ClientPort {
  /** Undefined = its connection has no other protocol than HTTP. */
  readonly upgradable: UpgradedClient | undefined;
  /** Whether the connection may serve another request after this one. */
  mayKeep(server: ServerConfig): boolean;
  /** Stops reading the request, which ends with this outcome. */
  refuse(outcome: Outcome): void;
  /** The response is complete. @param keep the connection may serve another request */
  responded(keep: boolean): void;
  close(): void;
  /** Closes so that the client cannot take what it has for the whole response. */
  reset(): void;
}

/** What requests need of their worker beyond what forwarding them does. */
export interface RequestServices extends ExchangeServices {
  readonly bodies: { take(bytes: number): boolean; giveBack(bytes: number): void };
  /** Pages about the whole proxy; undefined = there is no main thread that has them. */
  readonly pages: PageService | undefined;
  /** Undefined = nobody is asked for a key. @see RequestTenant */
  readonly gate: { enter(context: RequestContext, settled: () => void): RequestTenant } | undefined;
  /** Undefined = nobody reads metrics of requests. */
  readonly metrics: RequestMetrics | undefined;
  /** Undefined = requests are not traced. */
  readonly tracer:
    | { start(context: RequestContext): RequestTrace; ended(context: RequestContext): void }
    | undefined;
  /** Undefined = traffic is not recorded. */
  readonly recorder: { write(context: RequestContext): void } | undefined;
  readonly explanations: {
    /** Undefined = nobody may ask why the request's engines are chosen. */
    start(context: RequestContext, route: Route | undefined): Explanation | undefined;
    /** The request has ended; its members and its meter are still there. */
    end(context: RequestContext): void;
  };
}
