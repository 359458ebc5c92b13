/** What client connections need of their worker. */
import type { RequestServices } from "../request/request-services.ts";
import type { BodyBudget } from "./body-budget.ts";
import type { PendingBudget } from "./pending-budget.ts";

/** A connection that has to be closed before a worker has drained. */
export interface Client {
  drain(): void;
  stop(): void;
}

export interface ClientServices extends RequestServices {
  readonly bodies: BodyBudget;
  readonly pending: PendingBudget;
  /** No further request is taken, not even from a client that was told that its connection stays. */
  readonly closesIdle: boolean;
  /** Numbers connections from 1. */
  nextSerial(): number;
  /** The connection is closed. */
  forget(client: Client): void;
  /** One that another connection has become, which is forgotten then. */
  adopt(client: Client): void;
}
