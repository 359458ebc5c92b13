/** One engine of a pool, and the connections to it. */
import { z } from "zod";
import { withDetails } from "../describe.ts";
import { milliseconds, text } from "../values.ts";

/** Those of nginx. They are filled in after it is known whether somebody has written them. */
const maxFailsDefault = 1;
const failTimeoutMsDefault = 10_000;

export const engineSchema = z
  .strictObject({
    url: text.describe(
      withDetails(
        "`http://host:port`, `https://host:port` (see `tls` of the pool), `host:port` or `unix:/path`.",
        "IPv6 hosts stand in brackets. After the port, `@RANK` or `@FIRST-LAST` names data-parallel ranks;",
        "each rank counts as an engine of its own. Attributes may follow as `?name=value&…`.",
      ),
    ),
    weight: z
      .int()
      .min(1)
      .max(1000)
      .default(1)
      .describe("Share of the load, relative to the pool's other engines."),
    maxFails: z
      .int()
      .min(0)
      .optional()
      .describe(
        withDetails(
          "Failures within `failTimeoutMs` that eject the engine for as long. 0 = never.",
          "For the ejection rule `max_fails`, which a pool has if one of its engines says this.",
        ),
      )
      .meta({ default: maxFailsDefault }),
    failTimeoutMs: milliseconds
      .optional()
      .describe("See `maxFails`.")
      .meta({ default: failTimeoutMsDefault }),
    slowStartMs: milliseconds
      .default(0)
      .describe(
        withDetails(
          "How long a new or recovered engine takes to reach its full weight.",
          "New means: added to a running proxy. Policies that use weights follow it, and so does `predictive`.",
        ),
      ),
    maxConns: z
      .int()
      .min(0)
      .default(0)
      .describe("Maximum requests in flight at this engine, from the whole proxy. 0 = no limit."),
    backup: z
      .boolean()
      .default(false)
      .describe("Used only if no other engine is available and has capacity."),
    down: z.boolean().default(false).describe("Never used."),
    draining: z
      .boolean()
      .default(false)
      .describe("Takes nothing new, and finishes what it has (`docs/discovery.md`)."),
    attributes: z
      .record(text, z.string())
      .default({})
      .describe(
        "What the dialect needs to know about this engine, such as `bootstrap_port` (`docs/kv-transfer.md`).",
      ),
  })
  .describe("One engine of a pool.");

/** Members stay in the schema's order, so that a dump is the same wherever the values come from. */
export function withFailureDefaults(engine: z.output<typeof engineSchema>) {
  const {
    url,
    weight,
    maxFails = maxFailsDefault,
    failTimeoutMs = failTimeoutMsDefault,
    ...rest
  } = engine;
  return { url, weight, maxFails, failTimeoutMs, ...rest };
}

export const keepAliveSchema = z
  .strictObject({
    connections: z
      .int()
      .min(0)
      .max(65_535)
      .default(256)
      .describe("Idle connections that each worker keeps to each engine."),
    idleMs: milliseconds
      .default(4_000)
      .describe("How long a connection may stay idle. uvicorn closes after 5 s: stay below."),
    requests: z
      .int()
      .min(1)
      .default(100_000)
      .describe("Requests on one connection before it is closed."),
  })
  .describe("How connections to engines are reused.");
