/** Reads a completions or chat request as strictly as vLLM does, and says which prompt it is. */

import { createHash } from "node:crypto";
import { z } from "zod";
import { choicesMax } from "./options.ts";
import { badRequest, noSuchModel } from "./request-error.ts";
import { type LengthWishes, tokensOfBytes } from "./tokens.ts";

export type Api = "completions" | "chat";

export interface Prompt {
  /** What it consists of, for the prefix cache. */
  readonly bytes: Buffer;
  readonly tokens: number;
  /** The answer's text is a function of this. */
  readonly outputSeed: number;
}

/** The hand-off fields of a request; which of them count depends on the engine's role. */
export interface KvTransferParams {
  readonly doRemotePrefill: boolean;
  readonly doRemoteDecode: boolean;
  /** Where the KV is, when all that is needed to fetch it was said. */
  readonly source: KvSource | undefined;
}

export interface KvSource {
  readonly engineId: string;
  readonly requestId: string;
  readonly host: string;
  readonly port: number;
  /** The digits as they arrived; empty when they were lost on the way. */
  readonly fingerprint: string;
}

export interface InferenceRequest {
  readonly api: Api;
  readonly model: string;
  readonly stream: boolean;
  readonly includeUsage: boolean;
  readonly continuousUsage: boolean;
  readonly n: number;
  readonly lengths: LengthWishes;
  readonly prompts: readonly Prompt[];
  readonly promptTokens: number;
  /** Hash of model, prompts, messages and tools: what KV belongs to. */
  readonly promptHash: string;
  readonly kvTransferParams: KvTransferParams | undefined;
}

/** Digits beyond 2^53 in a hand-off; a proxy that parses and prints them changes them. */
export const fingerprintKey = "remote_kv_fingerprint";

const optionalInt = z.number().int().nullish();
const tokenIds = z.array(z.number().int().min(0));

const common = {
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
};

const completionsSchema = z.looseObject({
  ...common,
  prompt: z.union([
    z.string(),
    z.array(z.string()).min(1),
    tokenIds.min(1),
    z.array(tokenIds).min(1),
  ]),
});

const chatSchema = z.looseObject({
  ...common,
  max_completion_tokens: optionalInt,
  messages: z
    .array(
      z.looseObject({
        role: z.string(),
        content: z.union([z.string(), z.array(z.looseObject({ type: z.string() }))]).nullish(),
      }),
    )
    .min(1),
  tools: z.array(z.looseObject({ type: z.string() })).nullish(),
});

const sourceSchema = z.object({
  remote_engine_id: z.string(),
  remote_request_id: z.string(),
  remote_host: z.string(),
  remote_port: z.number().int().min(1).max(65_535),
});

type Common = z.output<z.ZodObject<typeof common>>;

/** Throws a RequestError. `body` is decoded here, because part of the check is on its very digits. */
export function readInferenceRequest(
  api: Api,
  body: Buffer,
  served: { readonly model: string; readonly maxModelLen: number },
): InferenceRequest {
  const text = decodeUtf8(body);
  const json = parseJson(text);
  const fields: Common = api === "chat" ? check(chatSchema, json) : check(completionsSchema, json);
  const model = fields.model ?? served.model;
  if (model !== served.model) throw noSuchModel(model);
  const stream = fields.stream ?? false;
  if (fields.stream_options && !stream) {
    throw badRequest("Stream options can only be defined when `stream=True`.", "stream_options");
  }
  const seedText = digitsOf(text, "seed", fields.seed);
  const texts = api === "chat" ? [chatText(json)] : promptTexts(json["prompt"]);
  const hashes = texts.map(({ bytes }) => hashOf(`${api}\0${model}\0`, bytes));
  const prompts = texts.map(({ bytes, tokens }, index) => ({
    bytes,
    tokens,
    outputSeed: hashOf(seedText, hashes[index]!).readUInt32LE(0),
  }));
  const promptTokens = prompts.reduce((sum, prompt) => sum + prompt.tokens, 0);
  const longest = prompts.reduce((max, prompt) => Math.max(max, prompt.tokens), 0);
  const n = fields.n ?? 1;
  if (n * prompts.length > choicesMax) throw badRequest(`n is above ${choicesMax}.`, "n");
  return {
    api,
    model,
    stream,
    includeUsage: fields.stream_options?.include_usage ?? false,
    continuousUsage: fields.stream_options?.continuous_usage_stats ?? false,
    n,
    lengths: readLengths(fields, maxTokensOf(api, json, fields), longest, served.maxModelLen),
    prompts,
    promptTokens,
    promptHash: hashOf("", Buffer.concat(hashes)).toString("hex"),
    kvTransferParams: readKvTransferParams(fields.kv_transfer_params, text),
  };
}

/** Reads the body of `/tokenize`; the result is the text whose tokens are wanted. */
export function readTokenizeRequest(body: Buffer, model: string): string {
  const json = parseJson(decodeUtf8(body));
  if (typeof json["model"] === "string" && json["model"] !== model)
    throw noSuchModel(json["model"]);
  if (typeof json["prompt"] === "string") return json["prompt"];
  check(chatSchema, json);
  return chatText(json).bytes.toString();
}

