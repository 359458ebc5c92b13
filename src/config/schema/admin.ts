/** The listener for operators. */
import { z } from "zod";
import { parseHostAndPort } from "../values/engine-url.ts";

export const adminSchema = z
  .strictObject({
    host: z
      .string()
      .min(1)
      .default("127.0.0.1")
      .describe("Whoever reaches it may read addresses of engines and ids of requests."),
    port: z.int().min(0).max(65_535).describe("0 = any free port, named in the log."),
    explainedRequestsMax: z
      .int()
      .min(0)
      .max(65_536)
      .default(1_024)
      .describe(
        "Requests of which each worker keeps why their engines were chosen, for `/admin/explain/{request-id}`. 0 = none.",
      ),
  })
  .describe("A listener for operators (`docs/admin.md`), apart from those of clients.");

/** `PORT` of loopback, or `HOST:PORT`. */
export function parseAdminAddress(
  text: string,
): z.input<typeof adminSchema> | { readonly problem: string } {
  const port = /^:?(\d{1,5})$/.exec(text)?.[1];
  if (port !== undefined && Number(port) <= 65_535) return { port: Number(port) };
  const parsed = parseHostAndPort(text, 0);
  if ("problem" in parsed) return { problem: parsed.problem };
  return parsed.port > 0 ? parsed : { problem: "the port is missing" };
}

export type AdminConfig = z.output<typeof adminSchema>;
