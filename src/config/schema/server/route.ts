/** A route: which requests it takes, and what happens to them. */
import { z } from "zod";
import { withDetails } from "../describe.ts";
import { dialectSchema } from "../dialects.ts";
import { bytes, milliseconds, text } from "../values.ts";
import { accessKeys } from "./access.ts";
import { fileKeys } from "./files.ts";
import { encodeSchema, prefillSchema, targetSchema } from "./legs.ts";
import { limitKeys } from "./limits.ts";
import { modelKeys } from "./models.ts";
import { responseKeys } from "./response.ts";
import { retrySchema } from "./retry.ts";
import { stepSchema } from "./steps.ts";

export const matchSchema = z
  .strictObject({
    kind: z
      .enum(["exact", "prefix", "prefix-first", "regex", "regex-ignore-case"])
      .default("prefix")
      .describe("nginx's `=`, none, `^~`, `~` and `~*`, with nginx's precedence."),
    path: text.describe(
      "A path, a regular expression, or the `@name` by which others refer to the route.",
    ),
    within: text
      .optional()
      .describe(
        withDetails(
          "Look for this route only among the requests that another one takes: its `path`, as of nested locations.",
          "Of several, the last one before this route, without exact ones.",
        ),
      ),
  })
  .describe("Which requests a route takes.");

const accessLogSchema = z.strictObject({
  file: text.describe("A path, or `stdout` or `stderr`, or `syslog:…` (`docs/operations.md`)."),
  format: text
    .default("combined")
    .describe("A name in `logFormats`, or `combined`, or `json` (docs/operations.md)."),
  if: text.optional().describe("Template; requests for which it is empty or `0` are not logged."),
});

const prefillKeys = {
  target: targetSchema.optional(),
  encode: encodeSchema.optional(),
  prefill: prefillSchema.optional(),
  onPrefillFailure: z
    .enum(["error", "decode_only"])
    .default("error")
    .describe(
      withDetails(
        "If no prefill succeeds: respond with an error, or let decode compute the prompt.",
        "Decode engines compute prompts slowly, and meanwhile slow down their other requests.",
      ),
    ),
  onMissingTransfer: z
    .enum(["recompute", "retry", "error"])
    .default("recompute")
    .describe(
      withDetails(
        "If a prefill's response names no KV cache: let decode compute the prompt again, try another prefill, or fail.",
        "It is counted (`/admin/kv`), and logged once for each engine: the dialect may be the wrong one.",
      ),
    ),
  dialect: dialectSchema,
  prefillMinTokens: z
    .int()
    .min(0)
    .max(1_000_000_000)
    .default(0)
    .describe(
      withDetails(
        "Shorter prompts are not prefilled: decode computes them itself. 0 = all prompts are prefilled.",
        "The length is estimated as one token per 4 bytes of the body,",
        "less what the decode engine has cached (`cacheTokens` of its pool).",
      ),
    ),
};

/** What the main thread can respond with in a route's place. Original: docs/migrating.md. */
export const routePages = [
  "metrics",
  "vllm_metrics",
  "omni_metrics",
  "omni_health",
  "omni_broadcast",
] as const;

