/**
 * The one schema of the whole configuration. Types, validation, `docs/configuration.md` and `config.schema.json` all
 * come from it. nginx.conf and flags become the same `Config`, and nothing after that knows which it was.
 *
 * A value that is called a template may contain variables as `$name` or `${name}` (listed in `values/variables.ts`).
 * Units stand at the end of names. A `Config` is plain data, so that worker threads can receive it.
 */
import { z } from "zod";
import type { logLevels } from "../values/log-levels.ts";
import type { retryConditions } from "../values/retry-conditions.ts";
import { adminSchema } from "./admin.ts";
import { callbackSchema } from "./callback.ts";
import { withDetails } from "./describe.ts";
import { errorLogSchema, logFormatSchema } from "./logs.ts";
import { mapSchema } from "./map.ts";
import { metricsSchema } from "./metrics.ts";
import type { withFailureDefaults } from "./pool/engine.ts";
import { poolSchema } from "./pool/pool.ts";
import { recordSchema } from "./record.ts";
import { registrationSchema } from "./registration.ts";
import type { accessSchema } from "./server/access.ts";
import { contentTypesSchema } from "./server/files.ts";
import type { prefillSchema, targetSchema } from "./server/legs.ts";
import {
  type connectionLimitsSchema,
  connectionZoneSchema,
  type requestLimitsSchema,
  requestZoneSchema,
} from "./server/limits.ts";
import type { retrySchema } from "./server/retry.ts";
import type { matchSchema, routeSchema } from "./server/route.ts";
import { type listenSchema, serverSchema } from "./server/server.ts";
import type { conditionSchema, stepSchema } from "./server/steps.ts";
import { authSchema, tenantSchema } from "./tenants.ts";
import { tracingSchema } from "./tracing.ts";
import { bytes, milliseconds, text } from "./values.ts";

export const configSchema = z
  .strictObject({
    workers: z
      .union([z.int().min(1).max(64), z.literal("auto")])
      .default(1)
      .describe(
        withDetails(
          "Worker threads. `auto` = one per core.",
          "More than one needs Bun, or Node 22.12 or later.",
        ),
      ),
    pidFile: text.optional().describe("File for the process id; `-s` reads it."),
    connectionsMax: z
      .int()
      .min(1)
      .max(1_000_000)
      .default(65_536)
      .describe("Maximum number of client connections per worker."),
    bodyBytesTotalMax: bytes
      .default(1_073_741_824)
      .describe(
        "Maximum bytes of request bodies, and of responses that are held back, per worker. Others get 503.",
      ),
    drainTimeoutMs: milliseconds
      .default(0)
      .describe("How long `quit` waits for streams to end. 0 = no limit."),
    callback: callbackSchema.prefault({}),
    errorLog: errorLogSchema.prefault({}),
    logFormats: z.record(text, logFormatSchema).default({}).describe("Formats of access logs."),
    record: recordSchema.optional(),
    tracing: tracingSchema.optional(),
    admin: adminSchema.optional(),
    metrics: metricsSchema.prefault({}),
    auth: authSchema.optional(),
    tenants: z
      .record(text, tenantSchema)
      .default({})
      .describe("Limits of tenants, by their names."),
    contentTypes: z
      .record(text, contentTypesSchema)
      .default({})
      .describe("Lists of content types, by names that routes refer to."),
    requestZones: z
      .record(text, requestZoneSchema)
      .default({})
      .describe("Rates of requests, by names that `requestLimits` of routes refer to."),
    connectionZones: z
      .record(text, connectionZoneSchema)
      .default({})
      .describe("Counts of requests under way, by names that `connectionLimits` refer to."),
    maps: z.array(mapSchema).max(1000).default([]).describe("Variables that depend on others."),
    pools: z.record(text, poolSchema).prefault({}).describe("Pools of engines."),
    registrations: z
      .array(registrationSchema)
      .max(16)
      .default([])
      .describe("Addresses at which engines register themselves."),
    servers: z.array(serverSchema).min(1).max(1000).describe("Virtual servers."),
  })
  .describe("Configuration of Global Proxy.");

export type Config = z.output<typeof configSchema>;
/** The same before defaults are filled in: what a YAML file contains. */
export type ConfigInput = z.input<typeof configSchema>;
export type EngineConfig = ReturnType<typeof withFailureDefaults>;
export type PoolConfig = z.output<typeof poolSchema>;
export type ServerConfig = z.output<typeof serverSchema>;
export type ListenConfig = z.output<typeof listenSchema>;
export type RouteConfig = z.output<typeof routeSchema>;
export type AccessConfig = z.output<typeof accessSchema>;
export type RequestLimitsConfig = z.output<typeof requestLimitsSchema>;
export type ConnectionLimitsConfig = z.output<typeof connectionLimitsSchema>;
export type RetryConfig = z.output<typeof retrySchema>;
export type RetryCondition = (typeof retryConditions)[number];
export type MatchConfig = z.output<typeof matchSchema>;
export type ConditionConfig = z.output<typeof conditionSchema>;
export type StepConfig = z.output<typeof stepSchema>;
export type TargetConfig = z.output<typeof targetSchema>;
export type PrefillConfig = z.output<typeof prefillSchema>;
export type MapConfig = z.output<typeof mapSchema>;
export type LogFormatConfig = z.output<typeof logFormatSchema>;
export type LogLevel = (typeof logLevels)[number];
