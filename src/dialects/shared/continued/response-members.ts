/** The members of vLLM's responses that a continued response is made of. */

import { isNull, memberOf } from "../../../body/edit/patches.ts";
import { arrayElements } from "../../../body/json/array.ts";
import { KeyName } from "../../../body/json/key-name.ts";
import type { Span } from "../../../body/json/member-value.ts";

export const choices: KeyName = new KeyName("choices");
export const delta: KeyName = new KeyName("delta");
export const message: KeyName = new KeyName("message");
export const text: KeyName = new KeyName("text");
export const content: KeyName = new KeyName("content");
export const tokenIds: KeyName = new KeyName("token_ids");
export const promptTokenIds: KeyName = new KeyName("prompt_token_ids");
export const finishReason: KeyName = new KeyName("finish_reason");
export const usage: KeyName = new KeyName("usage");
export const promptTokens: KeyName = new KeyName("prompt_tokens");
export const completionTokens: KeyName = new KeyName("completion_tokens");
export const totalTokens: KeyName = new KeyName("total_tokens");
/** Of the whole response: the same in all events. */
export const identity: readonly KeyName[] = [
  new KeyName("id"),
  new KeyName("created"),
  new KeyName("model"),
];

export function isSet(json: Buffer, object: Span, key: KeyName): boolean {
  const value = memberOf(json, object, key);
  return value !== undefined && !isNull(json, value);
}

/** Neither null nor an empty string, list or object. */
export function isFilled(json: Buffer, object: Span, key: KeyName): boolean {
  const value = memberOf(json, object, key);
  return value !== undefined && !isNull(json, value) && value.end - value.start > 2;
}

export function copyOf(json: Buffer, key: KeyName): Buffer | undefined {
  const value = memberOf(json, { start: 0, end: json.length }, key);
  return value && Buffer.from(json.subarray(value.start, value.end));
}

/** Undefined for what is no count of tokens. */
export function integerAt(json: Buffer, span: Span | undefined): number | undefined {
  const digits = span === undefined ? "" : json.toString("latin1", span.start, span.end);
  return /^\d{1,15}$/.test(digits) ? Number(digits) : undefined;
}

export function promptTokensOf(prefill: Buffer): number | undefined {
  const reported = memberOf(prefill, { start: 0, end: prefill.length }, usage);
  return reported && integerAt(prefill, memberOf(prefill, reported, promptTokens));
}

/** The bytes between the brackets of the list. A chat has it at the top, a completion in its (first) choice. */
export function promptIdsOf(prefill: Buffer): Buffer | undefined {
  const whole = { start: 0, end: prefill.length };
  const list = memberOf(prefill, whole, choices);
  const choice = list && arrayElements(prefill, list.start, list.end)?.[0];
  const span =
    memberOf(prefill, whole, promptTokenIds) ??
    (choice && memberOf(prefill, choice, promptTokenIds));
  if (span === undefined || prefill[span.start] !== 0x5b) return undefined;
  return prefill.subarray(span.start + 1, span.end - 1);
}

/** Whether an event is an error, and the engine's fault (vLLM, SGLang: `{"error":{"code":500,…}}`). */
export function isServerError(json: Buffer): boolean {
  const whole = { start: 0, end: json.length };
  const problem = memberOf(json, whole, error);
  const code = memberOf(json, problem ?? whole, errorCode);
  return (integerAt(json, code) ?? 0) >= 500;
}

const error = new KeyName("error");
const errorCode = new KeyName("code");
