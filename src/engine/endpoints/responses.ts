/** `POST /v1/responses`, as vLLM words it (`entrypoints/openai/responses/protocol.py`, `serving.py`). */

import { z } from "zod";
import type { AnswerExtras } from "../dialects/dialect.ts";
import { type InferenceRequest, inferenceRequest } from "../inference-request.ts";
import { check } from "../json-body.ts";
import type { KeptResponses } from "../kept-responses.ts";
import { chatPrompt } from "../prompts.ts";
import { badRequest, RequestError } from "../request-error.ts";
import type { PlannedOutput } from "../tokens.ts";
import { type AnswerFormat, type Endpoint, namedEvent, type Usage } from "./endpoint.ts";
import { commonFields, commonParts, optionalInt } from "./openai.ts";

const { model, stream, seed, temperature, top_p, kv_transfer_params } = commonFields;

const schema = z.looseObject({
  model,
  stream,
  seed,
  temperature,
  top_p,
  kv_transfer_params,
  input: z.union([z.string(), z.array(z.looseObject({})).min(1)]),
  instructions: z.string().nullish(),
  max_output_tokens: optionalInt,
  previous_response_id: z.string().nullish(),
  request_id: z.string().nullish(),
  store: z.boolean().nullish(),
  tools: z.array(z.looseObject({ type: z.string() })).nullish(),
});

export const responses: Endpoint = {
  path: "/v1/responses",
  families: ["vllm", "sglang"],

  read(body, served, kept) {
    const fields = check(schema, body.fields);
    const { previous_response_id: previous, max_output_tokens: max } = fields;
    if (previous && !previous.startsWith("resp_")) {
      throw badRequest(
        `Invalid 'response_id': '${previous}'. Expected an ID that begins with 'resp'.`,
      );
    }
    if (previous && kept.get(previous) === undefined) throw noSuchResponse(previous);
    const parts = {
      ...commonParts(fields),
      // Its last event tells it, whatever the client asks for.
      includeUsage: true,
      endpointName: "responses",
      idPrefix: "resp",
      body,
      prompts: [chatPrompt(conversationOf(body.fields, kept), fields.tools)],
      maxTokens: max ?? undefined,
    };
    return inferenceRequest(parts, served);
  },

  format: (request, requestId, createdSeconds, kept) =>
    new ResponsesFormat(request, requestId, createdSeconds, kept),
};

export function noSuchResponse(id: string): RequestError {
  return new RequestError(
    404,
    "invalid_request_error",
    `Response with id '${id}' not found.`,
    "response_id",
  );
}

type Fields = Readonly<Record<string, unknown>>;

function conversationOf(fields: Fields, kept: KeptResponses): unknown[] {
  const { instructions, input, previous_response_id: previous } = fields;
  const before = typeof previous === "string" ? (kept.get(previous)?.conversation ?? []) : [];
  return [
    ...(typeof instructions === "string" ? [{ role: "system", content: instructions }] : []),
    ...before,
    ...(typeof input === "string" ? [{ role: "user", content: input }] : (input as unknown[])),
  ];
}

class ResponsesFormat implements AnswerFormat {
  readonly #fields: Fields;
  readonly #model: string;
  readonly #id: string;
  readonly #messageId: string;
  readonly #createdSeconds: number;
  readonly #kept: KeptResponses;
  #sequence = 0;

  constructor(
    { handoffFields, model: name }: InferenceRequest,
    requestId: string,
    createdSeconds: number,
    kept: KeptResponses,
  ) {
    const said = handoffFields["request_id"];
    this.#fields = handoffFields;
    this.#model = name;
    this.#id = typeof said === "string" ? said : `resp_${requestId}`;
    this.#messageId = `msg_${requestId}`;
    this.#createdSeconds = createdSeconds;
    this.#kept = kept;
  }

  whole(outputs: readonly PlannedOutput[], usage: Usage, extras: AnswerExtras): string {
    const [output] = outputs as [PlannedOutput];
    const params = extras.top?.["kv_transfer_params"] ?? "null";
    const json = JSON.stringify(this.#response(output, usage));
    this.#keep(json, output);
    return `${json.slice(0, -1)},"kv_transfer_params":${params}}`;
  }

  begin(): readonly string[] {
    const begun = { ...this.#response(undefined, undefined), output: [] };
    return [
      this.#event("response.created", { response: begun }),
      this.#event("response.in_progress", { response: begun }),
      this.#event("response.output_item.added", {
        output_index: 0,
        item: { ...this.#message(""), content: [], status: "in_progress" },
      }),
      this.#event("response.content_part.added", { ...this.#place(), part: textPart("") }),
    ];
  }

  token(_index: number, output: PlannedOutput, position: number): string {
    const delta = output.delta(position);
    return this.#event("response.output_text.delta", { ...this.#place(), delta, logprobs: [] });
  }

  end(outputs: readonly PlannedOutput[], usage: Usage): readonly string[] {
    const [output] = outputs as [PlannedOutput];
    const text = output.text();
    const response = this.#response(output, usage);
    this.#keep(JSON.stringify(response), output);
    return [
      this.#event("response.output_text.done", { ...this.#place(), text, logprobs: [] }),
      this.#event("response.content_part.done", { ...this.#place(), part: textPart(text) }),
      this.#event("response.output_item.done", { output_index: 0, item: this.#message(text) }),
      this.#event("response.completed", { response }),
    ];
  }

  error(error: RequestError): readonly string[] {
    return [
      this.#event("error", { code: String(error.status), message: error.message, param: null }),
    ];
  }

  #keep(json: string, output: PlannedOutput): void {
    if (this.#fields["store"] === false) return;
    const answer = { role: "assistant", content: output.text() };
    const conversation = [...conversationOf(this.#fields, this.#kept), answer];
    this.#kept.keep(this.#id, { json, conversation });
  }

  #event(type: string, members: object): string {
    return namedEvent(
      type,
      JSON.stringify({ type, sequence_number: this.#sequence++, ...members }),
    );
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

  /** Without an output it is one that has only begun. */
  #response(output: PlannedOutput | undefined, usage: Usage | undefined) {
    const {
      instructions = null,
      max_output_tokens = null,
      previous_response_id = null,
    } = this.#fields;
    const isCut = output?.finishReason === "length";
    const ended = isCut ? "incomplete" : "completed";
    return {
      id: this.#id,
      created_at: this.#createdSeconds,
      incomplete_details: isCut ? { reason: "max_output_tokens" } : null,
      instructions,
      metadata: null,
      model: this.#model,
      object: "response",
      output: [this.#message(output?.text() ?? "")],
      parallel_tool_calls: true,
      temperature: this.#fields["temperature"] ?? 1,
      tool_choice: "auto",
      tools: this.#fields["tools"] ?? [],
      top_p: this.#fields["top_p"] ?? 1,
      background: false,
      max_output_tokens,
      previous_response_id,
      service_tier: "auto",
      status: output === undefined ? "in_progress" : ended,
      truncation: "disabled",
      usage: usage === undefined ? null : usageOf(usage),
      user: null,
    };
  }
}

function textPart(text: string) {
  return { annotations: [], text, type: "output_text", logprobs: null };
}

function usageOf({ promptTokens, completionTokens, cachedTokens }: Usage) {
  return {
    input_tokens: promptTokens,
    input_tokens_details: { cached_tokens: cachedTokens },
    output_tokens: completionTokens,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: promptTokens + completionTokens,
  };
}
