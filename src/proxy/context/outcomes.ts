/**
 * The closed list of ways in which a request can end. One table gives status, error body, whose fault it is, and
 * whether the client may try again. A response that came from an engine is `answered`, whatever its status.
 */

import { accessOutcomes } from "./access-outcomes.ts";
import { type Outcome, outcome } from "./outcome.ts";
import { requestOutcomes } from "./request-outcomes.ts";
import { tenantOutcomes } from "./tenant-outcomes.ts";

export type { Fault, Outcome, Retry } from "./outcome.ts";

export const outcomes = Object.freeze({
  answered: outcome("GP_OK", 200, "none", "no", ""),
  returned: outcome("GP_RETURNED", 200, "none", "no", "The configuration returned this response."),

  engineError: outcome(
    "GP_ENGINE_ERROR",
    502,
    "decode",
    "may-repeat-work",
    "The engine responded with an error, which the configuration replaces.",
  ),
  closed: outcome("GP_CLOSED", 0, "none", "no", "The configuration closes the connection (444)."),

  ...requestOutcomes,
  ...accessOutcomes,
  ...tenantOutcomes,

  dialectUnknown: outcome(
    "GP_DIALECT_UNKNOWN",
    503,
    "internal",
    "safe",
    "The engines' KV-transfer protocol has not been detected yet; retry.",
  ),
  unsupportedRequest: outcome(
    "GP_UNSUPPORTED_REQUEST",
    400,
    "client",
    "no",
    "These engines cannot serve a request with several choices, several prompts or a previous response.",
  ),
  unknownModel: Object.freeze({
    ...outcome("GP_UNKNOWN_MODEL", 404, "client", "no", "The model does not exist."),
    asOpenAi: { type: "invalid_request_error", param: "model", code: "model_not_found" },
  }),
  modelsUnknown: outcome(
    "GP_MODELS_UNKNOWN",
    503,
    "internal",
    "safe",
    "The engines have not listed their models yet; retry.",
  ),
  tokenLimits: outcome(
    "GP_TOKEN_LIMITS",
    400,
    "client",
    "no",
    "The engines would reject the request's limits of tokens; said in their own words.",
  ),
  tooManyItems: outcome(
    "GP_TOO_MANY_ITEMS",
    400,
    "client",
    "no",
    "The request has more images, audio clips and videos than one request may have.",
  ),
  noEncodeEngine: outcome(
    "GP_NO_ENCODE_ENGINE",
    502,
    "encode",
    "safe",
    "No encode engine is available.",
  ),
  encodeFull: outcome(
    "GP_ENCODE_FULL",
    503,
    "encode",
    "safe",
    "All encode engines are at capacity.",
  ),
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
    "The encode engine did not respond in time.",
  ),
  encodeInvalid: outcome(
    "GP_ENCODE_INVALID",
    502,
    "encode",
    "safe",
    "The encode engine's response is not valid HTTP or not a JSON object.",
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
  prefillFull: outcome(
    "GP_PREFILL_FULL",
    503,
    "prefill",
    "safe",
    "All prefill engines are at capacity.",
  ),
  decodeFull: outcome(
    "GP_DECODE_FULL",
    503,
    "decode",
    "safe",
    "All decode engines are at capacity.",
  ),
  queueFull: outcome("GP_QUEUE_FULL", 503, "prefill", "safe", "The queue is full."),
  queueTimeout: outcome(
    "GP_QUEUE_TIMEOUT",
    503,
    "prefill",
    "safe",
    "The request waited in the queue for too long.",
  ),
  overloaded: outcome(
    "GP_OVERLOADED",
    429,
    "client",
    "safe",
    "The wait for an engine would be too long; try again later.",
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
    "The prefill engine did not respond in time.",
  ),
  decodeTimeout: outcome(
    "GP_DECODE_TIMEOUT",
    504,
    "decode",
    "may-repeat-work",
    "The decode engine did not respond in time.",
  ),
  prefillInvalid: outcome(
    "GP_PREFILL_INVALID",
    502,
    "prefill",
    "safe",
    "The prefill engine's response is not valid HTTP or lacks what the dialect needs.",
  ),
  decodeInvalid: outcome(
    "GP_DECODE_INVALID",
    502,
    "decode",
    "may-repeat-work",
    "The decode engine's response is not valid HTTP or breaks the rules of the dialect.",
  ),
  decodePreempted: outcome(
    "GP_DECODE_GAVE_UP",
    502,
    "decode",
    "may-repeat-work",
    "The decode engine preempted the request, and its response cannot be continued.",
  ),
  truncated: outcome(
    "GP_TRUNCATED",
    0,
    "decode",
    "may-repeat-work",
    "The engine's response broke off.",
  ),
  routeLoop: outcome(
    "GP_ROUTE_LOOP",
    500,
    "internal",
    "no",
    "The configuration rewrites this path in an endless loop.",
  ),
  noPage: outcome(
    "GP_NO_PAGE",
    503,
    "internal",
    "safe",
    "The proxy has too much to do to respond with this page; retry.",
  ),
  notReady: outcome("GP_NOT_READY", 503, "decode", "safe", "No engine is fit to serve requests."),
  internal: outcome(
    "GP_INTERNAL",
    500,
    "internal",
    "safe",
    "The proxy failed because of an internal error.",
  ),
} satisfies Record<string, Outcome>);
