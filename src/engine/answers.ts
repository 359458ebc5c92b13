/** The JSON that an engine answers with, in vLLM's shapes and key order. */

import type { Api, InferenceRequest } from "./openai.ts";
import type { PlannedOutput } from "./tokens.ts";

export interface Usage {
  readonly promptTokens: number;
  readonly completionTokens: number;
}

/** Renders one request's answer. What all events of a stream share is rendered once. */
export class AnswerWriter {
  readonly #api: Api;
  readonly #start: string;
  readonly #chunkStart: string;
  readonly #chatEnd: string;

  constructor(request: InferenceRequest, requestId: string, createdSeconds: number) {
    const chat = request.api === "chat";
    const id = `${chat ? "chatcmpl" : "cmpl"}-${requestId}`;
    this.#api = request.api;
    const rest = `"created":${createdSeconds},"model":${JSON.stringify(request.model)},"choices":[`;
    const start = `{"id":${JSON.stringify(id)},"object":`;
    this.#start = `${start}"${chat ? "chat.completion" : "text_completion"}",${rest}`;
    this.#chunkStart = `${start}"${chat ? "chat.completion.chunk" : "text_completion"}",${rest}`;
    this.#chatEnd = `,"service_tier":null,"system_fingerprint":null,`;
  }

  /** The whole answer of a request that does not stream. `kvTransferParams` is JSON. */
  whole(choices: readonly PlannedOutput[], usage: Usage, kvTransferParams: string): string {
    const rendered = choices.map((choice, index) => this.#choice(choice, index)).join(",");
    const promptFields =
      this.#api === "chat" ? `"prompt_logprobs":null,"prompt_token_ids":null,` : "";
    return (
      `${this.#start}${rendered}]${this.#chatEnd}"usage":${usageJson(usage)},` +
      `${promptFields}"kv_transfer_params":${kvTransferParams}}`
    );
  }

  /** The event with which a chat stream begins; a completions stream has none. */
  role(index: number, usage: Usage | undefined): string | undefined {
    if (this.#api !== "chat") return undefined;
    return (
      `${this.#chunkStart}{"index":${index},"delta":{"role":"assistant","content":""},` +
      `"logprobs":null,"finish_reason":null}]${this.#usageField(usage)}}`
    );
  }

  /** The event of one token; the last one of a choice carries the reason why it is the last. */
  token(index: number, choice: PlannedOutput, position: number, usage: Usage | undefined): string {
    const text = JSON.stringify(choice.delta(position));
    const last = position === choice.tokenCount - 1;
    const finish = last ? finishFields(choice) : `"finish_reason":null,"stop_reason":null`;
    const payload = this.#api === "chat" ? `"delta":{"content":${text}}` : `"text":${text}`;
    return (
      `${this.#chunkStart}{"index":${index},${payload},"logprobs":null,${finish}}]` +
      `${this.#usageField(usage)}}`
    );
  }

  /** The event with the usage alone, after all tokens. */
  usage(usage: Usage): string {
    return `${this.#chunkStart}],"usage":${usageJson(usage)}}`;
  }

  #choice(choice: PlannedOutput, index: number): string {
    const text = JSON.stringify(choice.text());
    if (this.#api === "completions") {
      return (
        `{"index":${index},"text":${text},"logprobs":null,${finishFields(choice)},` +
        `"token_ids":null,"prompt_logprobs":null,"prompt_token_ids":null}`
      );
    }
    return (
      `{"index":${index},"message":{"role":"assistant","content":${text},"refusal":null,` +
      `"annotations":null,"audio":null,"function_call":null,"tool_calls":[],` +
      `"reasoning_content":null},"logprobs":null,${finishFields(choice)},"token_ids":null}`
    );
  }

  /** vLLM's completions events always have the field, its chat events only when it has a value. */
  #usageField(usage: Usage | undefined): string {
    if (usage !== undefined) return `,"usage":${usageJson(usage)}`;
    return this.#api === "chat" ? "" : `,"usage":null`;
  }
}

function finishFields(choice: PlannedOutput): string {
  return `"finish_reason":"${choice.finishReason}","stop_reason":${JSON.stringify(choice.stopReason)}`;
}

function usageJson({ promptTokens, completionTokens }: Usage): string {
  return (
    `{"prompt_tokens":${promptTokens},"total_tokens":${promptTokens + completionTokens},` +
    `"completion_tokens":${completionTokens},"prompt_tokens_details":null}`
  );
}
