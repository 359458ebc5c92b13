/**
 * `POST /generate`: SGLang's own API (`managers/io_struct.py`, `managers/tokenizer_manager.py`,
 * `sampling/sampling_params.py`).
 */

import { z } from "zod";
import { check } from "../../http/json-body.ts";
import { badRequest, type RequestError } from "../../http/request-error.ts";
import type { PlannedOutput } from "../../model/planned-output.ts";
import { promptsOf } from "../../model/prompts.ts";
import {
  type InferenceRequest,
  inferenceRequest,
  type LengthFields,
} from "../../request/inference-request.ts";
import { noTokenOptions } from "../../request/token-options.ts";
import {
  dataEvent,
  doneEvent,
  type Endpoint,
  type ResponseFormat,
  type Usage,
} from "../endpoint.ts";
import { sglangOutputLogprobs, sglangPromptLogprobs, tokenIdsJson } from "../logprobs.ts";

const count = z.number().int().min(0).nullish();
const sampling = z.looseObject({
  max_new_tokens: count,
  min_new_tokens: count,
  n: z.number().int().min(1).nullish(),
  stop: z.union([z.string(), z.array(z.string())]).nullish(),
  no_stop_trim: z.boolean().nullish(),
  sampling_seed: z.number().nullish(),
  temperature: z.number().min(0).nullish(),
  top_p: z.number().gt(0).max(1).nullish(),
});
const ids = z.array(z.number().int().min(0)).min(1);
const oneOrList = <T extends z.ZodType>(one: T) => z.union([one, z.array(one)]).nullish();

const schema = z.looseObject({
  text: z.union([z.string(), z.array(z.string()).min(1)]).nullish(),
  input_ids: z.union([ids, z.array(ids).min(1)]).nullish(),
  sampling_params: z.union([sampling, z.array(sampling).min(1)]).nullish(),
  stream: z.boolean().nullish(),
  rid: oneOrList(z.string()),
  return_logprob: oneOrList(z.boolean()),
  logprob_start_len: oneOrList(z.number().int()),
});

type Sampling = z.output<typeof sampling>;

/** SGLang's own default. */
const usualTokens = 128;

export const sglangGenerate: Endpoint = {
  path: "/generate",
  families: ["sglang"],
  errorBody: sglangError,

  read(body, served) {
    const { text, input_ids, sampling_params: params, stream, rid } = check(schema, body.fields);
    // If both are there, the ids count.
    const input = input_ids ?? text ?? undefined;
    if (input === undefined) {
      throw badRequest("Either text, input_ids or input_embeds should be provided.");
    }
    const prompts = promptsOf(input);
    const list = Array.isArray(params) ? params : [params ?? {}];
    const first = list[0]!;
    if (Array.isArray(params) && params.length !== prompts.length) {
      throw badRequest("The length of sampling_params should be equal to the batch size.");
    }
    if (list.some(({ n }) => (n ?? 1) !== (first.n ?? 1))) {
      throw badRequest(
        "The parallel_sample_num should be the same for all samples in sample params.",
      );
    }
    if (Array.isArray(rid) && rid.length !== prompts.length) {
      throw badRequest("The rid should be a list with the same length as the batch.");
    }
    const parts = {
      model: null,
      stream: stream ?? false,
      includeUsage: false,
      // Each event has the usage.
      continuousUsage: true,
      n: first.n ?? 1,
      seed: first.sampling_seed,
      ...lengthsOf(first),
      ...(list.length > 1 && { lengthsByPrompt: list.map(lengthsOf) }),
      endpointName: "generate",
      idPrefix: "",
      body,
      prompts,
      tokenOptions: noTokenOptions,
    };
    return inferenceRequest(parts, served);
  },

  format: (request, requestId) => new GenerateFormat(request, requestId),
};

function lengthsOf({ max_new_tokens, min_new_tokens, stop, no_stop_trim }: Sampling): LengthFields {
  return {
    maxTokens: max_new_tokens ?? usualTokens,
    minTokens: min_new_tokens ?? 0,
    stop: typeof stop === "string" ? [stop] : (stop ?? []),
    includeStop: no_stop_trim ?? false,
  };
}

