/** What clients get beside what engines send: header lines, redirects, pages in place of errors. */
import { z } from "zod";
import { withDetails } from "../describe.ts";
import { text } from "../values.ts";

const addedHeaderSchema = z.strictObject({
  name: text.describe("Name of the header."),
  value: z.string().describe("Template. An empty value adds nothing."),
  onErrors: z
    .boolean()
    .default(true)
    .describe("Also with other statuses than 200, 201, 204, 206, 301 to 304, 307 and 308."),
});

const errorPageSchema = z.strictObject({
  statuses: z.array(z.int().min(300).max(599)).min(1).describe("Statuses to replace."),
  status: z.int().min(200).max(599).optional().describe("Respond with this status instead."),
  keepPageStatus: z
    .boolean()
    .default(false)
    .describe("Respond with the status of the page itself."),
  uri: text.describe(
    withDetails(
      "Template: a path, the `@name` of a route, or a URL.",
      "A path is routed internally. `@name` does the same and keeps the request's own path.",
      "A URL is a redirect.",
    ),
  ),
});

const rewrittenSchema = z.strictObject({
  from: text.describe("Template, or a regular expression after `~`."),
  to: z.string().describe("Template; may use the captures."),
});

const cookiesSchema = z
  .strictObject({
    domains: z
      .array(rewrittenSchema)
      .max(64)
      .default([])
      .describe("New domains for those that are `from`; a dot before them stays."),
    paths: z
      .array(rewrittenSchema)
      .max(64)
      .default([])
      .describe("New beginnings for paths that begin with `from`, or after `~` whole new paths."),
    flags: z
      .array(
        z.strictObject({
          cookie: text.describe("Template of a name, or a regular expression after `~`."),
          set: z
            .array(text)
            .min(1)
            .max(4)
            .describe(
              "`secure`, `httponly`, `samesite=strict` (`lax`, `none`), or `no…` to remove one; templates.",
            ),
        }),
      )
      .max(64)
      .default([])
      .describe("Flags of cookies by their names. The first one that matches counts."),
  })
  .describe("How `Set-Cookie` of engines is rewritten.");

export const responseKeys = {
  responseHeaders: z
    .array(addedHeaderSchema)
    .max(64)
    .default([])
    .describe(
      withDetails(
        "Headers that responses get besides their own, whether engines send them or the proxy itself.",
        "`Last-Modified` and `ETag` replace those of engines; an empty value removes them.",
      ),
    ),
  responseTrailers: z
    .array(addedHeaderSchema)
    .max(64)
    .default([])
    .describe(
      withDetails(
        "Trailers behind the body, which is sent in chunks then. Their values are those at its end.",
        "HTTP/1.0 clients get none, and neither do responses without a body.",
      ),
    ),
  hideHeaders: z
    .array(text)
    .max(64)
    .default([])
    .describe(
      withDetails(
        "Headers of engines that clients do not get.",
        "In place of `Server` and `Date` they get those of the proxy.",
      ),
    ),
  textType: z
    .string()
    .default("text/plain")
    .describe(
      withDetails(
        "`Content-Type` of texts that the route's steps return, and of files.",
        "If `contentTypes` has one for the path, it is that. Empty = none.",
      ),
    ),
  charset: z
    .strictObject({
      name: text.describe("Template."),
      types: z
        .array(text)
        .default([
          "text/xml",
          "text/plain",
          "text/vnd.wap.wml",
          "application/javascript",
          "application/rss+xml",
        ])
        .describe("Content types that get it besides `text/html`. `*` = all."),
    })
    .optional()
    .describe("Charset of texts whose `Content-Type` names none. Their bytes stay as they are."),
  expires: z
    .strictObject({
      value: text.describe(
        withDetails(
          "How long responses are fresh, as `30d` or `1h30m`, `@15h` (until then), `epoch`, `max` or `off`; template.",
          "A minus before a time says that they are not.",
        ),
      ),
      fromChange: z.boolean().default(false).describe("Counted from `Last-Modified`."),
    })
    .optional()
    .describe(
      withDetails(
        "`Expires` and `Cache-Control` of responses, in place of those of engines.",
        "With status 200, 201, 204, 206, 301 to 304, 307 and 308.",
      ),
    ),
  clientRate: z
    .strictObject({
      bytesPerSecond: z
        .union([z.int().min(0), text])
        .describe(
          "Bytes, or a template that gives them, as `$rate`, `500k` or `1m`. 0 = no limit.",
        ),
      afterBytes: z
        .union([z.int().min(0), text])
        .default(0)
        .describe("So much goes out without a limit first."),
    })
    .optional()
    .describe(
      withDetails(
        "How fast a client gets a response; the engine is read no faster.",
        "What one second allows goes out at once.",
      ),
    ),
  chunkedResponses: z
    .boolean()
    .default(true)
    .describe(
      "If off, bodies without a length end with their connection, for clients that read no chunks.",
    ),
  redirects: z
    .array(
      z.union([
        z.literal("default"),
        z.strictObject({
          from: text.describe("Template of a prefix, or a regular expression after `~` or `~*`."),
          to: z.string().describe("Template; may use the captures."),
        }),
      ]),
    )
    .max(64)
    .default(["default"])
    .describe(
      withDetails(
        "How `Location` and `Refresh` of engines are rewritten, as nginx's `proxy_redirect`. None = not at all.",
        "`default`: those that name an engine or its pool lead to this route.",
      ),
    ),
  absoluteRedirects: z
    .strictObject({
      host: z
        .enum(["request", "server"])
        .default("request")
        .describe("The host that the client asked for, or the server's first name."),
      port: z.boolean().default(true).describe("With the port that the server listens on."),
    })
    .optional()
    .describe(
      withDetails(
        "Redirects to a path become URLs. Without it, paths stay paths, which are right behind other proxies, too.",
        "This concerns the configuration's own redirects and those that `redirects` rewrites.",
      ),
    ),
  cookies: cookiesSchema.optional(),
  errorPages: z
    .array(errorPageSchema)
    .default([])
    .describe("Pages that replace the proxy's own errors."),
  replaceEngineErrors: z
    .boolean()
    .default(false)
    .describe("`errorPages` also replace responses of engines with these statuses."),
  recursiveErrorPages: z
    .boolean()
    .default(false)
    .describe("Errors within an error page of this route have pages, too."),
};