export const routeSchema = z
  .strictObject({
    match: matchSchema,
    page: z
      .enum(routePages)
      .optional()
      .describe(
        withDetails(
          "What the proxy itself responds with, in place of engines (`docs/migrating.md`).",
          "`metrics`: all metrics. `vllm_metrics`: those by vLLM's names alone.",
          "`omni_metrics`, `omni_health`, `omni_broadcast`: those of omni_proxy.",
          "Every client that reaches the route may ask for it.",
        ),
      ),
    internal: z
      .boolean()
      .default(false)
      .describe("Not for clients: only rewrites, error pages and prefills reach this route."),
    steps: z
      .array(stepSchema)
      .max(100)
      .default([])
      .describe("Steps before the request is forwarded."),
    ...prefillKeys,
    ...modelKeys,
    ...fileKeys,
    byEndpoint: z
      .boolean()
      .default(true)
      .describe(
        withDetails(
          "Treat requests by their endpoint (`docs/endpoints.md`).",
          "Then only endpoints that generate text are prefilled, `/v1/models` lists the models of all engines,",
          "and other requests go to an engine that can respond, without fields that steer KV transfers",
          "(`docs/security.md`). If off, every POST of a route with a prefill is prefilled, and a route without one",
          "forwards bodies as they come. Off in nginx.conf.",
        ),
      ),
    engineControl: z
      .boolean()
      .default(false)
      .describe(
        withDetails(
          "Forward paths that control engines, such as `/sleep`. If off, they get 403 (`docs/security.md`).",
          "On in nginx.conf, whose locations say what is forwarded.",
        ),
      ),
    streamUsage: z
      .boolean()
      .default(false)
      .describe(
        withDetails(
          "Ask engines for the usage in every event of a stream, as if the client had (`stream_options`).",
          "For completions and chats with `stream: true`. Clients get what engines send.",
        ),
      ),
    auth: z
      .boolean()
      .default(true)
      .describe("Whether requests need a key and count for their tenants, if there is `auth`."),
    sharedStorage: z
      .boolean()
      .default(false)
      .describe(
        withDetails(
          "With `auth`: forward files, batches, conversations and the like, which all tenants then share.",
          "If off, they get 403 (`docs/tenants.md`). So do stored responses where `byEndpoint` is off.",
        ),
      ),
    setHeaders: z
      .record(text, z.string())
      .default({})
      .describe("Request headers for engines, as templates. An empty value removes the header."),
    upgrade: z
      .boolean()
      .default(false)
      .describe(
        "Let clients change to another protocol, such as WebSocket (Realtime API): after the engine's 101 the bytes " +
          "of both sides pass as they come, as long as one of them sends some within `readTimeoutMs`. Not with " +
          "`prefill`.",
      ),
    requestId: z
      .boolean()
      .optional()
      .describe(
        withDetails(
          "Give requests without an `X-Request-Id` one, and return it.",
          "The default is on for routes with a prefill.",
        ),
      ),
    explain: z
      .boolean()
      .default(false)
      .describe(
        withDetails(
          "Tell clients that send `X-Explain: 1` why their engines were chosen.",
          "The response header `X-Explain` contains engines' addresses.",
        ),
      ),
    connectTimeoutMs: milliseconds.default(5_000).describe("For a connection to an engine."),
    sendTimeoutMs: milliseconds.default(60_000).describe("Between two writes to an engine."),
    readTimeoutMs: milliseconds.default(600_000).describe("Between two reads from an engine."),
    clientSendTimeoutMs: milliseconds.default(60_000).describe("Between two writes to the client."),
    bodyTimeoutMs: milliseconds.default(60_000).describe("Between two reads of a request body."),
    bodyBytesMax: bytes
      .default(67_108_864)
      .describe("Largest request body; a larger one gets 413. 0 = no limit."),
    requestTimeoutMs: milliseconds
      .default(0)
      .describe(
        withDetails(
          "For a whole request, from its head to the last byte of its response. 0 = no limit.",
          "Bodies and responses that come slowly end by it, too: with 408 while the body comes, with 504 before",
          "the first byte of the response, and by closing the connection afterwards.",
        ),
      ),
    prefillTimeoutMs: milliseconds
      .default(0)
      .describe(
        withDetails(
          "For a prefill, from its sending to the last byte of the response. 0 = no limit.",
          "Each prefill engine that is tried has this time.",
        ),
      ),
    keepAliveCommentMs: milliseconds
      .default(0)
      .describe(
        withDetails(
          "While a stream waits for its first token, send its client a comment this often. 0 = never.",
          "For load balancers that cut idle streams. Its head goes out with the first comment, with status 200:",
          "what fails afterwards is an event within the stream (`docs/responses.md`).",
        ),
      ),
    resume: z
      .boolean()
      .default(false)
      .describe(
        withDetails(
          "If a decode engine dies within a stream, continue the stream from another one (`docs/resume.md`).",
          "For completions and chats of vLLM and SGLang that can be continued exactly; others break off.",
        ),
      ),
    retry: retrySchema.prefault({}),
    accessLogs: z.array(accessLogSchema).max(16).default([]).describe("Where requests are logged."),
    ...accessKeys,
    ...limitKeys,
    ...responseKeys,
  })
  .describe("What happens to the requests that match.");
