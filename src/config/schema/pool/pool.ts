/** A pool: engines that can stand in for one another, and how one of them is chosen. */
import { z } from "zod";
import { policySchema } from "../policies.ts";
import { queueSchema } from "../queue.ts";
import { kvEventsSchema } from "./kv-events.ts";
import { signalsSchema } from "./signals.ts";

const text = z.string().min(1);
const milliseconds = z.int().min(0).max(86_400_000);

export const engineSchema = z
  .strictObject({
    url: text.describe(
      "`http://host:port`, `host:port` or `unix:/path`. IPv6 hosts in brackets. Behind the port `@RANK` or `@FIRST-LAST` (data-parallel ranks, each an engine of its own), at the end attributes as `?name=value&…`.",
    ),
    weight: z
      .int()
      .min(1)
      .max(1000)
      .default(1)
      .describe("Share of the load, relative to the pool."),
    maxFails: z
      .int()
      .min(0)
      .default(1)
      .describe(
        "Failures within `failTimeoutMs` after which the engine rests for as long. 0 = never.",
      ),
    failTimeoutMs: milliseconds.default(10_000).describe("See `maxFails`."),
    slowStartMs: milliseconds
      .default(0)
      .describe(
        "How long an engine that is new in a running proxy, or back from failures, takes to its whole weight. For policies that go by weights; `predictive` gives an engine no more than it computes.",
      ),
    maxConns: z
      .int()
      .min(0)
      .default(0)
      .describe("Most requests in flight at this engine from the whole proxy. 0 = no limit."),
    backup: z
      .boolean()
      .default(false)
      .describe("Used only when no other engine is fit and has room."),
    down: z.boolean().default(false).describe("Never used."),
    attributes: z
      .record(text, z.string())
      .default({})
      .describe(
        "What the dialect must know of this engine, by the names in `docs/hand-over.md`, such as `bootstrap_port`.",
      ),
  })
  .describe("One engine of a pool.");

const keepAliveSchema = z
  .strictObject({
    connections: z
      .int()
      .min(0)
      .max(65_535)
      .default(256)
      .describe("Idle connections that each worker keeps to each engine."),
    idleMs: milliseconds
      .default(4_000)
      .describe("How long one may idle. uvicorn closes after 5 s, so stay below."),
    requests: z
      .int()
      .min(1)
      .default(100_000)
      .describe("Requests on one connection before it is closed."),
  })
  .describe("Pooling of connections to engines.");

export const poolSchema = z
  .strictObject({
    engines: z
      .array(engineSchema)
      .max(4096)
      .describe("At least one, unless engines register with this pool (`registrations`)."),
    policy: policySchema
      .prefault({ name: "round_robin" })
      .describe(
        "How an engine is chosen. Default where a route hands over: `predictive` for its prefill pool, `least_kv` for its decode pool.",
      ),
    shadow: policySchema
      .optional()
      .describe(
        "A second policy that sees the same requests and decides nothing: what it would have done is told to operators (`docs/admin.md`). Any but `predictive`. Has prompts hashed.",
      ),
    keepAlive: keepAliveSchema.prefault({}),
    kvEvents: kvEventsSchema
      .optional()
      .describe(
        "Policies that go by prefixes go by what engines themselves tell of their caches. Needs `tokenize`. Default: by what was sent there.",
      ),
    tokenize: z
      .boolean()
      .default(false)
      .describe(
        "Have an engine of this pool tokenise prompts (`/tokenize`) before they are placed. Off: their tokens are estimated from their bytes.",
      ),
    queue: queueSchema.optional(),
    signals: signalsSchema.optional(),
    cacheTokens: z
      .int()
      .min(0)
      .max(1_000_000_000_000)
      .default(0)
      .describe(
        "Tokens that the KV cache of one engine holds, as its log says at its start. With it, what a decode engine has cached of a prompt does not count for `prefillMinTokens`. 0 = not known: nothing counts as cached.",
      ),
  })
  .describe("Engines that can stand in for one another.");
