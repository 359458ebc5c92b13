/** A pool: engines that can replace one another, and how one of them is chosen. */
import { z } from "zod";
import { poolEnginesMax } from "../../../limits.ts";
import { withDetails } from "../describe.ts";
import { secretSource } from "../operators.ts";
import { poolTlsSchema } from "../tls.ts";
import { defaultEjection, ejectionSchema } from "./ejection.ts";
import { engineSchema, keepAliveSchema, withFailureDefaults } from "./engine.ts";
import { healthCheckSchema } from "./health-check.ts";
import { kvEventsSchema } from "./kv-events.ts";
import { type PolicyConfig, policySchema } from "./policies.ts";
import { queueSchema } from "./queue.ts";
import { expandShortForm } from "./short-form.ts";
import { signalsSchema } from "./signals.ts";
import { sourceSchema } from "./sources.ts";

export const poolSchema = z
  .strictObject({
    engines: z
      .array(engineSchema)
      .max(poolEnginesMax)
      .default([])
      .describe("May be empty only if engines come from `sources` or `registrations`."),
    sources: z
      .array(sourceSchema)
      .max(16)
      .default([])
      .describe("Where further engines come from (`docs/discovery.md`)."),
    policy: policySchema
      .prefault({ name: "round_robin" })
      .describe(
        withDetails(
          "How an engine is chosen (`docs/policies.md`).",
          "If a route splits prefill and decode and its prefill pool names no policy, `predictive` is used;",
          "if its decode pool names none, `least_kv` is used.",
        ),
      ),
    shadow: policySchema
      .optional()
      .describe(
        withDetails(
          "A second policy that sees the same requests and decides nothing.",
          "`/admin/shadow` compares its choices with the real ones (`docs/admin.md`).",
          "Any policy but `predictive`. It costs the hashing of prompts.",
        ),
      ),
    ejection: ejectionSchema.optional(),
    healthCheck: healthCheckSchema.optional(),
    tls: poolTlsSchema.optional(),
    keepAlive: keepAliveSchema.prefault({}),
    apiKey: secretSource
      .optional()
      .describe(
        withDetails(
          "The key that its engines ask for (`--api-key`), sent as a Bearer token in place of the client's.",
          "It is read again on a reload, and nowhere shown.",
        ),
      ),
    kvEvents: kvEventsSchema
      .optional()
      .describe(
        withDetails(
          "Read KV events, so that policies know what engines have cached (`docs/kv-events.md`).",
          "Needs `tokenize`. By default the proxy estimates each cache from the prompts it sent.",
        ),
      ),
    tokenize: z
      .boolean()
      .default(false)
      .describe(
        withDetails(
          "Let an engine of this pool tokenize prompts (`/tokenize`) before they are placed.",
          "If off, the number of tokens is estimated from the bytes.",
        ),
      ),
    queue: queueSchema.optional(),
    signals: signalsSchema.optional(),
    cacheTokens: z
      .int()
      .min(0)
      .max(1_000_000_000_000)
      .default(0)
      .describe(
        withDetails(
          "Tokens that the KV cache of one engine holds. 0 = unknown.",
          "Engines log it when they start. If it is known, the part of a prompt that a decode engine has cached",
          "does not count for `prefillMinTokens`; if not, nothing counts as cached.",
        ),
      ),
  })
  .describe("Engines that can replace one another, and how one of them is chosen.")
  .transform(({ ejection, ...pool }) => {
    const complete = {
      ...pool,
      engines: pool.engines.map(withFailureDefaults),
      // At the end in either case: a dump is the same wherever the value comes from.
      ejection: ejection ?? defaultEjection(pool.engines),
    };
    return expandShortForm<PolicyConfig, typeof complete>(complete);
  });
