/**
 * `POST /invocations`: SageMaker's path in vLLM, for chats and completions alike (`entrypoints/sagemaker/routes.py`).
 */

import type { Endpoint } from "../endpoint.ts";
import { chat } from "./chat.ts";
import { completions } from "./completions.ts";

export const invocations: Endpoint = {
  path: "/invocations",
  families: ["vllm"],
  read: (body, served, stored) => ofFields(body.fields).read(body, served, stored),
  format: (request, requestId, createdSeconds, stored) =>
    ofFields(request.fields).format(request, requestId, createdSeconds, stored),
};

function ofFields(fields: Readonly<Record<string, unknown>>): Endpoint {
  return "messages" in fields ? chat : completions;
}