/** Chat has two names for it; the newer one has the last word. Its type was checked. */
function maxTokensOf(api: Api, json: Record<string, unknown>, fields: Common): number | undefined {
  const newer = api === "chat" ? (json["max_completion_tokens"] as number | null) : undefined;
  return newer ?? fields.max_tokens ?? undefined;
}

function readLengths(
  fields: Common,
  maxTokens: number | undefined,
  promptTokens: number,
  maxModelLen: number,
): LengthWishes {
  const minTokens = fields.min_tokens ?? 0;
  const contextTokens = maxModelLen - promptTokens;
  if (maxTokens !== undefined && maxTokens < 1) {
    throw badRequest(`max_tokens must be at least 1, got ${maxTokens}.`, "max_tokens");
  }
  if (maxTokens !== undefined && minTokens > maxTokens) {
    throw badRequest(
      `min_tokens must be less than or equal to max_tokens=${maxTokens}, got ${minTokens}.`,
      "min_tokens",
    );
  }
  if (contextTokens < Math.max(maxTokens ?? 1, minTokens)) {
    throw badRequest(
      `This model's maximum context length is ${maxModelLen} tokens. However, you requested ` +
        `${maxTokens ?? 1} output tokens and your prompt contains ${promptTokens} input tokens.`,
      "max_tokens",
    );
  }
  const stops = typeof fields.stop === "string" ? [fields.stop] : (fields.stop ?? []);
  if (stops.includes("")) throw badRequest("stop cannot contain an empty string.", "stop");
  return {
    maxTokens,
    minTokens,
    stop: stops,
    includeStop: fields.include_stop_str_in_output ?? false,
    contextTokens,
  };
}

function readKvTransferParams(
  params: Record<string, unknown> | null | undefined,
  text: string,
): KvTransferParams | undefined {
  if (!params) return undefined;
  const source = sourceSchema.safeParse(params);
  return {
    doRemotePrefill: params["do_remote_prefill"] === true,
    doRemoteDecode: params["do_remote_decode"] === true,
    source: !source.success
      ? undefined
      : {
          engineId: source.data.remote_engine_id,
          requestId: source.data.remote_request_id,
          host: source.data.remote_host,
          port: source.data.remote_port,
          fingerprint: lastDigits(text, fingerprintKey),
        },
  };
}

function decodeUtf8(body: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(body);
  } catch {
    throw badRequest("There was an error parsing the body: it is not UTF-8.");
  }
}

function parseJson(text: string): Record<string, unknown> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw badRequest(`JSON decode error: ${(error as Error).message}`);
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw badRequest("Input should be a valid dictionary.");
  }
  return json as Record<string, unknown>;
}

function check<T extends z.ZodType>(schema: T, json: unknown): z.output<T> {
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const where = issue.path.join(".");
  throw badRequest(`${where || "body"}: ${issue.message}`, String(issue.path[0] ?? "") || null);
}

interface PromptText {
  readonly bytes: Buffer;
  readonly tokens: number;
}

/** A chat template puts the tools before the messages; what matters is that all of both is in the hash. */
function chatText(json: Record<string, unknown>): PromptText {
  const tools = json["tools"] ? JSON.stringify(json["tools"]) : "";
  const bytes = Buffer.from(tools + JSON.stringify(json["messages"]));
  return { bytes, tokens: tokensOfBytes(bytes.length) };
}

/** The shape was checked: a text, texts, token ids, or lists of token ids. */
function promptTexts(prompt: unknown): PromptText[] {
  if (typeof prompt === "string") return [textPrompt(prompt)];
  const list = prompt as unknown[];
  if (typeof list[0] === "string") return list.map((text) => textPrompt(text as string));
  if (typeof list[0] === "number") return [idsPrompt(list as number[])];
  return list.map((ids) => idsPrompt(ids as number[]));
}

function textPrompt(text: string): PromptText {
  if (text === "") throw badRequest("The decoder prompt cannot be empty.", "prompt");
  const bytes = Buffer.from(text);
  return { bytes, tokens: tokensOfBytes(bytes.length) };
}

function idsPrompt(ids: readonly number[]): PromptText {
  if (ids.length === 0) throw badRequest("The decoder prompt cannot be empty.", "prompt");
  const bytes = Buffer.allocUnsafe(ids.length * 4);
  ids.forEach((id, index) => {
    bytes.writeUInt32LE(id % 4_294_967_296, index * 4);
  });
  return { bytes, tokens: ids.length };
}

function hashOf(label: string, bytes: Buffer): Buffer {
  return createHash("sha256").update(label).update(bytes).digest();
}

/** A seed as text; beyond 2^53 its own digits, so that a proxy that rounds it changes the answer. */
function digitsOf(text: string, key: string, value: number | null | undefined): string {
  if (value === null || value === undefined) return "";
  if (Number.isSafeInteger(value)) return String(value);
  return lastDigits(text, key) || String(value);
}

/** The digits after the last such key. Inside a JSON string its last quote would have a backslash before it. */
function lastDigits(text: string, key: string): string {
  const at = text.lastIndexOf(`"${key}"`);
  if (at < 0) return "";
  const rest = text.slice(at + key.length + 2, at + key.length + 66);
  return /^\s*:\s*(-?\d+)/.exec(rest)?.[1] ?? "";
}
