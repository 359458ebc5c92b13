/** `POST /inference/v1/generate`: vLLM's tokens in, tokens out (`entrypoints/serve/disagg/protocol.py`). */

import { z } from "zod";
import type { AnswerExtras } from "../dialects/dialect.ts";
import { type InferenceRequest, inferenceRequest } from "../inference-request.ts";
import { check } from "../json-body.ts";
import { promptsOf } from "../prompts.ts";
import type { RequestError } from "../request-error.ts";
import type { PlannedOutput } from "../tokens.ts";
import { type AnswerFormat, dataEvent, type Endpoint, type Usage } from "./endpoint.ts";
import { tokenIdsJson } from "./logprobs.ts";
import { commonFields, commonParts } from "./openai.ts";

const { model, stream, kv_transfer_params, ...sampling } = commonFields;

const schema = z.looseObject({
  model,
  stream,
  kv_transfer_params,
  stream_options: commonFields.stream_options,
  token_ids: z.array(z.number().int().min(0)).min(1),
  sampling_params: z.looseObject(sampling),
  request_id: z.string().nullish(),
});

export const vllmGenerate: Endpoint = {
  path: "/inference/v1/generate",
  families: ["vllm"],

  read(body, served) {
    const fields = check(schema, body.fields);
    const params = fields.sampling_params;
    const parts = {
      ...commonParts({
        ...params,
        model: fields.model,
        stream: fields.stream,
        stream_options: null,
      }),
      endpointName: "generate",
      idPrefix: "generate-tokens",
      body,
      prompts: promptsOf(fields.token_ids),
      // vLLM's own default.
      maxTokens: params.max_tokens ?? 16,
    };
    return inferenceRequest(parts, served);
  },

  format: (request, requestId) => new GenerateFormat(request, requestId),
};

class GenerateFormat implements AnswerFormat {
  readonly #id: string;

  constructor({ idPrefix, handoffFields }: InferenceRequest, requestId: string) {
    const said = handoffFields["request_id"];
    this.#id = JSON.stringify(`${idPrefix}-${typeof said === "string" ? said : requestId}`);
  }

  whole(outputs: readonly PlannedOutput[], _usage: Usage, extras: AnswerExtras): string {
    const choices = outputs.map((output, index) =>
      choiceJson(index, output.finishReason, tokenIdsJson(output, 0, output.countedTokens)),
    );
    const params = extras.top?.["kv_transfer_params"] ?? "null";
    return `${this.#start(choices.join())},"prompt_logprobs":null,"kv_transfer_params":${params}}`;
  }

  begin(): readonly string[] {
    return [];
  }

  token(index: number, output: PlannedOutput, position: number): string {
    const isLast = position === output.tokenCount - 1;
    const ids = tokenIdsJson(output, position, Math.min(position + 1, output.countedTokens));
    const choice = choiceJson(index, isLast ? output.finishReason : null, ids);
    return dataEvent(`${this.#start(choice)}}`);
  }

  end(): readonly string[] {
    return [dataEvent("[DONE]")];
  }

  error(error: RequestError): readonly string[] {
    return [dataEvent(error.body()), dataEvent("[DONE]")];
  }

  #start(choices: string): string {
    return `{"request_id":${this.#id},"choices":[${choices}]`;
  }
}

function choiceJson(index: number, finishReason: string | null, ids: string): string {
  const finish = JSON.stringify(finishReason);
  return `{"index":${index},"logprobs":null,"finish_reason":${finish},"token_ids":${ids}}`;
}
