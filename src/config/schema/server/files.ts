/** Files that a route responds with, and the types of what the proxy itself responds with. */
import { z } from "zod";
import { withDetails } from "../describe.ts";
import { text } from "../values.ts";

export const filesSchema = z
  .strictObject({
    root: text.describe("Template of the folder that paths start in."),
    replaces: z
      .string()
      .default("")
      .describe("The beginning of paths that `root` stands for, as nginx's `alias`."),
    isFile: z
      .boolean()
      .default(false)
      .describe("`root` is the file itself, whatever the path is: it may have captures."),
    index: z
      .array(text)
      .max(32)
      .default(["index.html"])
      .describe("Templates of what is looked for in a folder. What begins with `/` is routed to."),
    tries: z
      .array(text)
      .max(32)
      .default([])
      .describe(
        withDetails(
          "Templates of paths, as nginx's `try_files`: the first file that is there is responded with.",
          "Those that end with `/` are folders. A route with a target forwards the request with that path.",
        ),
      ),
    otherwise: text
      .optional()
      .describe("If none of `tries` is there: a path, the `@name` of a route, or `=404`."),
    etag: z.boolean().default(true).describe("Send an `ETag`."),
    modifiedSince: z
      .enum(["off", "exact", "before"])
      .default("exact")
      .describe(
        "What in `If-Modified-Since` counts as unchanged: that very time, or any later one.",
      ),
  })
  .describe(
    withDetails(
      "Files for GET and HEAD, if there is no target.",
      "There are no listings of folders, and no path leaves `root` by `..`.",
    ),
  );

export const contentTypesSchema = z
  .record(text, text)
  .describe("Types by the endings of paths, in lower case and without the dot.");

export const fileKeys = {
  files: filesSchema.optional(),
  contentTypes: text
    .optional()
    .describe(
      "A name in `contentTypes`, or `nginx`: types of files and of `return`. Default: a short list.",
    ),
};
