/** Where the legs of a request go that are not the route's target: a pool, or a location that leads to one. */
import { z } from "zod";

const legPlace = (leg: string) =>
  z.union([
    z.strictObject({ pool: z.string().min(1).describe(`Name of the ${leg} pool.`) }),
    z.strictObject({
      location: z
        .string()
        .startsWith("/")
        .describe(`Path prefix under which the ${leg} request is routed once more, internally.`),
    }),
  ]);

export const encodeSchema = legPlace("encode").describe(
  "Where images, sounds and videos of a chat are encoded before its prefill: one request for each.",
);

export const prefillSchema = legPlace("prefill").describe(
  "Where prefill goes. Without it requests are forwarded as they are.",
);
