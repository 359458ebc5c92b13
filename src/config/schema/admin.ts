/** The listener for operators. */
import { z } from "zod";
import { parseHostAndPort } from "../values/engine-url.ts";
import { withDetails } from "./describe.ts";
import { text } from "./values.ts";

export const adminSchema = z
  .strictObject({
    host: text
      .default("127.0.0.1")
      .describe(
        withDetails(
          "Address to listen on. Any but loopback needs a token.",
          "Whoever may read there learns engines' addresses and requests' ids.",
        ),
      ),
    port: z.int().min(0).max(65_535).describe("0 = any free port; the log names it."),
    token: z
      .union([
        z.strictObject({ file: text.describe("File that holds the token.") }),
        z.strictObject({ env: text.describe("Environment variable that holds the token.") }),
      ])
      .optional()
      .describe(
        withDetails(
          "The token that every request sends as `Authorization: Bearer TOKEN`. It is read again on a reload.",
          "Without one the listener only reads, and only on loopback.",
        ),
      ),
    hosts: z
      .array(text)
      .max(64)
      .default([])
      .describe(
        "Further names by which operators reach it. Addresses, `localhost` and this machine's name always are.",
      ),
    explainedRequestsMax: z
      .int()
      .min(0)
      .max(65_536)
      .default(1_024)
      .describe(
        withDetails(
          "Requests that each worker remembers for `/admin/explain/{request-id}`. 0 = none.",
          "For each of them it remembers why its engines were chosen.",
        ),
      ),
  })
  .describe("A listener for operators, separate from those for clients (`docs/admin.md`).");

/** `PORT` of loopback, or `HOST:PORT`. */
export function parseAdminAddress(
  address: string,
): z.input<typeof adminSchema> | { readonly problem: string } {
  const port = /^:?(\d{1,5})$/.exec(address)?.[1];
  if (port !== undefined && Number(port) <= 65_535) return { port: Number(port) };
  const parsed = parseHostAndPort(address, 0);
  if ("problem" in parsed) return { problem: parsed.problem };
  return parsed.port > 0 ? parsed : { problem: "the port is missing" };
}

export type AdminConfig = z.output<typeof adminSchema>;
