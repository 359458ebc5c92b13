/** Where decode engines call the proxy back. */
import { z } from "zod";

const text = z.string().min(1);

export const callbackSchema = z
  .strictObject({
    host: text.default("0.0.0.0").describe("Address to listen on."),
    port: z
      .int()
      .min(0)
      .max(65_472)
      .default(0)
      .describe("Of the first worker; each further one has the next port. 0 = any free ports."),
    advertise: text
      .optional()
      .describe(
        "Host by which decode engines reach this machine. Default: `host`, unless that stands for all addresses; then 127.0.0.1 for engines on loopback, and the machine's first external IPv4 address for others.",
      ),
  })
  .describe(
    "Where decode engines call back for their prefill. Open only where a route's dialect needs it.",
  );