class GenerateFormat implements ResponseFormat {
  readonly #request: InferenceRequest;
  readonly #fields: z.output<typeof schema>;
  readonly #requestId: string;
  readonly #isBatch: boolean;
  /** The text of each choice that earlier events had. */
  readonly #texts: string[] = [];

  constructor(request: InferenceRequest, requestId: string) {
    this.#request = request;
    this.#fields = schema.parse(request.fields);
    this.#requestId = requestId;
    const input = this.#fields.text ?? this.#fields.input_ids ?? [];
    this.#isBatch = request.n > 1 || (Array.isArray(input) && typeof input[0] !== "number");
  }

  whole(outputs: readonly PlannedOutput[], usage: Usage): string {
    const parts = outputs.map((output, index) =>
      this.#response(index, output, output.text(), output.tokenCount, usage),
    );
    return this.#isBatch ? `[${parts.join()}]` : parts[0]!;
  }

  choiceStart(): readonly string[] {
    return [];
  }

  /** Each event has the whole text up to this token. */
  token(index: number, output: PlannedOutput, position: number, usage: Usage | undefined): string {
    const text = (this.#texts[index] ?? "") + output.delta(position);
    this.#texts[index] = text;
    const json = this.#response(index, output, text, position + 1, usage!);
    return dataEvent(this.#isBatch ? `${json.slice(0, -1)},"index":${index}}` : json);
  }

  streamEnd(): readonly string[] {
    return [doneEvent];
  }

  error(error: RequestError): readonly string[] {
    return [dataEvent(sglangError(error)), doneEvent];
  }

  #response(
    index: number,
    output: PlannedOutput,
    text: string,
    tokens: number,
    { cachedTokens }: Usage,
  ): string {
    const counted = Math.min(tokens, output.countedTokens);
    const which = Math.floor(index / this.#request.n);
    const prompt = this.#request.prompts[which]!;
    const meta = JSON.stringify({
      id: this.#idOf(index),
      finish_reason: tokens === output.tokenCount ? finishOf(output) : null,
      prompt_tokens: prompt.tokens,
      weight_version: "default",
      num_retractions: 0,
      completion_tokens: counted,
      // An upper bound for one prompt: the job only knows the sum over all prompts.
      cached_tokens: Math.min(cachedTokens, prompt.tokens - 1),
    });
    const { return_logprob, logprob_start_len } = this.#fields;
    const start = at(logprob_start_len, which) ?? -1;
    const logprobs = at(return_logprob, which)
      ? `,"input_token_logprobs":${sglangPromptLogprobs(prompt, output, start)}` +
        `,"output_token_logprobs":${sglangOutputLogprobs(output, counted)}`
      : "";
    return (
      `{"text":${JSON.stringify(text)},"output_ids":${tokenIdsJson(output, 0, counted)},` +
      `"meta_info":${meta.slice(0, -1)}${logprobs}}}`
    );
  }

  /** Each sequence has its own id. */
  #idOf(index: number): string {
    const { rid } = this.#fields;
    if (Array.isArray(rid) && this.#request.n === 1) return rid[index]!;
    const id = typeof rid === "string" ? rid : this.#requestId;
    return this.#isBatch ? `${id}_${index}` : id;
  }
}

function at<T>(value: T | T[] | null | undefined, index: number): T | undefined {
  return (Array.isArray(value) ? value[index] : value) ?? undefined;
}

function finishOf({ finishReason, stopReason, countedTokens }: PlannedOutput) {
  if (finishReason === "length") return { type: "length", length: countedTokens };
  return { type: "stop", matched: stopReason ?? endOfTextId };
}

/** The token that is reported for a text that ends by itself. */
const endOfTextId = 2;

function sglangError({ message }: RequestError): string {
  return JSON.stringify({ error: { message } });
}
