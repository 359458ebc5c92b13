/** The life of one inference request in an engine: waiting, prefill or KV transfer, decode, and every way out of it. */

import type { Acquired, Leg, ResponseExtras } from "../dialects/dialect.ts";
import type { ResponseFormat, Usage } from "../endpoints/endpoint.ts";
import { checkEcho } from "../endpoints/logprobs.ts";
import type { ResponseSink } from "../http/reply.ts";
import { RequestError } from "../http/request-error.ts";
import { type LengthWishes, PlannedOutput } from "../model/tokens.ts";
import type { EngineCore } from "./core.ts";
import type { Fault } from "./faults.ts";
import type { InferenceRequest } from "./inference-request.ts";
import type { PrefillTicket, Sequence } from "./timing.ts";

/** What a job works on. */
export interface JobParts {
  readonly request: InferenceRequest;
  readonly leg: Leg;
  readonly format: ResponseFormat;
  readonly reply: ResponseSink;
  readonly fault: Fault | undefined;
  errorBody(error: RequestError): string;
}

/** `waiting` includes a KV transfer; `streaming` is decode, whether the answer is streamed or not. */
export type Phase = "waiting" | "prefilling" | "streaming" | "done";

export class InferenceJob implements PrefillTicket {
  phase: Phase = "waiting";
  readonly tokens: number;
  readonly #core: EngineCore;
  readonly #request: InferenceRequest;
  readonly #leg: Leg;
  readonly #format: ResponseFormat;
  readonly #reply: ResponseSink;
  readonly #fault: Fault | undefined;
  readonly #errorBody: (error: RequestError) => string;
  readonly #gone = new AbortController();
  readonly #choices: Choice[] = [];
  readonly #arrivedAtMs: number;
  #cachedTokens: number;
  #generatedTokens = 0;
  #decoding = 0;
  #blocked = false;
  #delivered = false;
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
    const { continues } = leg;
    for (const prompt of request.prompts) {
      const lengths = limited(prompt.lengths, leg.tokensMax);
      const { outputSeed } = continues ?? prompt;
      for (let index = 0; index < request.n; index++) {
        const output = new PlannedOutput(outputSeed, index, lengths, continues?.tokens);
        if (output.finishReason === "length" && lengths.maxTokens !== prompt.lengths.maxTokens) {
          output.finishReason = leg.cutReason ?? "length";
        }
        this.#choices.push(new Choice(this, this.#choices.length, output));
      }
    }
    reply.onDrain = () => this.#resume();
  }

  start(): void {
    // The client may have gone in the very moment in which its request was complete.
    if (this.phase === "done") return;
    if (this.#request.stream) {
      this.#reply.openEvents();
      this.#send(this.#format.opening?.() ?? []);
    }
    if (this.#leg.acquire === undefined) this.#prefill();
    else {
      const fail = (error: unknown): void => this.#fail(error);
      this.#leg.acquire(this.#gone.signal).then((acquired) => this.#go(acquired), fail);
    }
  }

  /** Starts only after so long; a client that goes away meanwhile is one that was waiting. */
  startAfter(delayMs: number): void {
    this.#cancelStart = this.#core.options.clock.after(delayMs, () => this.start());
  }

  onStart(): void {
    this.phase = "prefilling";
    this.#core.metrics.queueSeconds.observe(this.#sinceArrivalSeconds());
  }

  /** The prompt is computed, and with it the first token of each choice. */
  onDone(): void {
    this.#core.metrics.promptTokens += this.tokens;
    this.#decode(true);
  }

  /** The connection is gone, or the engine closes: stops at once whatever is under way. */
  abort(): void {
    if (this.phase === "done") return;
    if (!this.#reply.struck || this.#fault?.kind === "stall") {
      this.#core.counts.aborted[this.phase]++;
    }
    this.#cancelStart?.();
    this.#core.scheduler.cancelPrefill(this);
    for (const choice of this.#choices) this.#core.scheduler.leave(choice);
    this.#gone.abort();
    this.#leg.abandon?.();
    this.#leave("abort");
  }

  onToken(choice: Choice): void {
    if (choice.produced <= choice.output.countedTokens) {
      this.#generatedTokens++;
      this.#core.metrics.generatedTokens++;
    }
    this.#observeToken(choice);
    if (choice.produced === choice.output.tokenCount) this.#decoding--;
    if (this.#request.stream && !this.#blocked) this.#sendEvents(choice);
    if (this.#decoding === 0) this.#finishWhenSent();
  }

  #go({ kv, reason, firstToken, cachedTokens, end }: Acquired): void {
    if (this.phase === "done") return;
    if (end !== undefined) for (const { output } of this.#choices) output.endEarly(end);
    if (kv === "recompute") this.#core.countRecompute(reason ?? "unknown");
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
    if (kv === "remote") this.#core.counts.remotePrefills++;
    // The last token is always computed.
    this.#cachedTokens = cachedTokens ?? this.#request.promptTokens - 1;
    this.#decode(firstToken ?? false);
  }

  /** Images are encoded elsewhere, where there is such an engine; what cannot be had of it is encoded here. */
  #prefill(): void {
    const { embeddings, role, scheduler } = this.#core;
    if (embeddings === undefined || role === "encode") {
      scheduler.prefill(this);
      return;
    }
    const go = (loaded: readonly boolean[]): void => {
      if (this.phase === "done") return;
      for (const isLoaded of loaded) if (!isLoaded) this.#core.countRecompute("no_embedding");
      scheduler.prefill(this);
    };
    embeddings.load(this.#request).then(go, (error: unknown) => this.#fail(error));
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
    } else if (choice.produced > 1) {
      this.#core.metrics.interTokenSeconds.observe((now - choice.lastTokenAtMs) / 1_000);
    }
    choice.lastTokenAtMs = now;
  }

  /** Tokens that a slow reader has no room for are not kept: they can be made again from their position. */
  #sendEvents(choice: Choice): void {
    const { index, output } = choice;
    const { continuousUsage } = this.#request;
    while (choice.sent < choice.produced && !this.#blocked) {
      if (!choice.opened) {
        choice.opened = true;
        this.#send(this.#format.begin(index, continuousUsage ? this.#usage(0) : undefined));
        if (this.#blocked) return;
      }
      choice.sent++;
      const counted = Math.min(choice.sent, output.countedTokens);
      const usage = continuousUsage ? this.#usage(counted) : undefined;
      this.#send([this.#format.token(index, output, choice.sent - 1, usage)]);
    }
  }

  #send(events: readonly string[]): void {
    for (const event of events) {
      if (event !== "" && !this.#reply.event(event)) this.#blocked = true;
    }
  }

  #resume(): void {
    if (!this.#blocked || this.#reply.struck) return;
    this.#blocked = false;
    if (this.phase !== "streaming") return;
    for (const choice of this.#choices) this.#sendEvents(choice);
    if (this.#decoding === 0) this.#finishWhenSent();
  }

  #finishWhenSent(): void {
    const { stream } = this.#request;
    if (stream && this.#choices.some(({ sent, output }) => sent < output.tokenCount)) return;
    // A slow reader that catches up while KV is handed over comes here once more.
    if (this.#delivered) return;
    this.#delivered = true;
    const extras = this.#deliver();
    if (extras instanceof Promise) {
      const fail = (error: unknown): void => this.#fail(error);
      extras.then((settled) => this.#finish(settled), fail);
    } else this.#finish(extras);
  }

  #deliver(): ResponseExtras | Promise<ResponseExtras> {
    if (this.#leg.deliver === undefined || this.#fault?.kind === "no-kv-params") return {};
    const reason = this.#choices[0]!.output.finishReason;
    return this.#leg.deliver({ reason }, this.#gone.signal);
  }

  #finish(extras: ResponseExtras): void {
    if (this.phase === "done") return;
    const outputs = this.#choices.map((choice) => choice.output);
    const usage = this.#usage(this.#generatedTokens);
    if (!this.#request.stream) {
      const body = this.#format.whole(outputs, usage, extras);
      if (this.#reply.send(200, body, "application/json", extras.headers)) this.#succeed();
      return;
    }
    // A fault may hold the answer at its very last event; then it stays open until the client gives up.
    this.#send(this.#format.end(outputs, usage));
    if (this.#reply.struck) return;
    this.#reply.endEvents();
    this.#succeed();
  }

  /** The hand-off has failed in a way that the engine's clients hear of. */
  #fail(cause: unknown): void {
    if (this.phase === "done") return;
    this.#core.counts.failed++;
    const error =
      cause instanceof RequestError
        ? cause
        : new RequestError(500, "InternalServerError", String(cause));
    if (!this.#request.stream) {
      if (this.#reply.send(error.status, this.#errorBody(error))) this.#leave("error");
      return;
    }
    this.#send(this.#format.error(error));
    if (this.#reply.struck) return;
    this.#reply.endEvents();
    this.#leave("error");
  }

  #succeed(): void {
    this.#core.metrics.requestSeconds.observe(this.#sinceArrivalSeconds());
    this.#leave(this.#choices[0]!.output.finishReason);
  }

  #leave(reason: string): void {
    this.phase = "done";
    this.#core.metrics.countFinished(reason);
    this.#core.leave(this);
  }

  #usage(completionTokens: number): Usage {
    const { promptTokens } = this.#request;
    const tellsCached = this.#core.options.promptTokensDetails;
    return { promptTokens, completionTokens, cachedTokens: this.#cachedTokens, tellsCached };
  }

  #sinceArrivalSeconds(): number {
    return (this.#core.options.clock.now() - this.#arrivedAtMs) / 1_000;
  }
}

/** The lengths that the engine itself allows. */
function limited(lengths: LengthWishes, tokensMax: number | undefined): LengthWishes {
  if (tokensMax === undefined) return lengths;
  return {
    ...lengths,
    maxTokens: Math.min(lengths.maxTokens ?? tokensMax, tokensMax),
    minTokens: Math.min(lengths.minTokens, tokensMax),
  };
}

/** One choice of an answer, as far as it is produced and sent. */
class Choice implements Sequence {
  produced = 0;
  sent = 0;
  opened = false;
  lastTokenAtMs = 0;
  readonly index: number;
  readonly output: PlannedOutput;
  readonly #job: InferenceJob;

  constructor(job: InferenceJob, index: number, output: PlannedOutput) {
    this.#job = job;
    this.index = index;
    this.output = output;
  }

  step(): boolean {
    this.produced++;
    this.#job.onToken(this);
    return this.produced < this.output.tokenCount;
  }
}
