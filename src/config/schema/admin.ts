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
          "Address to listen on.",
          "There is no password: whoever reaches this address can read engines' addresses and requests' ids.",
        ),
      ),
    port: z.int().min(0).max(65_535).describe("0 = any free port; the log names it."),
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
