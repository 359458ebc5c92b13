/** Where a pool's engines come from, beside those that the configuration lists. */
import { z } from "zod";
import { withDetails } from "../describe.ts";
import { milliseconds, text } from "../values.ts";
import { engineSchema } from "./engine.ts";

export const fileSourceSchema = z
  .strictObject({
    file: text.describe(
      withDetails(
        "A YAML or JSON file that lists engines, and is read again when it changes.",
        "As `engines` of a pool, or in the form of Prometheus' `file_sd`.",
      ),
    ),
    labels: z
      .record(text, z.string())
      .default({})
      .describe("Only groups of `file_sd` that have all these labels."),
    pollMs: z
      .int()
      .min(50)
      .max(3_600_000)
      .default(2_000)
      .describe("How often the file is looked at where the system reports no change."),
  })
  .describe("A file that lists engines.");

export const dnsSourceSchema = z
  .strictObject({
    dns: text.describe(
      withDetails(
        "`name:port`: each address of the name is an engine. With `type: SRV`, the name alone.",
        "`@RANK` and `?attribute=value` may follow, as in the URL of an engine; `https://` before it, for TLS.",
      ),
    ),
    type: z
      .enum(["address", "A", "AAAA", "SRV"])
      .default("address")
      .describe("Records that are asked for. `address` = A and AAAA."),
    resolver: z
      .array(text)
      .max(8)
      .default([])
      .describe("Name servers, as `address` or `address:port`. Default: the system's."),
    minMs: z
      .int()
      .min(100)
      .max(86_400_000)
      .default(1_000)
      .describe("The name is asked for again after the records' TTL, but not before this time."),
    maxMs: z
      .int()
      .min(100)
      .max(86_400_000)
      .default(300_000)
      .describe("The same, at the latest after this time."),
    keepMs: milliseconds
      .default(60_000)
      .describe(
        withDetails(
          "How long engines stay after the name server has said that the name has no addresses.",
          "Without an answer they stay for any time.",
        ),
      ),
    engine: engineSchema
      .omit({ url: true })
      .prefault({})
      .describe("Settings of each of these engines, as in `engines`."),
  })
  .describe("A name in DNS.");

export const adminSourceSchema = z
  .strictObject({
    admin: z
      .literal(true)
      .describe("Engines are added on the admin listener, so the pool may be empty at first."),
  })
  .describe("The admin listener.");

export const sourceSchema = z.union([fileSourceSchema, dnsSourceSchema, adminSourceSchema]);

export type FileSourceConfig = z.output<typeof fileSourceSchema>;
export type DnsSourceConfig = z.output<typeof dnsSourceSchema>;
export type PoolSourceConfig = z.output<typeof sourceSchema>;
