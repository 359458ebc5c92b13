/**
 * The one schema of everything an operator can say. Types, validation, `docs/configuration.md` and `config.schema.json` all
 * come from it; nginx.conf and switches are translated into the same `Config`, and nothing behind it knows which it was.
 *
 * A value marked "template" may hold variables as `$name` or `${name}` (the list is in `variables.ts`).
 * Units stand at the end of names. A `Config` is plain data, so that it can be handed to worker threads.
 */
import { z } from "zod";
import { adminSchema } from "./admin.ts";
import { callbackSchema } from "./callback.ts";
import { routeDialects } from "./dialects.ts";
import { type engineSchema, poolSchema } from "./pool/pool.ts";
import { recordSchema } from "./record.ts";
import { registrationSchema } from "./registration.ts";
import { encodeSchema, prefillSchema } from "./server/leg-place.ts";

const text = z.string().min(1);
const milliseconds = z.int().min(0).max(86_400_000);
const bytes = z.int().min(0).max(Number.MAX_SAFE_INTEGER);

const stepSchema = z
  .union([
    z.strictObject({
      set: z.strictObject({ name: text, value: z.string().describe("Template.") }),
    }),
    z.strictObject({
      rewrite: z.strictObject({
        pattern: text.describe("Regular expression, matched against the normalised path."),
        replacement: z.string().describe("Template; `$1`… and named captures of the pattern."),
        flag: z.enum(["none", "last", "break", "redirect", "permanent"]).default("none"),
      }),
    }),
    z.strictObject({
      return: z.strictObject({
        status: z.int().min(200).max(599),
        text: z.string().optional().describe("Template: the body, or the target of a redirect."),
      }),
    }),
    z.strictObject({ break: z.literal(true) }),
  ])
  .describe(
    "One step that runs before a request is forwarded, in order, as in nginx's rewrite phase.",
  );

const matchSchema = z
  .strictObject({
    kind: z
      .enum(["exact", "prefix", "prefix-first", "regex", "regex-ignore-case"])
      .default("prefix")
      .describe("As nginx's `=`, none, `^~`, `~`, `~*`, with nginx's precedence."),
    path: text,
  })
  .describe("Which requests a route takes.");

const targetSchema = z
  .union([
    z.strictObject({
      pool: text.describe("Name of a pool."),
      uri: z
        .string()
        .startsWith("/")
        .optional()
        .describe("Replaces the part of the path that the route matched."),
    }),
    z.strictObject({
      url: text.describe(
        "Template of an http URL whose host is a pool's name or an address; its path, if any, is used as is.",
      ),
    }),
  ])
  .describe("Where requests go.");

/** Conditions under which another engine is tried, by nginx's names. */
export const retryConditions = [
  "error",
  "timeout",
  "invalid_header",
  "http_500",
  "http_502",
  "http_503",
  "http_504",
  "http_403",
  "http_404",
  "http_429",
  "non_idempotent",
  "off",
] as const;

const retrySchema = z
  .strictObject({
    on: z.array(z.enum(retryConditions)).default(["error", "timeout", "invalid_header"]),
    tries: z
      .int()
      .min(0)
      .max(100)
      .default(0)
      .describe("Most engines tried per leg. 0 = each engine once."),
    timeoutMs: milliseconds.default(0).describe("No new try after this long. 0 = no limit."),
  })
  .describe(
    "When another engine is tried. Never after the first byte of an answer went to the client.",
  );

const accessLogSchema = z.strictObject({
  file: text.describe("A path, or `stdout` or `stderr`."),
  format: text.default("combined").describe("A name in `logFormats`, or `combined`."),
});

const routeSchema = z
  .strictObject({
    match: matchSchema,
    internal: z.boolean().default(false).describe("Reached only by rewrites and prefill."),
    steps: z.array(stepSchema).max(100).default([]),
    target: targetSchema.optional().describe("Where the request (with prefill: its decode) goes."),
    encode: encodeSchema.optional(),
    prefill: prefillSchema.optional(),
    onPrefillFailure: z
      .enum(["error", "decode_only"])
      .default("error")
      .describe(
        "When no prefill can be had: answer with an error, or let decode compute the prompt (slowly, and at the cost of its other requests).",
      ),
    dialect: z
      .enum(routeDialects)
      .default("omni")
      .describe(
        "How the engines hand the KV cache over. `plain` = they do not: one pool, no prefill. `auto` = found out from what they answer.",
      ),
    prefillMinTokens: z
      .int()
      .min(0)
      .max(1_000_000_000)
      .default(0)
      .describe(
        "Shorter prompts are not worth a hand-over: decode computes them itself. Estimated as one token for 4 bytes of the body, without what the decode engine has cached (`cacheTokens` of its pool). 0 = all are prefilled.",
      ),
    byEndpoint: z
      .boolean()
      .optional()
      .describe(
        "Go by what engines answer at the path (`docs/endpoints.md`): only what generates is prefilled, `/v1/models` is the list of all engines, others go where they can be answered. Off: every POST of a route with a prefill is prefilled. Default: on where there is a prefill, and off in nginx.conf.",
      ),
    setHeaders: z
      .record(text, z.string())
      .default({})
      .describe("Request headers to engines. Template; an empty value removes the header."),
    requestId: z
      .boolean()
      .optional()
      .describe(
        "Give requests an `X-Request-Id` if they have none, and return it. Default: on where there is a prefill.",
      ),
    explain: z
      .boolean()
      .default(false)
      .describe(
        "Tell a client that sends `X-Explain: 1` in `X-Explain` why its engines were chosen. Their addresses are in it.",
      ),
    connectTimeoutMs: milliseconds.default(5_000),
    sendTimeoutMs: milliseconds.default(60_000).describe("Between two writes to an engine."),
    readTimeoutMs: milliseconds.default(600_000).describe("Between two reads from an engine."),
    clientSendTimeoutMs: milliseconds.default(60_000).describe("Between two writes to the client."),
    bodyTimeoutMs: milliseconds.default(60_000).describe("Between two reads of a request body."),
    bodyBytesMax: bytes
      .default(67_108_864)
      .describe("Largest request body; more is refused with 413. 0 = no limit."),
    retry: retrySchema.prefault({}),
    accessLogs: z.array(accessLogSchema).max(16).default([]),
    errorPages: z
      .array(
        z.strictObject({
          statuses: z.array(z.int().min(300).max(599)).min(1),
          status: z.int().min(200).max(599).optional().describe("Answer with this status instead."),
          keepPageStatus: z
            .boolean()
            .default(false)
            .describe("Answer with the status that the page itself has."),
          uri: text.describe(
            "A path to route to internally, the `@name` of a route (the request's own path stays), or a URL to redirect to. Template.",
          ),
        }),
      )
      .default([])
      .describe("What is answered in place of the proxy's own errors."),
  })
  .describe("What happens to the requests that match.");

