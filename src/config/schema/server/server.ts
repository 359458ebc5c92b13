/** A virtual server: its addresses, names and routes. */
import { z } from "zod";
import { withDetails } from "../describe.ts";
import { serverTlsSchema } from "../tls.ts";
import { bytes, milliseconds, text } from "../values.ts";
import { routeSchema } from "./route.ts";
import { stepSchema } from "./steps.ts";

export const listenSchema = z
  .strictObject({
    host: text
      .default("0.0.0.0")
      .describe("`::` listens on IPv6, and on IPv4 unless another socket does."),
    port: z.int().min(0).max(65_535).optional().describe("Default: 80. 0 = any free port."),
    unixPath: text.optional().describe("A unix socket, instead of host and port."),
    defaultServer: z
      .boolean()
      .default(false)
      .describe("This server takes requests whose host no server names."),
    tls: z
      .boolean()
      .default(false)
      .describe("Connections are encrypted, by the `tls` of the servers at this address."),
    http2: z
      .boolean()
      .default(false)
      .describe(
        "Clients may speak HTTP/2 as well: with TLS they choose it in the handshake (ALPN), without TLS they must " +
          "know (h2c).",
      ),
    reusePort: z.boolean().default(false).describe("Share the port with other processes."),
    backlog: z
      .int()
      .min(1)
      .max(65_535)
      .default(4096)
      .describe("Connections that the kernel queues until they are accepted."),
  })
  .describe("One address to listen on.");

export const serverSchema = z
  .strictObject({
    listen: z.array(listenSchema).min(1).describe("Addresses to listen on."),
    names: z
      .array(z.string())
      .default([])
      .describe(
        "Hosts: `a.example`, `*.example`, `www.*`, `~regex`, or empty for requests without one.",
      ),
    tls: serverTlsSchema.optional(),
    headerTimeoutMs: milliseconds
      .default(60_000)
      .describe("For a whole request head, and for a TLS handshake."),
    keepAliveTimeoutMs: milliseconds
      .default(75_000)
      .describe("How long a client's connection may stay idle. 0 = no limit."),
    keepAliveHeaderMs: milliseconds
      .optional()
      .describe("Say so in `Keep-Alive: timeout=`, in whole seconds, which clients may heed."),
    keepAliveRequests: z
      .int()
      .min(1)
      .default(100_000)
      .describe("Requests on a client's connection before it is closed."),
    http2StreamsMax: z
      .int()
      .min(1)
      .max(65_535)
      .default(128)
      .describe("Requests at a time on a client's connection of HTTP/2."),
    headBytesMax: bytes.default(32_768).describe("Largest request head; a larger one gets 431."),
    underscoresInHeaders: z
      .boolean()
      .default(false)
      .describe("Keep header lines whose name has an underscore. If off, they are ignored."),
    unusualHeaders: z
      .boolean()
      .default(false)
      .describe(
        "Keep header lines whose name has other characters than letters, digits and hyphens. If off, they are " +
          "ignored: engines may take one name for another.",
      ),
    mergeSlashes: z
      .boolean()
      .default(true)
      .describe("Take several slashes of a path for one where a route is looked for."),
    steps: z.array(stepSchema).max(100).default([]).describe("Steps before a route is chosen."),
    unmatched: text
      .optional()
      .describe(
        withDetails(
          "The `@name` of the route whose settings hold for requests that no route takes. It may have files.",
          "They also hold for replies of the server's own steps, and to malformed requests.",
        ),
      ),
    routes: z.array(routeSchema).max(1000).describe("What happens to requests, by their path."),
  })
  .describe("A virtual server.");
