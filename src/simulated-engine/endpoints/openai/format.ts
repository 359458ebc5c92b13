/** What completions and chats share: fields, and responses in vLLM's shapes and key order. */

import { z } from "zod";
import { badRequest, type RequestError } from "../../http/request-error.ts";
import type { PlannedOutput } from "../../model/planned-output.ts";
import type { InferenceRequest, Prompt, RequestParts } from "../../request/inference-request.ts";
import type { ResponseExtras } from "../../request/response-extras.ts";
import { tokenOptionFields } from "../../request/token-options.ts";
import { dataEvent, doneEvent, type ResponseFormat, type Usage } from "../endpoint.ts";
import { promptIdsJson, promptLogprobsJson, tokenIdsJson } from "../logprobs.ts";

export const optionalInt = z.number().int().nullish();

export const commonFields = {
  model: z.string().nullish(),
  stream: z.boolean().nullish(),
  stream_options: z
    .looseObject({
      include_usage: z.boolean().nullish(),
      continuous_usage_stats: z.boolean().nullish(),
    })
    .nullish(),
  n: z.number().int().min(1).nullish(),
  max_tokens: optionalInt,
  min_tokens: z.number().int().min(0).nullish(),
  stop: z.union([z.string(), z.array(z.string())]).nullish(),
  include_stop_str_in_output: z.boolean().nullish(),
  // Any integer, also beyond 2^53.
  seed: z.number().nullish(),
  temperature: z.number().min(0).nullish(),
  top_p: z.number().gt(0).max(1).nullish(),
  kv_transfer_params: z.looseObject({}).nullish(),
  ...tokenOptionFields,
};

type CommonFields = z.output<z.ZodObject<typeof commonFields>>;

/** The parts that both endpoints read in the same way. Throws a RequestError. */
export function commonParts(fields: CommonFields) {
  const stream = fields.stream ?? false;
  if (fields.stream_options && !stream) {
    throw badRequest("Stream options can only be defined when `stream=True`.", "stream_options");
  }
  return {
    model: fields.model,
    stream,
    includeUsage: fields.stream_options?.include_usage ?? false,
    continuousUsage: fields.stream_options?.continuous_usage_stats ?? false,
    n: fields.n ?? 1,
    seed: fields.seed,
    minTokens: fields.min_tokens ?? 0,
    stop: typeof fields.stop === "string" ? [fields.stop] : (fields.stop ?? []),
    includeStop: fields.include_stop_str_in_output ?? false,
  } satisfies Partial<RequestParts>;
}

/** What differs between the two. Texts are given as JSON. */
export interface Shape {
  readonly object: string;
  readonly chunkObject: string;
  /** The member with a whole choice's text. */
  wholeText(text: string): string;
  /** The member with one token's text. */
  tokenText(text: string): string;
  /** The member with which a choice's stream begins; without it there is no such event. */
  readonly opening: string | undefined;
  /** The value of a whole choice's `logprobs`, and of one event's. */
  wholeLogprobs(request: InferenceRequest, prompt: Prompt, output: PlannedOutput): string;
  tokenLogprobs(
    request: InferenceRequest,
    prompt: Prompt,
    output: PlannedOutput,
    position: number,
  ): string;
  /** Members of a whole response's choices that are null unless the KV transfer sets them. */
  readonly choiceMembers: Members;
  /** The same members of the response itself. */
  readonly topMembers: Members;
  /** What events have in place of a usage that the client did not request. */
  readonly noUsage: string;
}

/** Values are JSON. */
type Members = Readonly<Record<string, string>>;

/** Renders one request's response. The part that all events of a stream share is rendered once. */
export class OpenAiFormat implements ResponseFormat {
  readonly #shape: Shape;
  readonly #request: InferenceRequest;
  readonly #start: string;
  readonly #chunkStart: string;

  constructor(shape: Shape, request: InferenceRequest, requestId: string, createdSeconds: number) {
    this.#shape = shape;
    this.#request = request;
    const id = JSON.stringify(`${request.idPrefix}-${requestId}`);
    const rest = `"created":${createdSeconds},"model":${JSON.stringify(request.model)},"choices":[`;
    this.#start = `{"id":${id},"object":"${shape.object}",${rest}`;
    this.#chunkStart = `{"id":${id},"object":"${shape.chunkObject}",${rest}`;
  }

