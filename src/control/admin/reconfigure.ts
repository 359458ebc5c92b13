/** The configuration of a running proxy: what it is, what a reload would change, the reload itself, the log's level. */
import { z } from "zod";
import { logLevels } from "../../config/values/log-levels.ts";
import { maskConfig, maskText } from "../../config/values/secrets.ts";
import { configChangesMax } from "../limits.ts";
import type { AdminSource, ReloadReport } from "./admin-source.ts";
import { AdminError, problemSchema, readBody } from "./problem.ts";
import { type AdminResponse, json } from "./response.ts";
import type { AdminRoute } from "./route.ts";
import { count, named } from "./schemas.ts";

const anything = z.unknown().optional();

const changeSchema = named(
  "ConfigChange",
  z.object({
    path: z.string().describe('Such as `pools.decode.engines["http://10.0.0.1:8200"].weight`.'),
    before: anything.describe("Absent = the setting is new."),
    after: anything.describe(
      "Absent = the setting is gone. Two times `***` = a secret has changed.",
    ),
  }),
);
const changesSchema = named(
  "ConfigChanges",
  z.object({
    changes: z.array(changeSchema).describe("Empty = nothing."),
    untold: count.optional().describe("Changes that are not listed."),
    warnings: z.array(z.string()),
  }),
);
const refusedSchema = named(
  "ConfigRefused",
  problemSchema.extend({
    problems: z
      .array(
        z.object({
          level: z.enum(["emerg", "warn", "notice"]),
          message: z.string(),
          hint: z.string().optional(),
          file: z.string(),
          line: count.describe("From 1. 0 = the whole file."),
          column: count.describe("From 1. 0 = the whole line."),
        }),
      )
      .describe(
        "Empty = the configuration is right, but could not be applied, such as an address that is in use.",
      ),
  }),
);
const levelSchema = z.enum(logLevels);
const logLevelSchema = named(
  "LogLevel",
  z.object({
    level: levelSchema,
    configured: levelSchema.describe("What a reload goes back to, if the file has not changed."),
  }),
);
const logLevelRequest = named("LogLevelRequest", z.strictObject({ level: levelSchema }));

const group = "configuration";
const responses = { 200: changesSchema, 422: refusedSchema };

export const configurationRoutes: readonly AdminRoute[] = [
  {
    group,
    method: "GET",
    path: "/admin/config",
    id: "getConfig",
    summary: "The configuration in force, with all defaults. Secrets are `***`.",
    responses: {
      200: named("Config", z.looseObject({}).describe("As docs/configuration.md describes it.")),
    },
    respond: ({ source }) => json(200, maskConfig(source.config).config),
  },
  {
    group,
    method: "GET",
    path: "/admin/config/diff",
    id: "getConfigDiff",
    summary: "What a reload would change, by all checks of a reload. It binds no address.",
    responses,
    respond: async ({ source }) => reloadResponse(await source.configuration.difference()),
  },
  {
    group,
    method: "POST",
    path: "/admin/reload",
    id: "reload",
    summary:
      "Reads the configuration again, checks it and applies it. On any error the old one stays in force.",
    responses,
    respond: async ({ source }) => reloadResponse(await source.configuration.reload()),
  },
  {
    group,
    method: "GET",
    path: "/admin/log-level",
    id: "getLogLevel",
    summary: "The least severe level that the error log writes.",
    responses: { 200: logLevelSchema },
    respond: ({ source }) => json(200, logLevel(source)),
  },
  {
    group,
    method: "PUT",
    path: "/admin/log-level",
    id: "setLogLevel",
    summary: "Sets that level until the next reload.",
    body: logLevelRequest,
    responses: { 200: logLevelSchema },
    errors: [400, 409],
    async respond({ source, body }) {
      const { level } = readBody(logLevelRequest, body);
      await change(source, (config) => ({ ...config, errorLog: { ...config.errorLog, level } }));
      return json(200, { ...logLevel(source), level });
    },
  },
];

/** Applies what an operator changes; throws `AdminError` if it cannot be. */
export async function change(
  { configuration }: AdminSource,
  update: Parameters<AdminSource["configuration"]["change"]>[0],
): Promise<void> {
  const problems = await configuration.change(update);
  if (problems.length > 0) throw new AdminError(409, "not_applied", maskText(problems.join("; ")));
}

function logLevel({ config, configuration }: AdminSource): z.output<typeof logLevelSchema> {
  return { level: config.errorLog.level, configured: configuration.written.errorLog.level };
}

function reloadResponse(report: ReloadReport): AdminResponse {
  if ("failed" in report) {
    const { failed, problems } = report;
    const code = problems.length > 0 ? "bad_configuration" : "not_applied";
    const error = { message: maskText(failed), type: "admin_error", param: null, code };
    const masked = problems.map((one) => ({ ...one, message: maskText(one.message) }));
    return json(422, { error, problems: masked });
  }
  const { changes, warnings } = report;
  const untold = changes.length - configChangesMax;
  return json(200, {
    changes: changes.slice(0, configChangesMax),
    ...(untold > 0 && { untold }),
    warnings: warnings.map(maskText),
  });
}
