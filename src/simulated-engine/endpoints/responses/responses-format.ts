/** The responses and events of `/v1/responses` in vLLM's wording, and what is stored of them. */

import type { ResponseSink } from "../../http/reply.ts";
import type { RequestError } from "../../http/request-error.ts";
import type { PlannedOutput } from "../../model/planned-output.ts";
import type { InferenceRequest } from "../../request/inference-request.ts";
import type { ResponseExtras } from "../../request/response-extras.ts";
import { namedEvent, type ResponseFormat, type Usage } from "../endpoint.ts";
import type { StoredResponse, StoredResponses } from "./stored-responses.ts";

export interface ResponseOrigin {
  readonly requestId: string;
  readonly createdSeconds: number;
  /** The messages before the response. */
  readonly conversation: readonly unknown[];
  readonly stored: StoredResponses;
}

type Status = "queued" | "in_progress" | "completed" | "incomplete" | "cancelled" | "failed";

export class ResponsesFormat implements ResponseFormat {
  readonly #request: InferenceRequest;
  readonly #origin: ResponseOrigin;
  readonly #id: string;
  readonly #messageId: string;
  #sequence = 0;

  constructor(request: InferenceRequest, origin: ResponseOrigin) {
    const requestedId = request.fields["request_id"];
    this.#request = request;
    this.#origin = origin;
    this.#id = typeof requestedId === "string" ? requestedId : `resp_${origin.requestId}`;
    this.#messageId = `msg_${origin.requestId}`;
  }

  whole(outputs: readonly PlannedOutput[], usage: Usage, extras: ResponseExtras): string {
    const params = extras.top?.["kv_transfer_params"] ?? "null";
    return withParams(this.#finished(outputs[0]!, usage), params);
  }

  /** Sent before anything is computed. */
  streamStart(): readonly string[] {
    const response = this.#response("in_progress");
    return [
      this.#event("response.created", { response }),
      this.#event("response.in_progress", { response }),
    ];
  }

  choiceStart(): readonly string[] {
    const item = { ...this.#message(""), content: [], status: "in_progress" };
    return [
      this.#event("response.output_item.added", { output_index: 0, item }),
      this.#event("response.content_part.added", { ...this.#place(), part: textPart("") }),
    ];
  }

  token(_index: number, output: PlannedOutput, position: number): string {
    const delta = output.delta(position);
    if (delta === "") return "";
    return this.#event("response.output_text.delta", { ...this.#place(), delta, logprobs: [] });
  }

  streamEnd(outputs: readonly PlannedOutput[], usage: Usage): readonly string[] {
    const text = outputs[0]!.text();
    const response = this.#finished(outputs[0]!, usage);
    return [
      this.#event("response.output_text.done", { ...this.#place(), text, logprobs: [] }),
      this.#event("response.content_part.done", { ...this.#place(), part: textPart(text) }),
      this.#event("response.output_item.done", { output_index: 0, item: this.#message(text) }),
      this.#event("response.completed", { response }),
    ];
  }

  error({ status, message, param }: RequestError): readonly string[] {
    return [this.#event("error", { code: String(status), message, param })];
  }

  /** Responds to the client with a queued response, which it can poll by its id. */
  inBackground(client: ResponseSink, abort: () => void): ResponseSink {
    const { stored, conversation } = this.#origin;
    const now = (status: Status): StoredResponse => ({
      json: withParams(this.#response(status), "null"),
      conversation,
    });
    const queued = now("queued");
    const cancel = (): StoredResponse => {
      abort();
      return now("cancelled");
    };
    stored.store(this.#id, { ...queued, cancel });
    client.send(200, queued.json);
    return {
      onDrain: undefined,
      onUndelivered: undefined,
      interrupted: false,
      // A complete response has been stored by `whole` before.
      send: (status) => {
        if (status !== 200) stored.store(this.#id, now("failed"));
        return true;
      },
      openEvents() {},
      event: () => true,
      endEvents() {},
    };
  }

  #finished(output: PlannedOutput, usage: Usage): object {
    const status = output.finishReason === "length" ? "incomplete" : "completed";
    const response = this.#response(status, output.text(), usage);
    if (this.#request.fields["store"] !== false) {
      const conversation = [
        ...this.#origin.conversation,
        { role: "assistant", content: output.text() },
      ];
      this.#origin.stored.store(this.#id, { json: withParams(response, "null"), conversation });
    }
    return response;
  }

  #event(type: string, members: object): string {
    const numbered = { type, sequence_number: this.#sequence++, ...members };
    return namedEvent(type, JSON.stringify(numbered));
  }

  #place() {
    return { item_id: this.#messageId, output_index: 0, content_index: 0 };
  }

  #message(text: string) {
    const content = [textPart(text)];
    return {
      id: this.#messageId,
      content,
      role: "assistant",
      status: "completed",
      type: "message",
    };
  }

  #response(status: Status, text?: string, usage?: Usage): object {
    const { fields, lengths, model } = this.#request;
    const { maxTokens = lengths.contextTokens, contextTokens } = lengths;
    return {
      id: this.#id,
      created_at: this.#origin.createdSeconds,
      incomplete_details: status === "incomplete" ? { reason: "max_output_tokens" } : null,
      instructions: fields["instructions"] ?? null,
      metadata: fields["metadata"] ?? null,
      model,
      object: "response",
      output: text === undefined ? [] : [this.#message(text)],
      parallel_tool_calls: fields["parallel_tool_calls"] ?? true,
      temperature: fields["temperature"] ?? 1,
      tool_choice: fields["tool_choice"] ?? "auto",
      tools: fields["tools"] ?? [],
      top_p: fields["top_p"] ?? 1,
      background: fields["background"] ?? false,
      max_output_tokens: Math.min(maxTokens, contextTokens),
      max_tool_calls: fields["max_tool_calls"] ?? null,
      previous_response_id: fields["previous_response_id"] ?? null,
      prompt: null,
      reasoning: fields["reasoning"] ?? null,
      service_tier: fields["service_tier"] ?? "auto",
      status,
      text: fields["text"] ?? null,
      top_logprobs: fields["top_logprobs"] ?? null,
      truncation: fields["truncation"] ?? "disabled",
      usage: usage === undefined ? null : usageOf(usage),
      user: fields["user"] ?? null,
    };
  }
}

/** The parameters are inserted as text: a number in them may be beyond 2^53. */
function withParams(response: object, paramsJson: string): string {
  return `${JSON.stringify(response).slice(0, -1)},"kv_transfer_params":${paramsJson}}`;
}

function textPart(text: string) {
  return { annotations: [], text, type: "output_text", logprobs: null };
}

function usageOf({ promptTokens, completionTokens, cachedTokens }: Usage) {
  return {
    input_tokens: promptTokens,
    input_tokens_details: {
      cached_tokens: cachedTokens,
      input_tokens_per_turn: [],
      cached_tokens_per_turn: [],
    },
    output_tokens: completionTokens,
    output_tokens_details: {
      reasoning_tokens: 0,
      tool_output_tokens: 0,
      output_tokens_per_turn: [],
      tool_output_tokens_per_turn: [],
    },
    total_tokens: promptTokens + completionTokens,
  };
}
