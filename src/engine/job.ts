/** The life of one inference request in an engine: waiting, prefill or KV transfer, decode, and every way out of it. */

import { AnswerWriter, type Usage } from "./answers.ts";
import type { EngineCore } from "./core.ts";
import type { Fault } from "./faults.ts";
import { type Plan, planFor, type RecomputeReason } from "./handoff.ts";
import type { FinishedReason } from "./metrics.ts";
import type { InferenceRequest } from "./openai.ts";
import type { Reply } from "./reply.ts";
import type { PrefillTicket, Sequence } from "./timing.ts";
import { PlannedOutput } from "./tokens.ts";

/** `waiting` includes a KV transfer; `streaming` is decode, whether the answer is streamed or not. */
export type Phase = "waiting" | "prefilling" | "streaming" | "done";

export class InferenceJob implements PrefillTicket {
  phase: Phase = "waiting";
  readonly tokens: number;
  readonly #core: EngineCore;
  readonly #request: InferenceRequest;
  readonly #reply: Reply;
  readonly #fault: Fault | undefined;
  readonly #plan: Plan;
  readonly #requestId: string;
  readonly #writer: AnswerWriter;
  readonly #choices: Choice[] = [];
  readonly #arrivedAtMs: number;
  #generatedTokens = 0;
  #decoding = 0;
  #blocked = false;
  #usageSent = false;
  /** Whether KV at a prefill engine waits for this request. */
  #owesRelease: boolean;
  #cancelDelay: (() => void) | undefined;

  constructor(
    core: EngineCore,
    request: InferenceRequest,
    requestId: string,
    reply: Reply,
    fault: Fault | undefined,
  ) {
    this.#core = core;
    this.#request = request;
    this.#reply = reply;
    this.#fault = fault;
    this.#requestId = requestId;
    this.#arrivedAtMs = core.options.clock.now();
    this.#plan = planFor(core.options.role, request);
    this.#owesRelease = this.#plan.do === "fetch";
    this.#writer = new AnswerWriter(request, requestId, core.createdSeconds());
    this.tokens = request.promptTokens - core.visitPrefixCache(request);
    for (const { outputSeed } of request.prompts) {
      for (let index = 0; index < request.n; index++) {
        const output = new PlannedOutput(outputSeed, index, request.lengths);
        this.#choices.push(new Choice(this, this.#choices.length, output));
      }
    }
    reply.onDrain = () => this.#resume();
  }

  start(): void {
    // The client may have gone in the very moment in which its request was complete.
    if (this.phase === "done") return;
    if (this.#plan.do !== "fetch" && this.#plan.do !== "recompute" && this.#plan.violation) {
      this.#core.counts.protocolViolations++;
    }
    if (this.#request.stream) this.#reply.openEvents();
    if (this.#plan.do === "fetch")
      this.#delay(this.#core.options.kvTransferMs, () => this.#fetch());
    else if (this.#plan.do === "recompute") this.#recompute(this.#plan.reason);
    else this.#core.scheduler.prefill(this);
  }

  /** Starts only after so long; a client that goes away meanwhile is one that was waiting. */
  startAfter(delayMs: number): void {
    this.#delay(delayMs, () => this.start());
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
    this.#cancelDelay?.();
    this.#core.scheduler.cancelPrefill(this);
    for (const choice of this.#choices) this.#core.scheduler.leave(choice);
    if (this.#owesRelease && this.#plan.do === "fetch")
      this.#core.kvClient.release(this.#plan.source);
    this.#leave("abort");
  }

  onToken(choice: Choice): void {
    this.#generatedTokens++;
    this.#core.metrics.generatedTokens++;
    this.#observeToken(choice);
    if (choice.produced === choice.output.tokenCount) this.#decoding--;
    if (this.#request.stream && !this.#blocked) this.#sendEvents(choice);
    if (this.#decoding === 0) this.#finishWhenSent();
  }

  #delay(delayMs: number, run: () => void): void {
    if (delayMs === 0) run();
    else this.#cancelDelay = this.#core.options.clock.after(delayMs, run);
  }

  #fetch(): void {
    if (this.#plan.do !== "fetch") return;
    this.#core.kvClient.fetch(this.#plan.source, this.#request.promptHash, (outcome) => {
      if (this.phase === "done") return;
      this.#owesRelease = false;
      if (outcome !== "ok") this.#recompute(outcome);
      else {
        this.#core.counts.remotePrefills++;
        this.#decode(false);
      }
    });
  }

  #recompute(reason: RecomputeReason): void {
    this.#core.counts.recomputed[reason]++;
    this.#core.scheduler.prefill(this);
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
    while (choice.sent < choice.produced && !this.#blocked) {
      const { continuousUsage } = this.#request;
      if (!choice.opened) {
        choice.opened = true;
        const role = this.#writer.role(choice.index, continuousUsage ? this.#usage(0) : undefined);
        if (role !== undefined && !this.#reply.event(role)) {
          this.#blocked = true;
          return;
        }
      }
      choice.sent++;
      const usage = continuousUsage ? this.#usage(choice.sent) : undefined;
      const event = this.#writer.token(choice.index, choice.output, choice.sent - 1, usage);
      if (!this.#reply.event(event)) this.#blocked = true;
    }
  }

  #resume(): void {
    if (this.phase !== "streaming" || !this.#blocked || this.#reply.struck) return;
    this.#blocked = false;
    for (const choice of this.#choices) this.#sendEvents(choice);
    if (this.#decoding === 0) this.#finishWhenSent();
  }

  #finishWhenSent(): void {
    if (!this.#request.stream) this.#finishWhole();
    else if (this.#choices.every((choice) => choice.sent === choice.output.tokenCount)) {
      this.#finishStream();
    }
  }

  #finishWhole(): void {
    const holds = this.#plan.do === "prefill-and-hold" && this.#fault?.kind !== "no-kv-params";
    const kvParams = holds ? this.#core.holdKv(this.#requestId, this.#request) : "null";
    const outputs = this.#choices.map((choice) => choice.output);
    const usage = this.#usage(this.#generatedTokens);
    if (this.#reply.send(200, this.#writer.whole(outputs, usage, kvParams))) this.#succeed();
  }

  #finishStream(): void {
    // A fault may hold the answer at its very last event; then it stays open until the client gives up.
    if (this.#reply.struck) return;
    if (this.#request.includeUsage && !this.#usageSent) {
      this.#usageSent = true;
      this.#reply.event(this.#writer.usage(this.#usage(this.#generatedTokens)));
    }
    this.#reply.event("[DONE]");
    if (this.#reply.struck) return;
    this.#reply.endEvents();
    this.#succeed();
  }

  #succeed(): void {
    this.#core.metrics.requestSeconds.observe(this.#sinceArrivalSeconds());
    this.#leave(this.#choices[0]!.output.finishReason);
  }

  #leave(reason: FinishedReason): void {
    this.phase = "done";
    this.#core.metrics.finished[reason]++;
    this.#core.leave(this);
  }

  #usage(completionTokens: number): Usage {
    return { promptTokens: this.#request.promptTokens, completionTokens };
  }

  #sinceArrivalSeconds(): number {
    return (this.#core.options.clock.now() - this.#arrivedAtMs) / 1_000;
  }
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
