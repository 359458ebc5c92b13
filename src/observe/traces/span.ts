/** A span as plain data, which crosses threads by structured clone. */

/** OpenTelemetry's kinds by its numbers: what the proxy serves, what it asks engines for, its own steps. */
export const spanKinds = { internal: 0, server: 1, client: 2 } as const;

export type SpanAttributes = Readonly<Record<string, string | number | boolean | undefined>>;

export interface SpanData {
  /** 32 and 16 hexadecimal digits. */
  readonly traceId: string;
  readonly spanId: string;
  /** "" = it has no parent. */
  readonly parentId: string;
  readonly name: string;
  readonly kind: number;
  /** In ms since the epoch. */
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: SpanAttributes;
  /** Why it failed; undefined = it has not. */
  readonly error: string | undefined;
}

/** Sends a batch; resolves with what went wrong, or with undefined. */
export type SendSpans = (spans: readonly SpanData[]) => Promise<string | undefined>;

/** What a worker hands to the main thread. */
export interface SpanBatch {
  readonly spans: readonly SpanData[];
  /** Spans since the batch before that found no room. */
  readonly dropped: number;
}
