/** `docs/outcomes.md`, from the one list of outcomes and the shapes of error bodies. */
import { withGeneratedPart } from "../../../config/docs/generated-part.ts";
import { code, table } from "../../../config/docs/markdown.ts";
import type { ErrorShape } from "../../../dialects/endpoints/endpoint.ts";
import { PROBLEMS } from "../../../http1/problems.ts";
import { type Fault, type Outcome, outcomes, type Retry } from "../../context/outcomes.ts";
import { errorBody } from "./error-body.ts";

/** Where an operator looks, by whose fault it is; a code below has advice of its own. */
const advice: Readonly<Record<Fault, string>> = {
  none: "nothing",
  client: "nothing: the request is at fault",
  encode: "the encode engines: `/admin/engines`, their logs",
  prefill: "the prefill engines: `/admin/engines`, their logs",
  decode: "the decode engines: `/admin/engines`, their logs",
  internal: "the error log",
};

const adviceByCode: Readonly<Record<string, string>> = {
  GP_CLIENT_GONE: "nothing; many of them at one time point to a time-out in front of the proxy",
  GP_CLIENT_TIMEOUT: "`headerTimeoutMs`, `bodyTimeoutMs`; the client's network",
  GP_CLIENT_STALLED: "`clientSendTimeoutMs`; the client's network",
  GP_BODY_TOO_LARGE: "`bodyBytesMax` of the route",
  GP_NO_ROUTE: "`match` of the routes",
  GP_RATE_LIMITED: "`requestLimits` of the route",
  GP_TOO_MANY_CONNECTIONS: "`connectionLimits` of the route",
  GP_ACCESS_DENIED: "`access` of the route",
  GP_ENGINE_CONTROL: "[security](security.md#paths-that-control-engines): `engineControl`",
  GP_TRANSFER_FIELD: "[security](security.md#fields-that-steer-kv-transfers)",
  GP_BODY_ENCODED: "[security](security.md#fields-that-steer-kv-transfers)",
  GP_NOT_READY: "`/admin/health`, `/admin/engines`; [engines that fail](ejection.md#is-it-ready)",
  GP_DRAINING: "nothing: an operator stops this instance",
  GP_MEMORY_FULL: "`bodyBytesTotalMax`; more workers or replicas",
  GP_NO_DESCRIPTORS:
    "the limit of open files (`ulimit -n`), [more](operations.md#file-descriptors)",
  GP_DIALECT_UNKNOWN: "whether the engines are up; name the `dialect` instead of `auto`",
  GP_UNKNOWN_MODEL: "`models` of the route, `/v1/models`; [several models](models.md)",
  GP_MODELS_UNKNOWN: "whether the engines are up: `/v1/models` of each",
  GP_UNSUPPORTED_REQUEST: "the [dialect](dialects.md)'s page: what it supports",
  GP_TOKEN_LIMITS: "nothing; of a wrong `max_model_len`: [attributes](kv-transfer.md)",
  GP_ENCODE_FULL: "`maxConns` of the encode engines; add engines",
  GP_PREFILL_FULL: "`maxConns` of the prefill engines, a `queue`; add engines",
  GP_DECODE_FULL: "`maxConns` of the decode engines, a `queue`; add engines",
  GP_QUEUE_FULL: "`queue.max`; add engines",
  GP_QUEUE_TIMEOUT: "`queue.timeoutMs`; add engines",
  GP_OVERLOADED: "the [queue](scheduling.md); add engines",
  GP_ROUTE_LOOP: "`steps` of the routes: they rewrite in a circle",
};

/** In words for a cell. */
const retryText: Readonly<Record<Retry, string>> = {
  no: "no: it would fail again",
  safe: "yes",
  "may-repeat-work": "yes, but work may be done twice",
};

/** The page with its tables made anew. */
export function outcomesPage(page: string): string {
  const parts = [
    ["outcomes", outcomesTable(Object.values(outcomes))],
    ["heads", headsTable()],
    ["bodies", bodiesTable()],
  ] as const;
  return parts.reduce((text, [name, part]) => withGeneratedPart(text, name, part), page);
}

function outcomesTable(all: readonly Outcome[]): string {
  const rows = all.map((outcome) => [
    code(outcome.code),
    outcome.status === 0 ? "none: the connection closes" : String(outcome.status),
    outcome.fault,
    outcome.fault === "none" ? "–" : retryText[outcome.retry],
    outcome.message === "" ? "The response is an engine's, whatever its status." : outcome.message,
    adviceByCode[outcome.code] ?? advice[outcome.fault],
  ]);
  return table(
    ["`$outcome`, `code`, metric label", "status", "fault", "retry", "message", "look at"],
    rows,
  );
}

/** Of heads and bodies that are no HTTP: one row for a code, which several rules may share. */
function headsTable(): string {
  const all = Object.values(PROBLEMS);
  const codes = [...new Set(all.map((problem) => problem.code))];
  const rows = codes.map((name) => {
    const problems = all.filter((problem) => problem.code === name);
    const statuses = new Set(problems.map(({ status }) => status));
    return [code(name), [...statuses].join(", "), problems.map(({ detail }) => detail).join("; ")];
  });
  return table(["`$outcome`, `code`, metric label", "status", "message"], rows);
}

const families: readonly (readonly [shape: ErrorShape, of: string])[] = [
  ["openai", "OpenAI's, and all that have no row here"],
  ["anthropic", "Anthropic's: `/v1/messages`"],
  ["sglang", "SGLang's `/generate`"],
];

function bodiesTable(): string {
  const { decodeFull } = outcomes;
  const rows = families.map(([shape, of]) => [
    of,
    code(errorBody(decodeFull, decodeFull.status, shape).toString()),
  ]);
  return table(["API", "body"], rows);
}
