/** Which requests of a worker are explained: those whose client asks, and, for operators, the most recent ones. */
import type { Clock } from "../../transport/clock.ts";
import { Explanation } from "../context/explanation.ts";
import { RecentExplanations } from "../context/recent-explanations.ts";
import type { RequestContext } from "../context/request-context.ts";
import type { Route } from "../routing/route.ts";

export class Explanations {
  /** Undefined = there is no listener for operators. */
  #recent: RecentExplanations | undefined;

  /** @param max requests that operators can ask for; 0 = none */
  resize(max: number): void {
    if (max === (this.#recent?.most ?? 0)) return;
    this.#recent = max > 0 ? new RecentExplanations(max) : undefined;
  }

  /** Undefined = nobody may ask. */
  start(
    context: RequestContext,
    route: Route,
    clock: Pick<Clock, "wallMs">,
  ): Explanation | undefined {
    const isForClient = route.config.explain && context.head.fields.get("x-explain") === "1";
    const recent = context.requestId === "" ? undefined : this.#recent;
    if (!isForClient && recent === undefined) return undefined;
    const { requestId, path } = context;
    const explanation = new Explanation(requestId, path, isForClient, clock.wallMs());
    recent?.add(explanation);
    return explanation;
  }

  find(requestId: string): Explanation | undefined {
    return this.#recent?.find(requestId);
  }
}
