/**
 * `POST /v1/messages` and its `count_tokens`: Anthropic's API in vLLM's wording (`entrypoints/anthropic/protocol.py`,
 * `serving.py`).
 */

import { z } from "zod";
import { check } from "../http/json-body.ts";
import { badRequest, type RequestError } from "../http/request-error.ts";
import type { PlannedOutput } from "../model/planned-output.ts";
import { chatPrompt } from "../model/prompts.ts";
import { type InferenceRequest, inferenceRequest } from "../request/inference-request.ts";
import type { ResponseExtras } from "../request/response-extras.ts";
import { requireServed } from "../request/served-models.ts";
import {
  doneEvent,
  type Endpoint,
  namedEvent,
  type ResponseFormat,
  type SimpleEndpoint,
  type Usage,
} from "./endpoint.ts";
import { commonFields, commonParts } from "./openai/format.ts";

const { stream, temperature, top_p, kv_transfer_params } = commonFields;
const blocks = z.array(z.looseObject({ type: z.string() }));

const countSchema = z.looseObject({
  model: z.string(),
  system: z.union([z.string(), blocks]).nullish(),
  messages: z
    .array(
      z.looseObject({
        role: z.enum(["user", "assistant", "system"]),
        content: z.union([z.string(), blocks]),
      }),
    )
    .min(1),
  tools: z.array(z.looseObject({ name: z.string() })).nullish(),
});

const schema = countSchema.extend({
  stream,
  temperature,
  top_p,
  kv_transfer_params,
  max_tokens: z.number().int(),
  stop_sequences: z.array(z.string()).nullish(),
});

export const messages: Endpoint = {
  path: "/v1/messages",
  errorBody: anthropicError,

  read(body, served) {
    const fields = check(schema, body.fields);
    if (fields.max_tokens < 1) throw badRequest("max_tokens must be positive");
    const parts = {
      ...commonParts(fields),
      // The first event has the usage of the prompt.
      continuousUsage: true,
      stop: fields.stop_sequences ?? [],
      endpointName: "messages",
      idPrefix: "chatcmpl",
      body,
      prompts: [promptOf(body.fields)],
      maxTokens: fields.max_tokens,
      maxTokensName: "max_completion_tokens",
    };
    return inferenceRequest(parts, served);
  },

  format: (request, requestId) => new MessagesFormat(request, requestId),
};

export const countTokens: SimpleEndpoint = {
  path: "/v1/messages/count_tokens",
  errorBody: anthropicError,

  response({ fields }, served) {
    const { model } = check(countSchema, fields);
    requireServed(model, served);
    return JSON.stringify({ input_tokens: promptOf(fields).tokens });
  },
};

function promptOf({ system, messages: list, tools }: Readonly<Record<string, unknown>>) {
  const first = system ? [{ role: "system", content: system }] : [];
  return chatPrompt([...first, ...(list as unknown[])], tools);
}

class MessagesFormat implements ResponseFormat {
  readonly #id: string;
  readonly #model: string;
  #hasText = false;

  constructor({ idPrefix, model }: InferenceRequest, requestId: string) {
    this.#id = `${idPrefix}-${requestId}`;
    this.#model = model;
  }

  whole(outputs: readonly PlannedOutput[], usage: Usage, extras: ResponseExtras): string {
    const [output] = outputs as [PlannedOutput];
    const text = output.text();
    const content = text === "" ? [] : [{ type: "text", text }];
    const json = JSON.stringify({
      ...this.#message(content),
      ...endOf(output),
      usage: usageOf(usage),
    });
    const params = extras.top?.["kv_transfer_params"];
    return params === undefined ? json : `${json.slice(0, -1)},"kv_transfer_params":${params}}`;
  }

  choiceStart(_index: number, usage: Usage | undefined): readonly string[] {
    const message = {
      ...this.#message([]),
      stop_reason: null,
      stop_sequence: null,
      usage: usage && usageOf(usage),
    };
    return [event("message_start", { message })];
  }

  token(_index: number, output: PlannedOutput, position: number): string {
    const text = output.delta(position);
    if (text === "") return "";
    const block = { index: 0, content_block: { type: "text", text: "" } };
    const start = this.#hasText ? "" : event("content_block_start", block);
    this.#hasText = true;
    return start + event("content_block_delta", { index: 0, delta: { type: "text_delta", text } });
  }

  streamEnd(outputs: readonly PlannedOutput[], usage: Usage): readonly string[] {
    const delta = endOf(outputs[0]!);
    return [
      this.#hasText ? event("content_block_stop", { index: 0 }) : "",
      event("message_delta", { delta, usage: usageOf(usage) }),
      event("message_stop", {}),
    ];
  }

  error(error: RequestError): readonly string[] {
    return [namedEvent("error", anthropicError(error)), doneEvent];
  }

  #message(content: readonly object[]) {
    return { id: this.#id, type: "message", role: "assistant", content, model: this.#model };
  }
}

function event(type: string, members: object): string {
  return namedEvent(type, JSON.stringify({ type, ...members }));
}

/** As in vLLM, null members are left out, and a stop sequence counts as the end of the text. */
function endOf({ finishReason }: PlannedOutput) {
  const stop_reason = stopReasons[finishReason];
  return stop_reason === undefined ? {} : { stop_reason };
}

const stopReasons: Readonly<Record<string, string>> = { stop: "end_turn", length: "max_tokens" };

function usageOf({ promptTokens, completionTokens, cachedTokens, reportsCached }: Usage) {
  return {
    input_tokens: promptTokens,
    output_tokens: completionTokens,
    ...(reportsCached && cachedTokens > 0 && { cache_read_input_tokens: cachedTokens }),
  };
}

function anthropicError({ type, message }: RequestError): string {
  return JSON.stringify({ type: "error", error: { type, message } });
}
