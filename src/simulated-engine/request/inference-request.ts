/** An inference request, whichever endpoint it came to. */

import { createHash } from "node:crypto";
import { integersOf, type JsonBody } from "../http/json-body.ts";
import { badRequest, type RequestError } from "../http/request-error.ts";
import { choicesMax } from "../limits.ts";
import type { LengthLimits } from "../model/planned-output.ts";
import type { PromptText } from "../model/prompts.ts";
import type { EngineFamily } from "../roles.ts";
import { requireServed, type ServedModels } from "./served-models.ts";
import { noTokenOptions, type TokenOptions } from "./token-options.ts";

export interface Prompt extends PromptText {
  readonly lengths: LengthLimits;
  /** The response's text is a function of this. */
  readonly outputSeed: number;
}

export interface InferenceRequest {
  /** Prefix of the engine's own ids: `cmpl`, `chatcmpl`. */
  readonly idPrefix: string;
  readonly model: string;
  readonly stream: boolean;
  readonly includeUsage: boolean;
  readonly continuousUsage: boolean;
  /** Choices per prompt. */
  readonly n: number;
  /** Of the first prompt; at most endpoints all prompts have the same. */
  readonly lengths: LengthLimits;
  readonly prompts: readonly Prompt[];
  /** The `outputSeed` of another prompt in place of this one. */
  seedOf(prompt: Buffer): number;
  readonly tokenOptions: TokenOptions;
  /** Of all prompts. */
  readonly promptTokens: number;
  /** Hash of endpoint, model, prompts, messages and tools: it identifies the KV. */
  readonly promptHash: string;
  /** The parsed body, for the fields that only a dialect or an endpoint knows. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** The whole body, for numbers beyond 2^53: see `integersOf`. */
  readonly bodyText: string;
}

/** What the engine serves, and its limits. */
export interface Served extends ServedModels {
  readonly family: EngineFamily;
  /** Tokens of prompt and response together. */
  readonly maxModelLen: number;
  /** A response ends by itself after this many tokens; 0 = at its natural length. */
  readonly eosAfterTokens: number;
}

/** What a client requests about the length of a response. */
export interface LengthFields {
  readonly maxTokens: number | undefined;
  /** The member that `maxTokens` is from, where it is not called that. */
  readonly maxTokensName?: string;
  readonly minTokens: number;
  readonly stop: readonly string[];
  readonly includeStop: boolean;
}

/** What an endpoint reads from a body. */
export interface RequestParts extends LengthFields {
  /** Part of the prompt hash, so that the same text at two endpoints has different KV. */
  readonly endpointName: string;
  readonly idPrefix: string;
  readonly body: JsonBody;
  readonly model: string | null | undefined;
  readonly stream: boolean;
  readonly includeUsage: boolean;
  readonly continuousUsage: boolean;
  readonly n: number;
  readonly seed: number | null | undefined;
  readonly prompts: readonly PromptText[];
  /** For each prompt, where they differ. */
  readonly lengthsByPrompt?: readonly LengthFields[];
  /** Undefined at endpoints that return nothing about single tokens. */
  readonly tokenOptions?: TokenOptions;
}

/** Throws a RequestError. */
export function inferenceRequest(parts: RequestParts, served: Served): InferenceRequest {
  const { body, n } = parts;
  const model = parts.model ?? served.model;
  requireServed(model, served);
  if (n * parts.prompts.length > choicesMax) throw badRequest(`n is above ${choicesMax}.`, "n");
  const hashed = (bytes: Buffer): Buffer => hashOf(`${parts.endpointName}\0${model}\0`, bytes);
  const hashes = parts.prompts.map(({ bytes }) => hashed(bytes));
  const lengths = parts.prompts.map(({ tokens }, index) =>
    lengthsOf(parts.lengthsByPrompt?.[index] ?? parts, tokens, served),
  );
  const seed = seedText(body.text, parts.seed);
  const seedOf = (hash: Buffer): number => hashOf(seed, hash).readUInt32LE(0);
  return {
    idPrefix: parts.idPrefix,
    model,
    stream: parts.stream,
    includeUsage: parts.includeUsage,
    continuousUsage: parts.continuousUsage,
    n,
    lengths: lengths[0]!,
    prompts: parts.prompts.map((prompt, index) => ({
      ...prompt,
      lengths: lengths[index]!,
      outputSeed: seedOf(hashes[index]!),
    })),
    seedOf: (bytes) => seedOf(hashed(bytes)),
    tokenOptions: parts.tokenOptions ?? noTokenOptions,
    promptTokens: parts.prompts.reduce((sum, prompt) => sum + prompt.tokens, 0),
    promptHash: hashOf("", Buffer.concat(hashes)).toString("hex"),
    fields: body.fields,
    bodyText: body.text,
  };
}

function lengthsOf(fields: LengthFields, promptTokens: number, served: Served): LengthLimits {
  const { minTokens, stop, includeStop } = fields;
  const contextTokens = served.maxModelLen - promptTokens;
  const maxTokens = maxTokensOf(fields, promptTokens, served);
  const most = maxTokens ?? contextTokens;
  if (most < 1)
    throw refusedParameter(`max_tokens must be at least 1, got ${most}.`, "max_tokens", most);
  if (minTokens > most) {
    throw badRequest(
      `min_tokens must be less than or equal to max_tokens=${most}, got ${minTokens}.`,
    );
  }
  if (stop.includes("")) throw badRequest("stop cannot contain an empty string.", "stop");
  const { eosAfterTokens } = served;
  return { maxTokens, minTokens, stop, includeStop, contextTokens, eosAfterTokens };
}

/** vLLM 0.32 cuts a cap to what its context has left for the response; the others reject what exceeds that. */
function maxTokensOf(
  { maxTokens, maxTokensName = "max_tokens", minTokens }: LengthFields,
  promptTokens: number,
  { family, maxModelLen }: Served,
): number | undefined {
  const tooLong = `This model's maximum context length is ${maxModelLen} tokens. However,`;
  if (family !== "vllm") {
    const wanted = Math.max(maxTokens ?? 1, minTokens);
    if (promptTokens + wanted <= maxModelLen) return maxTokens;
    throw badRequest(
      `${tooLong} you requested ${wanted} output tokens and your prompt contains ${promptTokens} input tokens.`,
      "max_tokens",
    );
  }
  if (maxTokens !== undefined && maxTokens > maxModelLen) {
    throw refusedParameter(
      `${maxTokensName}=${maxTokens} cannot be greater than max_model_len=${maxModelLen}. ` +
        "Please request fewer output tokens.",
      maxTokensName,
      maxTokens,
    );
  }
  if (promptTokens > maxModelLen) {
    throw refusedParameter(
      `${tooLong} your prompt contains ${promptTokens} input tokens, which exceeds this limit even ` +
        "without any output tokens. Please reduce the length of the input prompt.",
      "input_tokens",
      promptTokens,
    );
  }
  return maxTokens && Math.min(maxTokens, maxModelLen - promptTokens);
}

/** As vLLM words what one of its parameters may not be. */
function refusedParameter(message: string, name: string, value: number): RequestError {
  return badRequest(`${message} (parameter=${name}, value=${value})`, name);
}

function hashOf(label: string, bytes: Buffer): Buffer {
  return createHash("sha256").update(label).update(bytes).digest();
}

/** A seed as text; beyond 2^53 its exact digits, so that a proxy that rounds it changes the response. */
function seedText(body: string, value: number | null | undefined): string {
  if (value === null || value === undefined) return "";
  if (Number.isSafeInteger(value)) return String(value);
  return integersOf(body, "seed")[0] ?? String(value);
}
