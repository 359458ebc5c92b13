/**
 * The life of one inference request in an engine: waiting, prefill or KV transfer, decode, and every way in which it
 * ends.
 */

import type { Acquired, Leg } from "../dialects/dialect.ts";
import type { ResponseFormat, Usage } from "../endpoints/endpoint.ts";
import { checkEcho } from "../endpoints/logprobs.ts";
import type { Fault } from "../faults/fault.ts";
import type { ResponseSink } from "../http/reply.ts";
import { RequestError } from "../http/request-error.ts";
import { continuedText } from "../request/continued-text.ts";
import type { InferenceRequest } from "../request/inference-request.ts";
import type { ResponseExtras } from "../request/response-extras.ts";
import { type Choice, planChoices, type TokenListener } from "./choice.ts";
import type { ActiveRequest, EngineCore } from "./core.ts";
import { EventStream } from "./event-stream.ts";
import type { PrefillTicket } from "./scheduler.ts";
import type { Phase } from "./state.ts";

/** What a job works on. */
export interface JobParts {
  readonly request: InferenceRequest;
  readonly leg: Leg;
  readonly format: ResponseFormat;
  readonly reply: ResponseSink;
  readonly fault: Fault | undefined;
  errorBody(error: RequestError): string;
}

export class InferenceJob implements PrefillTicket, TokenListener, ActiveRequest {
  phase: Phase = "waiting";
  readonly tokens: number;
  readonly #core: EngineCore;
  readonly #request: InferenceRequest;
  readonly #leg: Leg;
  readonly #format: ResponseFormat;
  readonly #reply: ResponseSink;
  readonly #events: EventStream;
  readonly #fault: Fault | undefined;
  readonly #errorBody: (error: RequestError) => string;
  readonly #abort = new AbortController();
  readonly #choices: readonly Choice[];
  readonly #arrivedAtMs: number;
  readonly #promptTokens: number;
  #cachedTokens: number;
  #generatedTokens = 0;
  #decoding = 0;
  #isDelivering = false;
  #cancelStart: (() => void) | undefined;

  constructor(core: EngineCore, { request, leg, format, reply, fault, errorBody }: JobParts) {
    this.#core = core;
    this.#request = request;
    this.#leg = leg;
    this.#format = format;
    this.#reply = reply;
    this.#fault = fault;
    this.#errorBody = errorBody;
    this.#arrivedAtMs = core.options.clock.now();
    this.#cachedTokens = core.visitPrefixCache(request);
    this.tokens = request.promptTokens - this.#cachedTokens;
    const continues = continuedText(request);
    // What it has generated itself it counts as it was generated.
    this.#promptTokens =
      continues === undefined ? request.promptTokens : continues.promptTokens + continues.tokens;
    this.#choices = planChoices(request, continues, leg, this);
    const usageOf = (completionTokens: number): Usage => this.#usage(completionTokens);
    this.#events = new EventStream(reply, format, request.continuousUsage ? usageOf : undefined);
    reply.onDrain = () => this.#resume();
  }

