/** Who may use a route: nginx's access phase, compiled. */
import type { AccessConfig } from "../../../config/schema/schema.ts";
import { type Outcome, outcomes } from "../../context/outcomes.ts";
import type { RequestContext } from "../../context/request-context.ts";
import { addressRules } from "./address-rules.ts";

export class Access {
  readonly #verdictOf: ReturnType<typeof addressRules>;

  constructor(config: AccessConfig) {
    this.#verdictOf = addressRules(config.rules);
  }

  /** Why the request may not; undefined = it may. */
  refusal({ connection }: RequestContext): Outcome | undefined {
    const verdict = this.#verdictOf?.(connection.remoteAddress);
    return verdict === "denied" ? outcomes.accessDenied : undefined;
  }
}