const listenSchema = z
  .strictObject({
    host: text
      .default("0.0.0.0")
      .describe("`::` listens on IPv6 (and IPv4, unless bound already)."),
    port: z.int().min(0).max(65_535).optional().describe("0 = any free port."),
    unixPath: text.optional().describe("A unix socket instead of host and port."),
    defaultServer: z.boolean().default(false),
    reusePort: z.boolean().default(false),
    backlog: z.int().min(1).max(65_535).default(4096),
  })
  .describe("One address to listen on.");

const serverSchema = z
  .strictObject({
    listen: z.array(listenSchema).min(1),
    names: z
      .array(z.string())
      .default([])
      .describe("`a.example`, `*.example`, `www.*`, `~regex` or ``."),
    headerTimeoutMs: milliseconds.default(60_000).describe("For a whole request head."),
    keepAliveTimeoutMs: milliseconds
      .default(75_000)
      .describe("Idle time of a client's connection."),
    keepAliveRequests: z.int().min(1).default(100_000),
    headBytesMax: bytes.default(32_768).describe("Largest request head; more is refused with 431."),
    steps: z.array(stepSchema).max(100).default([]),
    routes: z.array(routeSchema).max(1000),
  })
  .describe("A virtual server.");

const mapSchema = z
  .strictObject({
    source: z.string().describe("Template."),
    variable: text.describe("Name of the variable that it makes, without `$`."),
    default: z.string().default("").describe("Template."),
    entries: z.array(
      z.strictObject({
        match: z
          .string()
          .describe("A literal (letter case ignored), or with `~` or `~*` a regular expression."),
        value: z.string().describe("Template; may use the captures."),
      }),
    ),
  })
  .describe("A variable whose value depends on another's.");

/** Levels of the error log, mild to grave, by nginx's names. */
export const logLevels = [
  "debug",
  "info",
  "notice",
  "warn",
  "error",
  "crit",
  "alert",
  "emerg",
] as const;

/** The whole configuration. */
export const configSchema = z
  .strictObject({
    workers: z
      .union([z.int().min(1).max(64), z.literal("auto")])
      .default(1)
      .describe(
        "Worker threads. More than one needs Bun, or Node 22.12 or later. `auto` = one per core.",
      ),
    pidFile: text.optional().describe("Where the process id is written; `-s` reads it."),
    connectionsMax: z
      .int()
      .min(1)
      .max(1_000_000)
      .default(65_536)
      .describe("Client connections per worker."),
    bodyBytesTotalMax: bytes
      .default(1_073_741_824)
      .describe("Request bodies in memory per worker; more is refused with 503."),
    drainTimeoutMs: milliseconds
      .default(0)
      .describe("Longest wait for streams at `quit`. 0 = as long as they take."),
    callback: callbackSchema.prefault({}),
    errorLog: z
      .strictObject({
        file: text.default("stderr").describe("A path, or `stderr`."),
        level: z.enum(logLevels).default("error"),
      })
      .prefault({}),
    logFormats: z
      .record(
        text,
        z.strictObject({
          format: z.string().describe("Template."),
          escape: z.enum(["default", "json", "none"]).default("default"),
        }),
      )
      .default({}),
    record: recordSchema.optional(),
    admin: adminSchema.optional(),
    maps: z.array(mapSchema).max(1000).default([]),
    pools: z.record(text, poolSchema).default({}),
    registrations: z.array(registrationSchema).max(16).default([]),
    servers: z.array(serverSchema).min(1).max(1000),
  })
  .describe("Configuration of Global Proxy.");

export type Config = z.output<typeof configSchema>;
/** The same before defaults are filled in: what a YAML file holds. */
export type ConfigInput = z.input<typeof configSchema>;
export type EngineConfig = z.output<typeof engineSchema>;
export type PoolConfig = z.output<typeof poolSchema>;
export type ServerConfig = z.output<typeof serverSchema>;
export type ListenConfig = z.output<typeof listenSchema>;
export type RouteConfig = z.output<typeof routeSchema>;
export type RetryConfig = z.output<typeof retrySchema>;
export type RetryCondition = (typeof retryConditions)[number];
export type MatchConfig = z.output<typeof matchSchema>;
export type StepConfig = z.output<typeof stepSchema>;
export type TargetConfig = z.output<typeof targetSchema>;
export type PrefillConfig = z.output<typeof prefillSchema>;
export type MapConfig = z.output<typeof mapSchema>;
export type LogFormatConfig = Config["logFormats"][string];
export type AccessLogConfig = z.output<typeof accessLogSchema>;
export type LogLevel = (typeof logLevels)[number];
