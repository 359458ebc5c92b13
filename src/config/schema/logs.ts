/** The error log, and formats of access logs. */
import { z } from "zod";
import { logLevels } from "../values/log-levels.ts";
import { text } from "./values.ts";

export const errorLogSchema = z
  .strictObject({
    file: text
      .default("stderr")
      .describe("A path, or `stderr`, or `syslog:…` (`docs/operations.md`)."),
    level: z.enum(logLevels).default("warn").describe("Least severe level that is written."),
  })
  .describe("The error log.");

/** Formats of access logs that need no entry in `logFormats`. An entry `json` replaces the built-in one. */
export const builtInLogFormats = ["combined", "json"] as const;

export const logFormatSchema = z
  .strictObject({
    format: z.string().describe("Template of a line."),
    escape: z
      .enum(["default", "json", "none"])
      .default("default")
      .describe("How values are escaped, as in nginx."),
  })
  .describe("A format of access logs.");
