/**
 * The response of a TensorRT-LLM context server, as spans of its bytes: its ids have 63 bits, and its state is
 * opaque.
 */

import { isNull, memberOf, Patches } from "../../body/edit/patches.ts";
import { arrayElements } from "../../body/json/array.ts";
import { KeyName } from "../../body/json/key-name.ts";
import type { Span } from "../../body/json/member-value.ts";
import { scanTopLevel, TopLevel } from "../../body/json/top-level.ts";

export const disaggregatedParams: KeyName = new KeyName("disaggregated_params");

const choices = new KeyName("choices");
const usage = new KeyName("usage");
const finishReason = new KeyName("finish_reason");
const promptTokenIds = new KeyName("prompt_token_ids");
const promptTokenIdsB64 = new KeyName("prompt_token_ids_b64");
const requestType = new KeyName("request_type");
const ctxUsage = new KeyName("ctx_usage");
const ids = [new KeyName("ctx_request_id"), new KeyName("disagg_request_id")];

const generationOnly = Buffer.from('"generation_only"');
/** The context server has stopped where the client had not: `_GEN_PENDING_FINISH_REASONS`. */
const pendingReasons = [Buffer.from('"length"'), Buffer.from('"not_finished"')];

export interface ContextResponse {
  /** The only choice. */
  readonly choice: Span;
  readonly usage: Span | undefined;
  /** The members that are for the generation server alone, wherever they stand. */
  readonly transfer: readonly Span[];
  /** The first token is the last one: there is nothing to generate. */
  readonly isFinal: boolean;
  /** For the generation server; undefined = the response has none of use. */
  readonly generationParams: Buffer | undefined;
  readonly promptIds: Buffer | undefined;
  readonly promptIdsB64: Buffer | undefined;
}

/**
 * Shared: a call is synchronous and leaves nothing in it. The prompt's ids may be large, so they are gone over once.
 */
const members = new TopLevel();

/** Undefined for anything but a response with one choice. */
export function readContext(response: Buffer): ContextResponse | undefined {
  if (scanTopLevel(response, 0, response.length, members) !== undefined) return undefined;
  const list = spanOf(choices);
  const reported = spanOf(usage);
  const idList = spanOf(promptTokenIds);
  const idText = spanOf(promptTokenIdsB64);
  members.clear();
  const elements = list && arrayElements(response, list.start, list.end);
  if (elements === undefined || elements.length !== 1) return undefined;
  const choice = elements[0]!;
  const params = memberOf(response, choice, disaggregatedParams);
  const usageOrNull = reported ?? { start: 0, end: 0 };
  return {
    choice,
    usage: reported,
    transfer: [params, idList, idText].filter((span) => span !== undefined),
    isFinal: endsResponse(response, memberOf(response, choice, finishReason)),
    generationParams:
      params && generationParamsOf(slice(response, params), slice(response, usageOrNull)),
    promptIds: startingWith(response, idList, 0x5b),
    promptIdsB64: startingWith(response, idText, 0x22),
  };
}

function spanOf(key: KeyName): Span | undefined {
  const index = members.lastIndexOf(key);
  return index < 0 ? undefined : { start: members.valueStart(index), end: members.valueEnd(index) };
}

/** Without a reason the response has not ended. */
function endsResponse(response: Buffer, reason: Span | undefined): boolean {
  if (reason === undefined || isNull(response, reason)) return false;
  const text = slice(response, reason);
  return !pendingReasons.some((pending) => pending.equals(text));
}

/**
 * The context server's parameters, made the generation server's. The usage is set only if there is a member for it:
 * an engine that does not know the member does not write it, and rejects fields that it does not know.
 */
function generationParamsOf(params: Buffer, reported: Buffer): Buffer | undefined {
  const whole = { start: 0, end: params.length };
  const type = memberOf(params, whole, requestType);
  if (type === undefined) return undefined;
  for (const key of ids) {
    const id = memberOf(params, whole, key);
    if (id === undefined || isNull(params, id)) return undefined;
  }
  const patches = new Patches(params);
  patches.replace(type, generationOnly);
  const usageMember = memberOf(params, whole, ctxUsage);
  if (usageMember !== undefined && reported.length > 0) patches.replace(usageMember, reported);
  return patches.result();
}

function startingWith(response: Buffer, span: Span | undefined, byte: number): Buffer | undefined {
  return span !== undefined && response[span.start] === byte ? slice(response, span) : undefined;
}

function slice(bytes: Buffer, { start, end }: Span): Buffer {
  return bytes.subarray(start, end);
}
