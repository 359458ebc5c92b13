/** How a request can end before any engine has a say in it: by its client, by what it is, by limits of the proxy. */
import { type Outcome, outcome } from "./outcome.ts";

/** nginx has statuses of its own for these, by which `error_page` can name them. */
const withPage = (one: Outcome, pageStatus: number): Outcome =>
  Object.freeze({ ...one, pageStatus, endsConnection: true });

export const requestOutcomes = {
  plainToTls: withPage(
    outcome(
      "GP_PLAIN_TO_TLS",
      400,
      "client",
      "no",
      "The plain HTTP request was sent to HTTPS port.",
    ),
    497,
  ),
  clientCertificate: withPage(
    outcome("GP_CLIENT_CERTIFICATE", 400, "client", "no", "The SSL certificate error."),
    495,
  ),
  noClientCertificate: withPage(
    outcome(
      "GP_NO_CLIENT_CERTIFICATE",
      400,
      "client",
      "no",
      "No required SSL certificate was sent.",
    ),
    496,
  ),
  misdirected: withPage(
    outcome(
      "GP_MISDIRECTED",
      421,
      "client",
      "safe",
      "The connection was opened for another server; open one for this host.",
    ),
    421,
  ),
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
    "The client did not read its response in time.",
  ),
  requestTimeout: outcome(
    "GP_REQUEST_TIMEOUT",
    504,
    "internal",
    "may-repeat-work",
    "The request took longer than it may.",
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
  noRoute: outcome("GP_NO_ROUTE", 404, "client", "no", "No route takes this path."),
  engineControl: outcome(
    "GP_ENGINE_CONTROL",
    403,
    "client",
    "no",
    "This path of the engines is for their operators, not for clients.",
  ),
  transferField: outcome(
    "GP_TRANSFER_FIELD",
    400,
    "client",
    "no",
    "The request has a field for the transfer of KV caches, which only the proxy may set.",
  ),
  bodyEncoded: outcome(
    "GP_BODY_ENCODED",
    415,
    "client",
    "no",
    "The request body is compressed; send it as it is.",
  ),
  draining: outcome("GP_DRAINING", 503, "internal", "safe", "The proxy is shutting down."),
  bodiesFull: outcome(
    "GP_MEMORY_FULL",
    503,
    "internal",
    "safe",
    "The bodies of requests and responses in memory have reached their limit; retry.",
  ),
  noDescriptors: outcome(
    "GP_NO_DESCRIPTORS",
    503,
    "internal",
    "safe",
    "The proxy has too many connections open; retry.",
  ),
} as const;
