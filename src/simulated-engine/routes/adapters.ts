/**
 * The list of models, and vLLM's endpoints that load and unload LoRA adapters
 * (`VLLM_ALLOW_RUNTIME_LORA_UPDATING=True`).
 * Source: vllm `entrypoints/serve/lora/api_router.py`, `entrypoints/openai/models/serving.py`.
 */
import { z } from "zod";
import { check, readJsonBody } from "../http/json-body.ts";
import { badRequest, RequestError } from "../http/request-error.ts";
import type { IncomingRequest, RouteContext } from "./handler.ts";

export function models({ core }: RouteContext, { reply }: IncomingRequest): void {
  const { model, maxModelLen } = core.options;
  const shared = {
    object: "model",
    created: core.createdSeconds(),
    owned_by: core.family,
    permission: [],
  };
  const base = { id: model, ...shared, root: model, parent: null, max_model_len: maxModelLen };
  const adapters = [...core.adapters].map((id) => ({
    id,
    ...shared,
    root: `/adapters/${id}`,
    parent: model,
    max_model_len: null,
  }));
  reply.send(200, JSON.stringify({ object: "list", data: [base, ...adapters] }));
}

const schema = z.looseObject({ lora_name: z.string().min(1) });

export function loadAdapter({ core }: RouteContext, { body, reply }: IncomingRequest): void {
  const name = nameIn(body);
  if (core.adapters.has(name)) {
    throw badRequest(`The lora adapter '${name}' has already been loaded.`);
  }
  core.adapters.add(name);
  reply.send(200, `Success: LoRA adapter '${name}' added successfully.`, "text/plain");
}

export function unloadAdapter({ core }: RouteContext, { body, reply }: IncomingRequest): void {
  const name = nameIn(body);
  if (!core.adapters.delete(name)) {
    throw new RequestError(404, "NotFoundError", `The lora adapter '${name}' cannot be found.`);
  }
  reply.send(200, `Success: LoRA adapter '${name}' removed successfully.`, "text/plain");
}

function nameIn(body: Buffer): string {
  return check(schema, readJsonBody(body).fields).lora_name;
}
