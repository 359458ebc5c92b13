/** Handlers of the endpoints: those that generate, and those whose response follows from the body alone. */

import { InferenceJob } from "../core/job.ts";
import type { Endpoint, SimpleEndpoint } from "../endpoints/endpoint.ts";
import { readJsonBody } from "../http/json-body.ts";
import { badRequest, RequestError } from "../http/request-error.ts";
import { requestsMax } from "../limits.ts";
import type { InferenceRequest } from "../request/inference-request.ts";
import type { Handler } from "./handler.ts";

const engineFailed = new RequestError(
  500,
  "InternalServerError",
  "EngineCore encountered an issue.",
);

export function inference(endpoint: Endpoint): Handler {
  return ({ core }, { headers, body, reply: client, fault, onDisconnect }) => {
    requireJson(headers["content-type"]);
    if (core.requestCount >= requestsMax) {
      throw new RequestError(503, "ServiceUnavailableError", "The engine is full.");
    }
    const request = endpoint.read(readJsonBody(body), core.served, core.responses);
    if (failsToParse(request, core.options.version)) throw engineFailed;
    const requestId = first(headers["x-request-id"]) || request.promptHash.slice(0, 32);
    const leg = core.dialect.leg(request, { requestId, headers });
    const format = endpoint.format(request, requestId, core.createdSeconds(), core.responses);
    client.errorEvents = () => format.error(engineFailed);
    const background = endpoint.detach?.(request, format, client, () => job.abort());
    const reply = background ?? client;
    const errorBody = (error: RequestError) => endpoint.errorBody?.(error) ?? error.body();
    const job = new InferenceJob(core, { request, leg, format, reply, fault, errorBody });
    core.add(job);
    if (background === undefined) onDisconnect(() => job.abort());
    if (fault?.kind === "slow") job.startAfter(fault.delayMs);
    else if (fault?.kind !== "stall" || fault.chunks !== undefined) job.start();
  };
}

export function simple(endpoint: SimpleEndpoint): Handler {
  return ({ core }, { body, reply }) => {
    const engine = { ...core.served, createdSeconds: core.createdSeconds() };
    reply.send(200, endpoint.response(readJsonBody(body), engine));
  };
}

/**
 * vLLM 0.6 to 0.18 parses a call that a request forces even where it was cut, if it responds in one piece (vLLM issue
 * 38911).
 */
function failsToParse({ fields, stream, lengths }: InferenceRequest, version: string): boolean {
  const choice = fields["tool_choice"];
  const isForced = choice === "required" || (typeof choice === "object" && choice !== null);
  return !stream && isForced && lengths.maxTokens === 1 && /^0\.([6-9]|1[0-8])\./.test(version);
}

function requireJson(contentType: string | string[] | undefined): void {
  if (first(contentType).split(";")[0]!.trim().toLowerCase() === "application/json") return;
  throw badRequest("Unsupported Media Type: Only 'application/json' is allowed");
}

function first(header: string | string[] | undefined): string {
  return (typeof header === "string" ? header : header?.[0]) ?? "";
}
