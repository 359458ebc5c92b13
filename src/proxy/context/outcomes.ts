/**
 * The closed list of ways in which a request can end. One table gives status, error body, whose fault it is, and whether the
 * client may try again. An answer that an engine gave itself is `answered`, whatever its status.
 */

/** Whose fault an outcome is. */
export type Fault = "none" | "client" | "encode" | "prefill" | "decode" | "internal";

/** Whether the same request may be sent again: `safe` = nothing was generated for it, `no` = it would fail again. */
export type Retry = "no" | "safe" | "may-repeat-work";

export interface Outcome {
  /** Stable; in the error body, the access log and metrics. */
  readonly code: string;
  /** 0 = no answer can be given (any more): the connection is closed. */
  readonly status: number;
  readonly fault: Fault;
  readonly retry: Retry;
  /** For the client. Never quotes a prompt or names an engine. */
  readonly message: string;
}

function outcome(
  code: string,
  status: number,
  fault: Fault,
  retry: Retry,
  message: string,
): Outcome {
  return Object.freeze({ code, status, fault, retry, message });
}

export const outcomes = Object.freeze({
  answered: outcome("GP_OK", 200, "none", "no", ""),
  returned: outcome("GP_RETURNED", 200, "none", "no", "The configuration answered."),

  closed: outcome("GP_CLOSED", 0, "none", "no", "The configuration closes the connection (444)."),

  clientGone: outcome("GP_CLIENT_GONE", 0, "client", "safe", "The client went away."),
  clientTimeout: outcome(
    "GP_CLIENT_TIMEOUT",
    408,
    "client",
    "safe",
    "The request did not arrive in time.",
  ),
  clientStalled: outcome(
    "GP_CLIENT_STALLED",
    0,
    "client",
    "may-repeat-work",
    "The client did not read its answer in time.",
  ),
  bodyTooLarge: outcome(
    "GP_BODY_TOO_LARGE",
    413,
    "client",
    "no",
    "The request body is larger than allowed.",
  ),
  badChunk: outcome("GP_BAD_CHUNK", 400, "client", "no", "The chunked request body is malformed."),
  badPath: outcome("GP_BAD_PATH", 400, "client", "no", "The path of the request is malformed."),
  noRoute: outcome("GP_NO_ROUTE", 404, "client", "no", "There is nothing at this path."),
  draining: outcome("GP_DRAINING", 503, "internal", "safe", "The proxy is shutting down."),
  bodiesFull: outcome(
    "GP_MEMORY_FULL",
    503,
    "internal",
    "safe",
    "Too many request bodies are in memory.",
  ),

  dialectUnknown: outcome(
    "GP_DIALECT_UNKNOWN",
    503,
    "internal",
    "safe",
    "The engines have not told yet how they hand over.",
  ),
  unsupportedRequest: outcome(
    "GP_NOT_CARRIED",
    400,
    "client",
    "no",
    "These engines cannot hand over a request for several answers, with several prompts, or that goes on with an answer before.",
  ),
  tooManyItems: outcome(
    "GP_TOO_MANY_ITEMS",
    400,
    "client",
    "no",
    "The request has more images, sounds and videos than are encoded at a time.",
  ),
  noEncodeEngine: outcome(
    "GP_NO_ENCODE_ENGINE",
    502,
    "encode",
    "safe",
    "No encode engine is available.",
  ),
  encodeFull: outcome("GP_ENCODE_FULL", 503, "encode", "safe", "All encode engines are full."),
  encodeFailed: outcome(
    "GP_ENCODE_FAILED",
    502,
    "encode",
    "safe",
    "The connection to the encode engine failed.",
  ),
  encodeTimeout: outcome(
    "GP_ENCODE_TIMEOUT",
    504,
    "encode",
    "may-repeat-work",
    "The encode engine did not answer in time.",
  ),
  encodeInvalid: outcome(
    "GP_ENCODE_INVALID",
    502,
    "encode",
    "safe",
    "The encode engine's answer is not valid HTTP, or no JSON.",
  ),
  noPrefillEngine: outcome(
    "GP_NO_PREFILL_ENGINE",
    502,
    "prefill",
    "safe",
    "No prefill engine is available.",
  ),
  noDecodeEngine: outcome(
    "GP_NO_DECODE_ENGINE",
    502,
    "decode",
    "safe",
    "No decode engine is available.",
  ),
  prefillFull: outcome("GP_PREFILL_FULL", 503, "prefill", "safe", "All prefill engines are full."),
  decodeFull: outcome("GP_DECODE_FULL", 503, "decode", "safe", "All decode engines are full."),
  queueFull: outcome(
    "GP_QUEUE_FULL",
    503,
    "prefill",
    "safe",
    "As many requests wait for a prefill engine as may.",
  ),
  queueTimeout: outcome(
    "GP_QUEUE_TIMEOUT",
    503,
    "prefill",
    "safe",
    "No engine could take the request in time.",
  ),
  overloaded: outcome(
    "GP_OVERLOADED",
    429,
    "client",
    "safe",
    "A prefill engine could take the request only too late, so try again later.",
  ),
  prefillFailed: outcome(
    "GP_PREFILL_FAILED",
    502,
    "prefill",
    "safe",
    "The connection to the prefill engine failed.",
  ),
  decodeFailed: outcome(
    "GP_DECODE_FAILED",
    502,
    "decode",
    "may-repeat-work",
    "The connection to the decode engine failed.",
  ),
  prefillTimeout: outcome(
    "GP_PREFILL_TIMEOUT",
    504,
    "prefill",
    "may-repeat-work",
    "The prefill engine did not answer in time.",
  ),
  decodeTimeout: outcome(
    "GP_DECODE_TIMEOUT",
    504,
    "decode",
    "may-repeat-work",
    "The decode engine did not answer in time.",
  ),
  prefillInvalid: outcome(
    "GP_PREFILL_INVALID",
    502,
    "prefill",
    "safe",
    "The prefill engine's answer is not valid HTTP, or not what its dialect needs.",
  ),
  decodeInvalid: outcome(
    "GP_DECODE_INVALID",
    502,
    "decode",
    "may-repeat-work",
    "The decode engine's answer is not valid HTTP, or not what its dialect allows.",
  ),
  decodePreempted: outcome(
    "GP_DECODE_GAVE_UP",
    502,
    "decode",
    "may-repeat-work",
    "The decode engine gave the request up, and it cannot be continued.",
  ),
  truncated: outcome(
    "GP_TRUNCATED",
    0,
    "decode",
    "may-repeat-work",
    "The engine's answer broke off.",
  ),
  unknownTarget: outcome(
    "GP_UNKNOWN_TARGET",
    502,
    "internal",
    "no",
    "The route leads to no known pool of engines.",
  ),
  routeLoop: outcome(
    "GP_ROUTE_LOOP",
    500,
    "internal",
    "no",
    "The configuration's rewrites run in a circle.",
  ),
  internal: outcome("GP_INTERNAL", 500, "internal", "safe", "The proxy failed."),
} satisfies Record<string, Outcome>);

/** An outcome for a request that could not be parsed, from the parser's own status and words. */
export function refused(status: number, code: string, message: string): Outcome {
  return { code, status, fault: "client", retry: "no", message };
}
