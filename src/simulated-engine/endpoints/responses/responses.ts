/** `POST /v1/responses` in vLLM's wording (`entrypoints/openai/responses/protocol.py`, `serving.py`). */

import { z } from "zod";
import { check } from "../../http/json-body.ts";
import { badRequest } from "../../http/request-error.ts";
import { chatPrompt } from "../../model/prompts.ts";
import { type InferenceRequest, inferenceRequest } from "../../request/inference-request.ts";
import type { Endpoint } from "../endpoint.ts";
import { commonFields, commonParts, optionalInt } from "../openai/format.ts";
import { ResponsesFormat } from "./responses-format.ts";
import type { StoredResponses } from "./stored-responses.ts";

const { model, stream, seed, temperature, top_p, stop, include_stop_str_in_output } = commonFields;

const schema = z.looseObject({
  model,
  stream,
  seed,
  temperature,
  top_p,
  stop,
  include_stop_str_in_output,
  kv_transfer_params: commonFields.kv_transfer_params,
  input: z.union([z.string(), z.array(z.looseObject({})).min(1)]),
  instructions: z.string().nullish(),
  max_output_tokens: optionalInt,
  previous_response_id: z.string().nullish(),
  request_id: z.string().optional(),
  store: z.boolean().nullish(),
  background: z.boolean().nullish(),
  tools: z.array(z.looseObject({ type: z.string() })).nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  metadata: z.record(z.string(), z.string()).nullish(),
  truncation: z.enum(["auto", "disabled"]).nullish(),
  user: z.string().nullish(),
});

export const responses: Endpoint = {
  path: "/v1/responses",

  read(body, served, stored) {
    const fields = check(schema, body.fields);
    if (fields.background && fields.store === false) {
      throw badRequest("background can only be used when `store` is true", "background");
    }
    const parts = {
      ...commonParts(fields),
      endpointName: "responses",
      idPrefix: "resp",
      body,
      prompts: [chatPrompt(conversationOf(body.fields, stored), fields.tools)],
      maxTokens: fields.max_output_tokens ?? undefined,
      maxTokensName: "max_output_tokens",
    };
    return inferenceRequest(parts, served);
  },

  format: (request, requestId, createdSeconds, stored) => {
    const conversation = conversationOf(request.fields, stored);
    return new ResponsesFormat(request, { requestId, createdSeconds, conversation, stored });
  },

  // A stream in the background still has a client that reads it.
  detach: ({ fields, stream: isStream }: InferenceRequest, format, client, abort) =>
    fields["background"] === true && !isStream && format instanceof ResponsesFormat
      ? format.inBackground(client, abort)
      : undefined,
};

/** Throws a RequestError if the previous response is not stored in this engine. */
function conversationOf(
  fields: Readonly<Record<string, unknown>>,
  stored: StoredResponses,
): readonly unknown[] {
  const { instructions, input, previous_response_id: previous } = fields;
  return [
    ...(typeof instructions === "string" ? [{ role: "system", content: instructions }] : []),
    ...(typeof previous === "string" ? stored.get(previous).conversation : []),
    ...(typeof input === "string" ? [{ role: "user", content: input }] : (input as unknown[])),
  ];
}
