/** Errors of the proxy's own in the shape that clients of an endpoint read. */
import type { ErrorShape } from "../../../dialects/endpoints/endpoint.ts";
import type { Outcome } from "../../context/outcomes.ts";

type Problem = Pick<Outcome, "code" | "message" | "likeEngine" | "asOpenAi">;

const openaiTypes: Readonly<Record<number, string>> = {
  401: "authentication_error",
  403: "permission_error",
  404: "not_found_error",
  408: "timeout_error",
  429: "rate_limit_error",
  503: "overloaded_error",
  504: "timeout_error",
};

const anthropicTypes: Readonly<Record<number, string>> = {
  ...openaiTypes,
  413: "request_too_large",
};

function typeOf(types: Readonly<Record<number, string>>, status: number): string {
  return types[status] ?? (status < 500 ? "invalid_request_error" : "api_error");
}

const shapes: Readonly<Record<ErrorShape, (problem: Problem, status: number) => object>> = {
  openai: ({ message, code, likeEngine, asOpenAi }, status) => ({
    error: likeEngine
      ? { message, ...likeEngine, code: status }
      : { message, type: typeOf(openaiTypes, status), param: null, code, ...asOpenAi },
  }),
  anthropic: ({ message, code, likeEngine }, status) => ({
    type: "error",
    error: likeEngine
      ? { type: likeEngine.type, message }
      : { type: typeOf(anthropicTypes, status), message, code },
  }),
  // `http_server.py`, of `/generate`.
  sglang: ({ message, code }) => ({ error: { message, code } }),
};

export function errorBody(problem: Problem, status: number, shape: ErrorShape = "openai"): Buffer {
  return Buffer.from(JSON.stringify(shapes[shape](problem, status)));
}
