/**
 * What tracing keeps of a request that goes on: its ids, and why its engines were chosen. Spans are made at its end, of
 * the times that its context has anyway, and only of requests that are exported.
 */
import { tracedStepsMax } from "../../limits.ts";
import type { RequestLeg } from "../../scoreboard/leg-counts.ts";
import { Explanation } from "./explained/explanation.ts";
import { type TriedLegs, triesOf } from "./legs.ts";
import type { TraceParent } from "./trace-context.ts";

/** A step before the legs. Times of the monotonic clock. */
export interface TracedStep {
  readonly name: "queue" | "tokenise";
  readonly startMs: number;
  readonly endMs: number;
}

export class RequestTrace {
  readonly traceId: string;
  /** Of the client's span; "" = this request begins the trace. */
  readonly parentId: string;
  readonly rootId: string;
  /** It is exported, whatever becomes of it. */
  readonly isSampled: boolean;
  readonly steps: TracedStep[] = [];
  readonly #state: string;
  readonly #newId: () => string;

  /** @param newId makes the id of a span */
  constructor(parent: TraceParent, state: string, newId: () => string) {
    this.traceId = parent.traceId;
    this.parentId = parent.parentId;
    this.isSampled = parent.isSampled;
    this.rootId = newId();
    this.#state = state;
    this.#newId = newId;
  }

  step(name: TracedStep["name"], startMs: number, endMs: number): void {
    if (this.steps.length < tracedStepsMax) this.steps.push({ name, startMs, endMs });
  }

  /**
   * Header lines for an engine, whose own spans become children of the leg's.
   * @param leg undefined = it is no leg
   */
  lines(legs: TriedLegs, leg: RequestLeg | undefined): string {
    const record = leg && triesOf(legs, leg).at(-1);
    if (record !== undefined) record.spanId ??= this.#newId();
    const spanId = record?.spanId ?? this.rootId;
    const parent = `traceparent: 00-${this.traceId}-${spanId}-0${this.isSampled ? 1 : 0}\r\n`;
    return this.#state === "" ? parent : `${parent}tracestate: ${this.#state}\r\n`;
  }

  /** For what nobody has asked an engine for. */
  newId(): string {
    return this.#newId();
  }

  /** For the decisions of a request that nobody else asks to have explained. */
  explanation({ requestId, path }: { requestId: string; path: string }): Explanation {
    return new Explanation(requestId, path, false, 0);
  }
}
