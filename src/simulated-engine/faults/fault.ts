/** The faults that an engine can be given, by switch or at run time, and how they are written. */

import { z } from "zod";

export const faultKinds = [
  "refuse",
  "accept-then-close",
  "reset-before-headers",
  "reset-in-headers",
  "drip",
  "reset-after-headers",
  "reset-after-chunks",
  "end-after-chunks",
  "error-after-chunks",
  "stall",
  "garbage",
  "status",
  "slow",
  "slower",
  "junk",
  "wrong-json",
  "no-kv-params",
  "wrong-kv-params",
  "leak",
] as const;

/** What strikes the whole engine, and no single request. */
const engineWide: readonly string[] = ["refuse", "accept-then-close", "slower", "leak"];

const count = z.int().min(0);

/** The body of `POST /debug/fault`. Unknown keys are rejected, so that a misspelt one is noticed. */
export const faultSchema = z.strictObject({
  kind: z.enum(faultKinds),
  /** How many requests (for `accept-then-close`: connections) it strikes; without it, all. */
  times: z.int().min(1).optional(),
  /** Prefix of the paths it strikes; without it, those of inference. Never those under `/debug`. */
  path: z.string().min(1).optional(),
  /**
   * Events of a stream that are still sent: for `*-after-chunks` (default 1) and `stall`. `stall` without it sends
   * nothing at all, with 0 it sends the head.
   */
  chunks: count.optional(),
  /** Status of the response: for `status`. */
  code: z.int().min(200).max(599).default(500),
  /** How long the response is delayed: for `slow`; how long each byte of its head is: for `drip`. */
  delayMs: count.default(1_000),
  /** By what time is multiplied: for `slower`. */
  factor: z.number().min(1).max(1_000).default(10),
  /** How long it lasts: for what strikes the whole engine; without it, until it is cleared. */
  durationMs: z.int().min(1).optional(),
  /** Whether a reset is a TCP RST or a FIN in the middle of the response. */
  how: z.enum(["rst", "fin"]).default("rst"),
  /** For `wrong-json`: the first half of the response, or text that is not JSON. */
  variant: z.enum(["truncated", "text"]).default("truncated"),
  /** For `junk`: an error body, a page, an event stream of its own, or no byte. */
  body: z.enum(["error", "html", "events", "empty"]).default("error"),
});

export type Fault = z.output<typeof faultSchema>;
export type FaultInput = z.input<typeof faultSchema>;
export type FaultKind = Fault["kind"];

/** The key of a first value that stands without one, per kind: `status:503` = `status:code=503`. */
const mainKey: { readonly [kind in FaultKind]?: keyof Fault } = {
  refuse: "durationMs",
  "accept-then-close": "durationMs",
  "reset-after-chunks": "chunks",
  "end-after-chunks": "chunks",
  "error-after-chunks": "chunks",
  stall: "chunks",
  status: "code",
  drip: "delayMs",
  slow: "delayMs",
  slower: "factor",
  junk: "body",
  "wrong-json": "variant",
};

export function strikesRequests(kind: FaultKind): boolean {
  return !engineWide.includes(kind);
}

/** Reads `kind[:key=value,…]`. Throws an Error that says what is wrong with it. */
export function parseFault(spec: string): Fault {
  const colon = spec.indexOf(":");
  const kind = colon < 0 ? spec : spec.slice(0, colon);
  const fields: Record<string, unknown> = { kind };
  for (const part of colon < 0 ? [] : spec.slice(colon + 1).split(",")) {
    const equals = part.indexOf("=");
    const key = equals < 0 ? mainKey[kind as FaultKind] : part.slice(0, equals);
    const value = equals < 0 ? part : part.slice(equals + 1);
    if (key === undefined || value === "") {
      throw new Error(`fault "${spec}": "${part}" is not key=value`);
    }
    fields[key] = /^\d+(\.\d+)?$/.test(value) ? Number(value) : value;
  }
  return checkFault(fields);
}

/** Throws an Error that says what is wrong with it. */
export function checkFault(input: unknown): Fault {
  const result = faultSchema.safeParse(input);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const where = issue.path.length > 0 ? `${issue.path.join(".")}: ` : "";
  throw new Error(`fault: ${where}${issue.message}`);
}
