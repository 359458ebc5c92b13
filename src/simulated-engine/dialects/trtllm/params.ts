/** `disaggregated_params` of a request to a TensorRT-LLM server, which rejects unknown members. */

import { z } from "zod";
import { check, integersOf } from "../../http/json-body.ts";
import { badRequest } from "../../http/request-error.ts";
import type { InferenceRequest } from "../../request/inference-request.ts";
import type { EngineContext } from "../dialect.ts";

const optionalNumber = z.number().int().nullish();
/** May be beyond 2^53; its digits are read from the text. */
const optionalId = z.number().refine(Number.isInteger).nullish();

const usageSchema = z.strictObject({
  prompt_tokens: z.number().int(),
  total_tokens: z.number().int(),
  completion_tokens: z.number().int(),
  prompt_tokens_details: z.strictObject({ cached_tokens: z.number().int() }).nullish(),
});

const olderFields = {
  request_type: z.enum(["context_only", "generation_only"]),
  first_gen_tokens: z.array(z.number().int()).nullish(),
  first_gen_log_probs: z.array(z.unknown()).nullish(),
  ctx_request_id: optionalId,
  encoded_opaque_state: z.string().nullish(),
  draft_tokens: z.array(z.number().int()).nullish(),
  disagg_request_id: optionalId,
  ctx_dp_rank: optionalNumber,
  ctx_info_endpoint: z.string().nullish(),
};
const olderSchema = z.strictObject(olderFields);
const newerSchema = z.strictObject({
  ...olderFields,
  schedule_style: z.union([z.literal(0), z.literal(1)]).nullish(),
  ctx_usage: usageSchema.nullish(),
});

export interface TrtllmParams extends z.output<typeof newerSchema> {
  /** Digits, because doubles do not hold 63 bits: `disagg_request_id`, and `ctx_request_id` or "". */
  readonly id: string;
  readonly contextId: string;
  readonly isGenerationFirst: boolean;
}

/** KV-transfer fields of other families: unknown here, and so rejected. */
const foreign = ["kv_transfer_params", "bootstrap_host", "bootstrap_port", "bootstrap_room"];
/** Smaller ids are an engine's own. */
const idsStart = 1n << 42n;
const idsEnd = 1n << 63n;

/** Undefined = the server computes the whole response. Throws a RequestError. */
export function readParams(
  request: InferenceRequest,
  engine: EngineContext,
  isOlder: boolean,
): TrtllmParams | undefined {
  const { fields, bodyText } = request;
  for (const name of foreign) {
    if (fields[name] === undefined || fields[name] === null) continue;
    engine.violation(`A request had "${name}".`);
    throw badRequest(`${name}: Extra inputs are not permitted`, name);
  }
  const given = fields["disaggregated_params"] ?? undefined;
  if (given === undefined) return undefined;
  const params = check<typeof newerSchema | typeof olderSchema>(
    isOlder ? olderSchema : newerSchema,
    given,
  );
  const id = integersOf(bodyText, "disagg_request_id")[0] ?? "";
  if (id === "" || BigInt(id) < idsStart || BigInt(id) >= idsEnd) {
    engine.violation(`"${id}" is no id for two servers.`);
    throw badRequest("disagg_request_id is missing or out of range.", "disaggregated_params");
  }
  const contextId = integersOf(bodyText, "ctx_request_id")[0] ?? "";
  const style = "schedule_style" in params ? params.schedule_style : undefined;
  return { ...params, id, contextId, isGenerationFirst: style === 1 };
}
