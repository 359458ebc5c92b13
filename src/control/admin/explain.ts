/** Why the engines of a request were chosen, and how it ended. */
import { z } from "zod";
import { requestReasons } from "../../pool/engine-snapshot.ts";
import { engineStateReasons, engineStates } from "../../pool/health/engine-state.ts";
import { AdminError } from "./problem.ts";
import { json } from "./response.ts";
import type { AdminRoute } from "./route.ts";
import { count, named, timestamp } from "./schemas.ts";

const sinceArrival = z.number().describe("In ms since the request arrived. -1 = did not happen.");
const tokens = z.int().describe("-1 = not known.");

/** One request, without its decisions. */
const recordMembers = {
  requestId: z.string(),
  at: timestamp.describe("When it came."),
  path: z.string(),
  model: z.string().describe("As the client names it. Empty = it does not."),
  isStream: z.boolean(),
  status: z.int().describe("Of the response. 0 = there is none yet."),
  outcome: z.string().describe("How it ended (docs/outcomes.md). Empty = it has not."),
  message: z
    .string()
    .describe(
      "What the client was told. Empty = it got a response of an engine, or has not ended.",
    ),
  waitsFor: z.string().describe("The pool in whose queue it is. Empty = in none."),
  hasFailed: z.boolean().describe("Somebody other than the client is to blame for how it ended."),
  heldMs: z.number().describe("What it has waited in queues, in all."),
  firstByteMs: sinceArrival,
  endMs: sinceArrival,
  tokens: z.object({
    prompt: tokens,
    cached: tokens,
    output: tokens,
    isUsage: z.boolean().optional().describe("As an engine has counted them."),
  }),
  legs: z
    .array(
      z.object({
        leg: z.enum(["encode", "prefill", "decode"]),
        pool: z.string(),
        engine: z
          .string()
          .describe("Empty = it is not known any more: `address` says where it is."),
        address: z.string(),
        sentMs: sinceArrival,
        headMs: sinceArrival,
        endMs: sinceArrival,
        status: z.int().describe("0 = no head of a response has come."),
      }),
    )
    .describe("Each try of each leg."),
};
export const recordSchema = named("Request", z.object(recordMembers));

const decisionSchema = named(
  "Decision",
  z.object({
    leg: z.string(),
    pool: z.string(),
    policy: z.string(),
    chosen: z.string().describe("Empty = no engine was found."),
    heldMs: z.number().optional().describe("How long the prompt waited in the queue before."),
    engines: z
      .array(
        z.object({
          engine: z.string(),
          state: z.enum(engineStates).optional(),
          why: z
            .enum([...engineStateReasons, ...requestReasons])
            .optional()
            .describe(
              [
                "As of `/admin/engines`; or of this request: `tried` = it failed there, `backup` = others were free,",
                "`other` = it was bound to another engine, `model` = the engine does not list its model.",
              ].join(" "),
            ),
          isCandidate: z
            .literal(false)
            .optional()
            .describe("It could not be chosen. Absent = it could."),
          inFlight: count.optional(),
          promptBytes: count.optional(),
          score: z.number().optional().describe("What the policy ranks by; the lowest is chosen."),
          waitMs: z.number().optional(),
          uncachedTokens: z.number().optional(),
          prefillMs: z.number().optional(),
        }),
      )
      .describe("The chosen engine first, then those that came closest."),
    untold: count.optional().describe("Engines of the pool that are not listed."),
  }),
);

const explainedSchema = named(
  "Explanation",
  z.object({
    ...recordMembers,
    decisions: z.array(decisionSchema).describe("One for each leg and try."),
  }),
);

export const explainRoute: AdminRoute = {
  group: "requests",
  method: "GET",
  path: "/admin/explain/{requestId}",
  id: "explainRequest",
  summary: "Why the engines of a request were chosen, and how it ended.",
  responses: { 200: explainedSchema },
  errors: [404],
  async respond({ source, params: { requestId = "" } }) {
    const [first] = await source.ask({ about: "request", requestId });
    if (first !== undefined) return json(200, first);
    const what = `there is no record of a request "${requestId}": it is too old, or its id is wrong`;
    throw new AdminError(404, "unknown_request", what);
  },
};
