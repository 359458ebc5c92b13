/** The listener at which decode engines ask for a prefill. */
import { z } from "zod";
import { withDetails } from "./describe.ts";
import { text } from "./values.ts";

export const callbackSchema = z
  .strictObject({
    host: text.default("0.0.0.0").describe("Address to listen on."),
    port: z
      .int()
      .min(0)
      .max(65_472)
      .default(0)
      .describe(
        "Port of the first worker; each further worker has the next one. 0 = any free ports.",
      ),
    advertise: text
      .optional()
      .describe(
        withDetails(
          "Host by which decode engines reach this machine.",
          "The default is `host`, unless that means all addresses. Then it is 127.0.0.1 for engines on loopback,",
          "and the machine's first external IPv4 address for others.",
        ),
      ),
  })
  .describe(
    "Where decode engines ask the proxy for a prefill. It opens only if a route's dialect needs it.",
  );