  start(): void {
    // The client may have disconnected at the very moment its request was complete.
    if (this.phase === "done") return;
    if (this.#request.stream) {
      this.#reply.openEvents();
      this.#events.write(this.#format.streamStart?.() ?? []);
    }
    if (this.#leg.acquire === undefined) this.#prefill();
    else {
      const fail = (error: unknown): void => this.#fail(error);
      this.#leg.acquire(this.#abort.signal).then((acquired) => this.#onAcquired(acquired), fail);
    }
  }

  /** Starts after a delay; a client that disconnects meanwhile counts as one that was waiting. */
  startAfter(delayMs: number): void {
    this.#cancelStart = this.#core.options.clock.after(delayMs, () => this.start());
  }

  onStart(): void {
    this.phase = "prefilling";
    this.#core.metrics.queueSeconds.observe(this.#sinceArrivalSeconds());
  }

  /** The prompt is computed, and with it the first token of each choice. */
  onDone(): void {
    const { metrics } = this.#core;
    metrics.promptTokens += this.tokens;
    metrics.promptTokensBySource.local_compute += this.tokens;
    metrics.promptTokensBySource.local_cache_hit += this.#cachedTokens;
    this.#decode(true);
  }

  /** The client disconnected, or the engine closes: stops at once whatever the request is doing. */
  abort(): void {
    if (this.phase === "done") return;
    if (!this.#reply.interrupted || this.#fault?.kind === "stall") {
      this.#core.counts.aborted[this.phase]++;
    }
    this.#cancelStart?.();
    this.#core.scheduler.cancelPrefill(this);
    for (const choice of this.#choices) this.#core.scheduler.leave(choice);
    this.#abort.abort();
    this.#leg.abandon?.();
    this.#core.leak(this.#promptTokens);
    this.#end("abort");
  }

  onToken(choice: Choice): void {
    if (choice.generated <= choice.output.countedTokens) {
      this.#generatedTokens++;
      this.#core.metrics.generatedTokens++;
    }
    this.#observeToken(choice);
    if (choice.generated === choice.output.tokenCount) this.#decoding--;
    if (this.#request.stream && !this.#events.blocked) this.#events.writeTokens(choice);
    if (this.#decoding === 0) this.#deliverWhenSent();
  }

  #onAcquired({ kv, reason, firstToken, cachedTokens, end }: Acquired): void {
    if (this.phase === "done") return;
    if (end !== undefined) for (const { output } of this.#choices) output.endEarly(end);
    if (kv === "recompute") this.#core.counts.countRecompute(reason ?? "unknown");
    if (kv === "compute" || kv === "recompute") {
      this.#prefill();
      return;
    }
    for (const { output } of this.#choices) output.knowsPrompt = false;
    try {
      checkEcho(this.#request);
    } catch (error) {
      this.#fail(error);
      return;
    }
    const { counts, metrics } = this.#core;
    if (kv === "remote") counts.remotePrefills++;
    const source = kv === "remote" ? "external_kv_transfer" : "local_cache_hit";
    metrics.promptTokensBySource[source] += this.#request.promptTokens;
    // The last token is always computed.
    this.#cachedTokens = cachedTokens ?? this.#request.promptTokens - 1;
    this.#decode(firstToken ?? false);
  }

  /** Loads embeddings from encode engines, where there are any; an item without an embedding is encoded here. */
  #prefill(): void {
    const { counts, embeddings, role, scheduler } = this.#core;
    if (embeddings === undefined || role === "encode") {
      scheduler.prefill(this);
      return;
    }
    const onLoaded = (loaded: readonly boolean[]): void => {
      if (this.phase === "done") return;
      for (const isLoaded of loaded) if (!isLoaded) counts.countRecompute("no_embedding");
      scheduler.prefill(this);
    };
    embeddings.load(this.#request).then(onLoaded, (error: unknown) => this.#fail(error));
  }

  #decode(firstTokenReady: boolean): void {
    this.phase = "streaming";
    this.#decoding = this.#choices.length;
    for (const choice of this.#choices) {
      if (!firstTokenReady || choice.step()) this.#core.scheduler.join(choice);
    }
  }

  #observeToken(choice: Choice): void {
    const now = this.#core.options.clock.now();
    if (this.#generatedTokens === 1) {
      this.#core.metrics.firstTokenSeconds.observe(this.#sinceArrivalSeconds());
    } else if (choice.generated > 1) {
      this.#core.metrics.interTokenSeconds.observe((now - choice.lastTokenAtMs) / 1_000);
    }
    choice.lastTokenAtMs = now;
  }

  #resume(): void {
    if (!this.#events.blocked || this.#reply.interrupted) return;
    this.#events.blocked = false;
    if (this.phase !== "streaming") return;
    for (const choice of this.#choices) this.#events.writeTokens(choice);
    if (this.#decoding === 0) this.#deliverWhenSent();
  }

  #deliverWhenSent(): void {
    const { stream } = this.#request;
    if (stream && this.#choices.some(({ sent, output }) => sent < output.tokenCount)) return;
    // A slow reader that catches up during the KV transfer comes here once more.
    if (this.#isDelivering) return;
    this.#isDelivering = true;
    const extras = this.#deliver();
    if (extras instanceof Promise) {
      const fail = (error: unknown): void => this.#fail(error);
      extras.then((settled) => this.#finish(settled), fail);
    } else this.#finish(extras);
  }

  #deliver(): ResponseExtras | Promise<ResponseExtras> {
    if (this.#leg.deliver === undefined || this.#fault?.kind === "no-kv-params") return {};
    const reason = this.#choices[0]!.output.finishReason;
    const extras = this.#leg.deliver({ reason }, this.#abort.signal);
    if (this.#fault?.kind !== "wrong-kv-params") return extras;
    return Promise.resolve(extras).then(withWrongParams);
  }

  #finish(extras: ResponseExtras): void {
    if (this.phase === "done") return;
    const outputs = this.#choices.map((choice) => choice.output);
    const usage = this.#usage(this.#generatedTokens);
    if (!this.#request.stream) {
      const body = this.#format.whole(outputs, usage, extras);
      this.#reply.onUndelivered = extras.undelivered;
      if (this.#reply.send(200, body, "application/json", extras.headers)) this.#succeed();
      return;
    }
    // A fault may stall the response at its very last event; then it stays open until the client disconnects.
    this.#events.write(this.#format.streamEnd(outputs, usage));
    if (this.#reply.interrupted) return;
    this.#reply.endEvents();
    this.#succeed();
  }

  /** The KV transfer failed in a way that the engine reports to its client. */
  #fail(cause: unknown): void {
    if (this.phase === "done") return;
    this.#core.counts.failed++;
    const error =
      cause instanceof RequestError
        ? cause
        : new RequestError(500, "InternalServerError", String(cause));
    if (!this.#request.stream) {
      if (this.#reply.send(error.status, this.#errorBody(error))) this.#end("error");
      return;
    }
    this.#events.write(this.#format.error(error));
    if (this.#reply.interrupted) return;
    this.#reply.endEvents();
    this.#end("error");
  }

  #succeed(): void {
    this.#core.metrics.requestSeconds.observe(this.#sinceArrivalSeconds());
    this.#end(this.#choices[0]!.output.finishReason);
  }

  #end(reason: string): void {
    this.phase = "done";
    this.#core.metrics.countFinished(reason);
    this.#core.remove(this);
  }

  #usage(completionTokens: number): Usage {
    const promptTokens = this.#promptTokens;
    const reportsCached = this.#core.options.promptTokensDetails;
    const namesNulls = this.#core.family === "vllm";
    const cachedTokens = this.#cachedTokens;
    return { promptTokens, completionTokens, cachedTokens, reportsCached, namesNulls };
  }

  #sinceArrivalSeconds(): number {
    return (this.#core.options.clock.now() - this.#arrivedAtMs) / 1_000;
  }
}

/** What the next engine needs, as texts in place of objects. */
function withWrongParams({ top, choice }: ResponseExtras): ResponseExtras {
  const wrong = (values: ResponseExtras["top"]) =>
    Object.fromEntries(Object.keys(values ?? {}).map((key) => [key, '"none"']));
  return { top: wrong(top), choice: wrong(choice) };
}