  whole(outputs: readonly PlannedOutput[], usage: Usage, extras: ResponseExtras): string {
    const { wholeText, choiceMembers, topMembers } = this.#shape;
    const request = this.#request;
    const choices = outputs.map((output, index) => {
      const prompt = this.#promptOf(index);
      const { echoesOnly } = request.tokenOptions;
      const text = JSON.stringify(this.#echo(index) + (echoesOnly ? "" : output.text()));
      const logprobs = this.#shape.wholeLogprobs(request, prompt, output);
      const values = this.#valuesOf(choiceMembers, index, output);
      return (
        `{"index":${index},${wholeText(text)},"logprobs":${logprobs},` +
        `${finishFields(output)}${membersJson({ ...values, ...extras.choice })}}`
      );
    });
    const values = this.#valuesOf(topMembers, 0, outputs[0]!);
    return (
      `${this.#start}${choices.join(",")}],"service_tier":null,"system_fingerprint":null,` +
      `"usage":${usageJson(usage, usage.namesNulls)}${membersJson({ ...values, ...extras.top })}}`
    );
  }

  choiceStart(index: number, usage: Usage | undefined): readonly string[] {
    const { opening } = this.#shape;
    if (opening === undefined) return [];
    const finish = `"logprobs":null,"finish_reason":null`;
    return [this.#event(`{"index":${index},${opening},${finish}}`, usage)];
  }

  token(index: number, output: PlannedOutput, position: number, usage: Usage | undefined): string {
    const { tokenOptions } = this.#request;
    const prompt = this.#promptOf(index);
    const echo = position === 0 ? this.#echo(index) : "";
    const delta = tokenOptions.echoesOnly ? "" : output.delta(position);
    const text = this.#shape.tokenText(JSON.stringify(echo + delta));
    const logprobs = this.#shape.tokenLogprobs(this.#request, prompt, output, position);
    const counted = Math.min(position + 1, output.countedTokens);
    const last = position === output.tokenCount - 1;
    const finish = last ? finishFields(output) : `"finish_reason":null,"stop_reason":null`;
    return this.#event(
      `{"index":${index},${text},"logprobs":${logprobs},${finish}${this.#idMembers(index, output, position, counted)}}`,
      usage,
    );
  }

  /** vLLM gives an echo the prompt's ids, also where nobody asks for them. */
  #idMembers(index: number, output: PlannedOutput, position: number, counted: number): string {
    const { tokenIds, echo } = this.#request.tokenOptions;
    if (!tokenIds && !echo) return "";
    const promptIds = position === 0 ? promptIdsJson(this.#promptOf(index)) : "null";
    const prompt = this.#shape.opening === undefined ? `,"prompt_token_ids":${promptIds}` : "";
    return `${prompt},"token_ids":${tokenIds ? tokenIdsJson(output, position, counted) : "null"}`;
  }

  /** A requested usage has an event of its own. */
  streamEnd(_outputs: readonly PlannedOutput[], usage: Usage): readonly string[] {
    return this.#request.includeUsage ? [this.#event("", usage), doneEvent] : [doneEvent];
  }

  error(error: RequestError): readonly string[] {
    return [dataEvent(error.body()), doneEvent];
  }

  #promptOf(index: number): Prompt {
    return this.#request.prompts[Math.floor(index / this.#request.n)]!;
  }

  /** vLLM gives the ids in place of the text. */
  #echo(index: number): string {
    const { echo, tokenIds } = this.#request.tokenOptions;
    return echo && !tokenIds ? this.#promptOf(index).bytes.toString() : "";
  }

  /** The members, with values for those that the client requested. */
  #valuesOf(members: Members, index: number, output: PlannedOutput): Members {
    const { promptLogprobs, tokenIds } = this.#request.tokenOptions;
    const prompt = this.#promptOf(index);
    const values: Record<string, string> = { ...members };
    if (promptLogprobs !== undefined && "prompt_logprobs" in members) {
      values["prompt_logprobs"] = promptLogprobsJson(prompt, output, promptLogprobs);
    }
    if (tokenIds && "prompt_token_ids" in members)
      values["prompt_token_ids"] = promptIdsJson(prompt);
    if (tokenIds && "token_ids" in members) {
      values["token_ids"] = tokenIdsJson(output, 0, output.countedTokens);
    }
    return values;
  }

  #event(choice: string, usage: Usage | undefined): string {
    const field = usage === undefined ? this.#shape.noUsage : `,"usage":${usageJson(usage)}`;
    return dataEvent(`${this.#chunkStart}${choice}]${field}}`);
  }
}

function membersJson(members: Members): string {
  let json = "";
  for (const [key, value] of Object.entries(members)) json += `,${JSON.stringify(key)}:${value}`;
  return json;
}

function finishFields(output: PlannedOutput): string {
  const { finishReason, stopReason } = output;
  return `"finish_reason":"${finishReason}","stop_reason":${JSON.stringify(stopReason)}`;
}

/**
 * As in vLLM, the details are null when no token came from a cache.
 * @param namesNulls other details that it has nothing of are there, as null
 */
export function usageJson(
  { promptTokens, completionTokens, cachedTokens, reportsCached }: Usage,
  namesNulls = false,
): string {
  const others = namesNulls ? ',"multimodal_tokens":null' : "";
  const hasDetails = reportsCached && cachedTokens > 0;
  const details = hasDetails ? `{"cached_tokens":${cachedTokens}${others}}` : "null";
  return (
    `{"prompt_tokens":${promptTokens},"total_tokens":${promptTokens + completionTokens},` +
    `"completion_tokens":${completionTokens},"prompt_tokens_details":${details}}`
  );
}
