/** Which requests of a worker are explained: those whose client asks, and, for operators, the most recent ones. */
import { listedRequestsMax } from "../../limits.ts";
import type { Clock } from "../../transport/clock.ts";
import { Explanation } from "../context/explained/explanation.ts";
import { RecentExplanations } from "../context/explained/recent-explanations.ts";
import type { RequestRecord } from "../context/explained/request-record.ts";
import { hasFailed, isClientFault } from "../context/has-failed.ts";
import type { RequestContext } from "../context/request-context.ts";
import { tokenCounts } from "../context/token-counts.ts";
import type { Route } from "../routing/route.ts";
import { shownModel } from "../routing/shown-text.ts";
import { type EngineFlow, flowsOf } from "./engine-flows.ts";

/** The last requests of one worker, as operators see them. All but `running` have ended. */
export interface RequestLists {
  /** Those that wait in a queue among them. The last ones first. */
  readonly running: readonly RequestRecord[];
  /** The last ones first. */
  readonly recent: readonly RequestRecord[];
  readonly failed: readonly RequestRecord[];
  readonly clientFaults: readonly RequestRecord[];
  /** The slowest first: to the first byte of a stream, and to the end. */
  readonly slowToStart: readonly RequestRecord[];
  readonly slowToEnd: readonly RequestRecord[];
  readonly flows: readonly EngineFlow[];
}

export class Explanations {
  /** Undefined = there is no listener for operators. */
  #recent: RecentExplanations | undefined;
  readonly #clock: Pick<Clock, "nowMs" | "wallMs">;

  constructor(clock: Pick<Clock, "nowMs" | "wallMs">) {
    this.#clock = clock;
  }

  /** @param max requests that operators can ask for; 0 = none */
  resize(max: number): void {
    if (max === (this.#recent?.most ?? 0)) return;
    this.#recent = max > 0 ? new RecentExplanations(max) : undefined;
  }

  /** Undefined = nobody may ask. @param route undefined = there is none for the request */
  start(context: RequestContext, route: Route | undefined): Explanation | undefined {
    const isForClient =
      route?.config.explain === true && context.head.fields.get("x-explain") === "1";
    const recent = context.requestId === "" ? undefined : this.#recent;
    if (!isForClient && recent === undefined) return undefined;
    const { requestId, path, startMs } = context;
    // A body may have taken long to come.
    const startedMs = this.#clock.wallMs() - this.#clock.nowMs() + startMs;
    const explanation = new Explanation(requestId, path, isForClient, startedMs);
    recent?.add(explanation);
    return explanation;
  }

  /** The request has ended; its members and its meter are still there. */
  end(context: RequestContext): void {
    const { explanation, requestId, meter } = context;
    const recent = requestId === "" ? undefined : this.#recent;
    if (explanation === undefined || recent === undefined) return;
    explanation.end(context, {
      model: shownModel(context) ?? "",
      isStream: meter !== undefined && meter.events > 0,
      hasFailed: hasFailed(context),
      tokens: tokenCounts(context),
    });
    recent.ended(explanation, this.#clock.nowMs(), isClientFault(context));
  }

  find(requestId: string): Explanation | undefined {
    return this.#recent?.find(requestId);
  }

  /** Undefined = none are kept. */
  lists(): RequestLists | undefined {
    const recent = this.#recent;
    if (recent === undefined) return undefined;
    const recordsOf = (ones: readonly Explanation[]) => ones.map((one) => one.record());
    const { toStart, toEnd } = recent.slowest(this.#clock.nowMs());
    const ended = recent.recent();
    return {
      running: recordsOf(recent.running().slice(0, listedRequestsMax)),
      recent: recordsOf(ended.slice(0, listedRequestsMax)),
      failed: recordsOf(recent.failed()),
      clientFaults: recordsOf(recent.clientFaults()),
      slowToStart: recordsOf(toStart),
      slowToEnd: recordsOf(toEnd),
      flows: flowsOf(ended, this.#clock.wallMs()),
    };
  }
}
