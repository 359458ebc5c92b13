/** Errors of the admin listener, in the shape of OpenAI's, as clients get them. */
import { z } from "zod";
import { didYouMean } from "../../config/problems/suggest.ts";
import { named } from "./schemas.ts";

/** What a handler throws; the response says so. */
export class AdminError extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export const problemSchema = named(
  "Problem",
  z.object({
    error: z.object({
      message: z.string().describe("What is wrong, and often what to do."),
      type: z.literal("admin_error"),
      param: z.null(),
      code: z.string().describe("Stable, such as `unknown_pool`."),
    }),
  }),
);

/** Reads a body of JSON; throws `AdminError` with what is wrong, by member. */
export function readBody<Schema extends z.ZodType>(schema: Schema, body: Buffer): z.output<Schema> {
  const bad = (message: string) => new AdminError(400, "bad_request", message);
  if (body.length === 0) throw bad("the body is empty: it must be JSON");
  let value: unknown;
  try {
    value = JSON.parse(body.toString());
  } catch {
    throw bad("the body is no JSON");
  }
  const read = schema.safeParse(value);
  if (read.success) return read.data;
  const { description = "see /admin/openapi.json" } = schema;
  const said = read.error.issues.map(({ code, path, message }) => {
    if (path.length > 0) return `${path.join(".")}: ${message}`;
    // A body that is none of several things: the library says no more.
    return code === "invalid_union" ? `the body is of another form: ${description}` : message;
  });
  throw bad(said.join("; "));
}

export function unknownPool(name: string, known: readonly string[]): AdminError {
  const hint = didYouMean(name, known) ?? `the pools are ${known.join(", ")}`;
  return new AdminError(404, "unknown_pool", `there is no pool "${name}": ${hint}`);
}
