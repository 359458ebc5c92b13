/** What an operator can say of an address at which engines register. */
import { z } from "zod";

const text = z.string().min(1);

export const registrationSchema = z
  .strictObject({
    zmq: text.describe(
      "`tcp://host:port`, where a ZeroMQ ROUTER socket listens for engines; `proxy_ip` and `proxy_port` (MoRI-IO: `proxy_ping_port`) of theirs.",
    ),
    prefill: text.describe("Name of the pool that engines of type `P` are added to."),
    decode: text.describe("Name of the pool that engines of type `D` are added to."),
    timeoutMs: z
      .int()
      .min(100)
      .max(86_400_000)
      .default(10_000)
      .describe("An engine that is not heard of for so long is taken out. They tell every 3 s."),
  })
  .describe("An address at which engines register themselves (vLLM's P2P NCCL and MoRI-IO).");
