/** Traces of one worker: which requests are traced and exported, and the spans that go to the main thread. */
import type { TracingConfig } from "../../config/schema/tracing.ts";
import type { IdGenerator } from "../../dialects/dialect.ts";
import { workerSpansMax } from "../../limits.ts";
import type { SpanBatch, SpanData } from "../../observe/traces/span.ts";
import { hasFailed } from "../context/has-failed.ts";
import type { RequestContext } from "../context/request-context.ts";
import { RequestTrace } from "../context/request-trace.ts";
import { parseTraceParent, parseTraceState } from "../context/trace-context.ts";
import { spansOf } from "./request-spans.ts";

export interface TracerDeps {
  readonly ids: IdGenerator;
  random(): number;
  /** Takes spans; undefined = nobody does. */
  readonly sendSpans?: (batch: SpanBatch) => void;
}

/** @param before of the configuration before; @returns undefined = requests are not traced */
export function tracerOf(
  config: TracingConfig | undefined,
  { ids, random, sendSpans }: TracerDeps,
  before: Tracer | undefined,
): Tracer | undefined {
  before?.flush();
  return config && sendSpans && new Tracer(config, ids, random, sendSpans);
}

export class Tracer {
  readonly #config: TracingConfig;
  readonly #ids: IdGenerator;
  readonly #random: () => number;
  readonly #send: (batch: SpanBatch) => void;
  #spans: SpanData[] = [];
  #dropped = 0;
  readonly #newId = () => this.#ids.secret().slice(0, 16);

  constructor(
    config: TracingConfig,
    ids: IdGenerator,
    random: () => number,
    send: (batch: SpanBatch) => void,
  ) {
    this.#config = config;
    this.#ids = ids;
    this.#random = random;
    this.#send = send;
  }

  /** A request has come. What its client says of sampling counts. */
  start({ head }: RequestContext): RequestTrace {
    const parent = parseTraceParent(head.fields.get("traceparent"));
    // Without a valid parent the state belongs to nothing.
    if (parent !== undefined) {
      const state = parseTraceState(head.fields.get("tracestate"));
      return new RequestTrace(parent, state, this.#newId);
    }
    const isSampled = this.#random() < this.#config.sampleRatio;
    const root = { traceId: this.#ids.secret(), parentId: "", isSampled };
    return new RequestTrace(root, "", this.#newId);
  }

  /** A traced request has ended; its members and its meter are still there. */
  ended(context: RequestContext): void {
    const { trace } = context;
    if (trace === undefined || !(trace.isSampled || this.#isNotable(context))) return;
    const spans = spansOf(context, trace);
    if (this.#spans.length + spans.length > workerSpansMax) this.#dropped += spans.length;
    else this.#spans.push(...spans);
  }

  /** Hands over what has waited. */
  flush(): void {
    if (this.#spans.length === 0 && this.#dropped === 0) return;
    this.#send({ spans: this.#spans, dropped: this.#dropped });
    this.#spans = [];
    this.#dropped = 0;
  }

  /** Slow, or failed through no fault of the client. */
  #isNotable(context: RequestContext): boolean {
    const { startMs, endMs } = context;
    const { slowMs } = this.#config;
    return hasFailed(context) || (slowMs > 0 && endMs - startMs >= slowMs);
  }
}
