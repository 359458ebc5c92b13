/**
 * Sends spans to a collector, in the main thread. The official exporter is loaded once it is needed. Whatever the
 * collector does, requests do not wait for it: what finds no room here is dropped and counted.
 */
import type { TracingConfig } from "../../config/schema/tracing.ts";
import {
  exportedSpansMax,
  spanBatchDelayMs,
  spanExportTimeoutMs,
  waitingSpansMax,
} from "../../limits.ts";
import type { SendSpans, SpanBatch, SpanData } from "./span.ts";

interface Log {
  warn(message: string): void;
  notice(message: string): void;
}

export class SpanExports {
  readonly #log: Log;
  readonly #open: (config: TracingConfig, timeoutMs: number) => Promise<SendSpans>;
  #config: TracingConfig | undefined;
  #key = "";
  #send: Promise<SendSpans> | undefined;
  #waiting: SpanData[] = [];
  #dropped = 0;
  #timer: NodeJS.Timeout | undefined;
  #sending: Promise<void> | undefined;
  #isFailing = false;

  /** @param open loads the exporter */
  constructor(
    log: Log,
    open: (config: TracingConfig, timeoutMs: number) => Promise<SendSpans> = openExporter,
  ) {
    this.#log = log;
    this.#open = open;
  }

  /** @param config undefined = nothing is traced (any more) */
  use(config: TracingConfig | undefined): void {
    const key = JSON.stringify(config ?? "");
    if (key === this.#key) return;
    this.#key = key;
    this.#config = config;
    this.#send = undefined;
  }

  add({ spans, dropped }: SpanBatch): void {
    if (this.#config === undefined) return;
    const room = waitingSpansMax - this.#waiting.length;
    if (spans.length > 0) this.#waiting.push(...spans.slice(0, room));
    this.#drop(dropped + Math.max(0, spans.length - room));
    if (this.#waiting.length >= exportedSpansMax) this.#start();
    else this.#timer ??= setTimeout(() => this.#start(), spanBatchDelayMs).unref();
  }

  /** Sends what waits. Resolves when that is done, or the time is over. */
  async flush(timeoutMs: number): Promise<void> {
    if (this.#waiting.length === 0 && this.#sending === undefined) return;
    let timer: NodeJS.Timeout | undefined;
    const over = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeoutMs);
    });
    this.#start();
    await Promise.race([over, this.#sending]);
    clearTimeout(timer);
  }

  #start(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined;
    });
  }

  /** One batch after the other: a slow collector gets no more than it takes. */
  async #sendAll(): Promise<void> {
    while (this.#waiting.length > 0 && this.#config !== undefined) {
      const batch = this.#waiting.splice(0, exportedSpansMax);
      const problem = await this.#sendBatch(batch, this.#config);
      if (problem === undefined) {
        if (this.#isFailing) this.#log.notice("the collector takes spans again");
        this.#isFailing = false;
      } else {
        if (!this.#isFailing) {
          const what = `spans cannot be exported to ${originOf(this.#config.endpoint)}: ${problem}`;
          this.#log.warn(`${what}; is the collector running, and does it take OTLP over HTTP?`);
        }
        this.#isFailing = true;
        this.#drop(batch.length);
      }
    }
  }

  async #sendBatch(batch: readonly SpanData[], config: TracingConfig): Promise<string | undefined> {
    try {
      this.#send ??= this.#open(config, spanExportTimeoutMs);
      return await (await this.#send)(batch);
    } catch (error) {
      return (error as Error).message;
    }
  }

  #drop(count: number): void {
    if (count === 0) return;
    if (this.#dropped === 0) {
      this.#log.warn("spans are dropped: the collector takes too few; lower tracing.sampleRatio");
    }
    this.#dropped += count;
  }

  /** Spans that were lost since the start. */
  get dropped(): number {
    return this.#dropped;
  }
}

const originOf = (url: string) => new URL(url).origin;

async function openExporter(config: TracingConfig, timeoutMs: number): Promise<SendSpans> {
  const { openOtlp } = await import("./otlp.ts");
  return openOtlp(config, timeoutMs);
}
