/** Where the parts of a request go: the target, and the prefill and encode legs that come before it. */
import { z } from "zod";
import { withDetails } from "../describe.ts";
import { text } from "../values.ts";

export const targetSchema = z
  .union([
    z.strictObject({
      pool: text.describe("Name of a pool."),
      uri: z
        .string()
        .startsWith("/")
        .optional()
        .describe("Replaces the part of the path that the route matched."),
    }),
    z.strictObject({
      url: text.describe(
        "Template of an http URL. Its host is a pool's name or an address; its path, if any, is used as is.",
      ),
    }),
  ])
  .describe("Where the request goes; with a prefill, its decode.");

const legPlace = (leg: string) =>
  z.union([
    z.strictObject({ pool: text.describe(`Name of the ${leg} pool.`) }),
    z.strictObject({
      location: z
        .string()
        .startsWith("/")
        .describe(`Path prefix under which the ${leg} request is routed again, internally.`),
    }),
  ]);

export const encodeSchema = legPlace("encode").describe(
  withDetails(
    "Where images, audio and video of a chat are encoded before its prefill.",
    "Each item is a request of its own.",
  ),
);

export const prefillSchema = legPlace("prefill").describe(
  "Where the prefill goes. Without it, requests are forwarded unchanged.",
);
