/** `POST /generate`: SGLang's own API (`managers/io_struct.py`, `managers/tokenizer_manager.py`). */

import { z } from "zod";
import { type InferenceRequest, inferenceRequest } from "../inference-request.ts";
import { check } from "../json-body.ts";
import { promptsOf } from "../prompts.ts";
import { badRequest, type RequestError } from "../request-error.ts";
import type { PlannedOutput } from "../tokens.ts";
import { type AnswerFormat, dataEvent, type Endpoint, type Usage } from "./endpoint.ts";
import { tokenIdsJson } from "./logprobs.ts";

const count = z.number().int().min(0).nullish();
const sampling = z.looseObject({
  max_new_tokens: count,
  min_new_tokens: count,
  n: z.number().int().min(1).nullish(),
  stop: z.union([z.string(), z.array(z.string())]).nullish(),
  sampling_seed: z.number().nullish(),
});
const ids = z.array(z.number().int().min(0)).min(1);

const schema = z.looseObject({
  text: z.union([z.string(), z.array(z.string()).min(1)]).nullish(),
  input_ids: z.union([ids, z.array(ids).min(1)]).nullish(),
  sampling_params: z.union([sampling, z.array(sampling).min(1)]).nullish(),
  stream: z.boolean().nullish(),
  rid: z.union([z.string(), z.array(z.string())]).nullish(),
});

/** SGLang's own default. */
const usualTokens = 128;

export const sglangGenerate: Endpoint = {
  path: "/generate",
  families: ["sglang"],
  errorBody: sglangError,

  read(body, served) {
    const fields = check(schema, body.fields);
    const { text, input_ids, sampling_params } = fields;
    if ((text ?? undefined) !== undefined && (input_ids ?? undefined) !== undefined) {
      throw badRequest("Either text, input_ids or input_embeds should be provided.");
    }
    const params = Array.isArray(sampling_params) ? sampling_params : [sampling_params ?? {}];
    const [first] = params as [z.output<typeof sampling>];
    if (params.some((one) => JSON.stringify(one) !== JSON.stringify(first))) {
      throw badRequest(
        "This simulated engine takes sampling_params that are the same for all prompts.",
      );
    }
    const parts = {
      model: null,
      stream: fields.stream ?? false,
      includeUsage: false,
      // Each event tells it.
      continuousUsage: true,
      n: first.n ?? 1,
      seed: first.sampling_seed,
      minTokens: first.min_new_tokens ?? 0,
      stop: typeof first.stop === "string" ? [first.stop] : (first.stop ?? []),
      includeStop: false,
      endpointName: "generate",
      idPrefix: "",
      body,
      prompts: promptsOf(text ?? input_ids ?? ""),
      maxTokens: first.max_new_tokens ?? usualTokens,
    };
    return inferenceRequest(parts, served);
  },

  format: (request, requestId) => new GenerateFormat(request, requestId),
};

class GenerateFormat implements AnswerFormat {
  readonly #request: InferenceRequest;
  readonly #id: string;
  readonly #isBatch: boolean;

  constructor(request: InferenceRequest, requestId: string) {
    const { rid, text, input_ids: list } = request.handoffFields;
    this.#request = request;
    this.#id = typeof rid === "string" ? rid : requestId;
    const isList = Array.isArray(text) || (Array.isArray(list) && Array.isArray(list[0]));
    this.#isBatch = isList || request.n > 1;
  }

  whole(outputs: readonly PlannedOutput[], usage: Usage): string {
    const answers = outputs.map((output, index) =>
      this.#answer(index, output, output.tokenCount, usage),
    );
    return this.#isBatch ? `[${answers.join()}]` : answers[0]!;
  }

  begin(): readonly string[] {
    return [];
  }

  /** All that there is up to this token. */
  token(index: number, output: PlannedOutput, position: number, usage: Usage | undefined): string {
    const json = this.#answer(index, output, position + 1, usage!);
    return dataEvent(this.#isBatch ? `${json.slice(0, -1)},"index":${index}}` : json);
  }

  end(): readonly string[] {
    return [dataEvent("[DONE]")];
  }

  error(error: RequestError): readonly string[] {
    return [dataEvent(sglangError(error)), dataEvent("[DONE]")];
  }

  #answer(index: number, output: PlannedOutput, tokens: number, usage: Usage): string {
    let text = "";
    for (let position = 0; position < tokens; position += 1) text += output.delta(position);
    const counted = Math.min(tokens, output.countedTokens);
    const meta = {
      id: this.#id,
      finish_reason: tokens === output.tokenCount ? finishOf(output) : null,
      prompt_tokens: this.#request.prompts[Math.floor(index / this.#request.n)]!.tokens,
      weight_version: "default",
      completion_tokens: counted,
      cached_tokens: usage.cachedTokens,
    };
    const outputIds = tokenIdsJson(output, 0, counted);
    return `{"text":${JSON.stringify(text)},"output_ids":${outputIds},"meta_info":${JSON.stringify(meta)}}`;
  }
}

function finishOf({ finishReason, stopReason, countedTokens }: PlannedOutput) {
  if (finishReason === "length") return { type: "length", length: countedTokens };
  return { type: "stop", matched: stopReason };
}

function sglangError({ message }: RequestError): string {
  return JSON.stringify({ error: { message } });
}
