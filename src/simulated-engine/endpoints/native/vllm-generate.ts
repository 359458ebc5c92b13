/** `POST /inference/v1/generate`: vLLM's token endpoint (`entrypoints/serve/disagg/protocol.py`, `serving.py`). */

import { z } from "zod";
import { check } from "../../http/json-body.ts";
import type { RequestError } from "../../http/request-error.ts";
import type { PlannedOutput } from "../../model/planned-output.ts";
import { promptsOf } from "../../model/prompts.ts";
import { type InferenceRequest, inferenceRequest } from "../../request/inference-request.ts";
import type { ResponseExtras } from "../../request/response-extras.ts";
import { readTokenOptions } from "../../request/token-options.ts";
import {
  dataEvent,
  doneEvent,
  type Endpoint,
  type ResponseFormat,
  type Usage,
} from "../endpoint.ts";
import { idLogprobs, promptLogprobsJson, tokenIdsJson } from "../logprobs.ts";
import { commonFields, commonParts, optionalInt, usageJson } from "../openai/format.ts";

const { model, stream, stream_options, kv_transfer_params, ...sampling } = commonFields;

const schema = z.looseObject({
  model,
  stream,
  stream_options,
  kv_transfer_params,
  token_ids: z.array(z.number().int().min(0)).min(1),
  sampling_params: z.looseObject({ ...sampling, logprobs: optionalInt }),
  request_id: z.string().optional(),
});

export const vllmGenerate: Endpoint = {
  path: "/inference/v1/generate",
  families: ["vllm"],

  read(body, served) {
    const fields = check(schema, body.fields);
    const { sampling_params: params, stream: isStream, stream_options: options } = fields;
    const parts = {
      ...commonParts({ ...params, model: fields.model, stream: isStream, stream_options: options }),
      tokenOptions: {
        ...readTokenOptions({ ...params, stream: isStream }, params.logprobs ?? undefined),
        echo: false,
      },
      endpointName: "generate",
      idPrefix: "generate-tokens",
      body,
      prompts: promptsOf(fields.token_ids),
      maxTokens: params.max_tokens ?? undefined,
    };
    return inferenceRequest(parts, served);
  },

  format: (request, requestId, createdSeconds) =>
    new GenerateFormat(request, requestId, createdSeconds),
};

class GenerateFormat implements ResponseFormat {
  readonly #request: InferenceRequest;
  readonly #id: string;
  readonly #createdSeconds: number;

  constructor(request: InferenceRequest, requestId: string, createdSeconds: number) {
    const requestedId = request.fields["request_id"];
    const id = `${request.idPrefix}-${typeof requestedId === "string" ? requestedId : requestId}`;
    this.#request = request;
    this.#id = JSON.stringify(id);
    this.#createdSeconds = createdSeconds;
  }

  whole(outputs: readonly PlannedOutput[], usage: Usage, extras: ResponseExtras): string {
    const { tokenOptions, model: name, prompts } = this.#request;
    const choices = outputs.map((output, index) =>
      this.#choice(index, output, 0, output.tokenCount),
    );
    const { promptLogprobs } = tokenOptions;
    const prompt =
      promptLogprobs === undefined
        ? "null"
        : promptLogprobsJson(prompts[0]!, outputs[0]!, promptLogprobs);
    const params = extras.top?.["kv_transfer_params"] ?? "null";
    return (
      `{"request_id":${this.#id},"model":${JSON.stringify(name)},"created":${this.#createdSeconds},` +
      `"choices":[${choices.join()}],"usage":${usageJson(usage)},"prompt_logprobs":${prompt},` +
      `"kv_transfer_params":${params}}`
    );
  }

  choiceStart(): readonly string[] {
    return [];
  }

  token(index: number, output: PlannedOutput, position: number, usage: Usage | undefined): string {
    return this.#event(this.#choice(index, output, position, position + 1), usage);
  }

  /** A requested usage has an event of its own. */
  streamEnd(_outputs: readonly PlannedOutput[], usage: Usage): readonly string[] {
    return this.#request.includeUsage ? [this.#event("", usage), doneEvent] : [doneEvent];
  }

  error(error: RequestError): readonly string[] {
    return [dataEvent(error.body()), doneEvent];
  }

  #event(choice: string, usage: Usage | undefined): string {
    const usageText = usage === undefined ? "null" : usageJson(usage);
    return dataEvent(`{"request_id":${this.#id},"choices":[${choice}],"usage":${usageText}}`);
  }

  #choice(index: number, output: PlannedOutput, from: number, to: number): string {
    const isLast = to === output.tokenCount;
    const counted = Math.min(to, output.countedTokens);
    return (
      `{"index":${index},"logprobs":${idLogprobs(this.#request, output, from, counted)},` +
      `"finish_reason":${isLast ? JSON.stringify(output.finishReason) : "null"},` +
      `"token_ids":${tokenIdsJson(output, from, counted)},"routed_experts":null}`
    );
  }
}
