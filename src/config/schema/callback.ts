/** The listener at which decode engines ask for a prefill. */
import { z } from "zod";
import { withDetails } from "./describe.ts";
import { text } from "./values.ts";

export const callbackSchema = z
  .strictObject({
    host: text
      .optional()
      .describe(
        withDetails(
          "Address to listen on.",
          "The default is where the engines that call are: 127.0.0.1 if all are on loopback, else the machine's first",
          "external IPv4 address; or `advertise`, if that is an address of this machine, and all addresses if it is a",
          "name.",
        ),
      ),
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
          "The default is the address that it listens on. If that means all addresses, it is 127.0.0.1 for engines on",
          "loopback, and the machine's first external IPv4 address for others.",
        ),
      ),
  })
  .describe(
    "Where decode engines ask the proxy for a prefill. It opens only if a route's dialect needs it.",
  );
