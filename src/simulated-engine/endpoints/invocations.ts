/** `POST /invocations`: SageMaker's path in vLLM, for chats and completions alike (`entrypoints/sagemaker/routes.py`). */

import { chat } from "./chat.ts";
import { completions } from "./completions.ts";
import type { Endpoint } from "./endpoint.ts";

export const invocations: Endpoint = {
  path: "/invocations",
  families: ["vllm"],
  read: (body, served, kept) => ofFields(body.fields).read(body, served, kept),
  format: (request, requestId, createdSeconds, kept) =>
    ofFields(request.transferFields).format(request, requestId, createdSeconds, kept),
};

function ofFields(fields: Readonly<Record<string, unknown>>): Endpoint {
  return "messages" in fields ? chat : completions;
}
