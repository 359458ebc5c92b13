/** An address at which engines register themselves. */
import { z } from "zod";
import { withDetails } from "./describe.ts";
import { text } from "./values.ts";

export const registrationSchema = z
  .strictObject({
    zmq: text.describe(
      withDetails(
        "`tcp://host:port`, where a ZeroMQ ROUTER socket listens for engines.",
        "Engines name this address in `proxy_ip` and `proxy_port` (MoRI-IO: `proxy_ping_port`).",
      ),
    ),
    prefill: text.describe("Pool for engines of type `P`."),
    decode: text.describe("Pool for engines of type `D`."),
    timeoutMs: z
      .int()
      .min(100)
      .max(86_400_000)
      .default(10_000)
      .describe("An engine is removed after this time without a ping. Engines ping every 3 s."),
  })
  .describe(
    "An address at which engines register themselves (`docs/registration.md`): P2P NCCL, MoRI-IO.",
  );
