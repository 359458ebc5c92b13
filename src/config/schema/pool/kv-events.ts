/** The KV events of a pool's engines. */
import { z } from "zod";
import { parseZmqAddress } from "../../values/zmq-address.ts";
import { withDetails } from "../describe.ts";

export const kvEventsSchema = z
  .strictObject({
    port: z
      .int()
      .min(1)
      .max(65_535)
      .default(5_557)
      .describe(
        withDetails(
          "Port at which engines publish (`endpoint`).",
          "Rank R of an engine publishes at this port + R.",
          "An engine's own attribute `kv_events_port` takes precedence.",
        ),
      ),
    replayPort: z
      .int()
      .min(0)
      .max(65_535)
      .default(0)
      .describe(
        withDetails(
          "Port at which missed events are requested again (`replay_endpoint`). 0 = none.",
          "Rank R of an engine listens at this port + R.",
          "An engine's own attribute `kv_replay_port` takes precedence.",
        ),
      ),
    listen: z
      .string()
      .max(300)
      .optional()
      .describe(
        withDetails(
          "Where engines connect that dial out: `tcp://*:5557`; then `port` is not used.",
          "Rank R of an engine connects to this port + R.",
        ),
      ),
    topic: z.string().max(255).default("").describe("Only events of this topic are read."),
  })
  .describe("KV events of vLLM and SGLang over ZeroMQ (`docs/kv-events.md`).");

/** `PORT`, `PORT:REPLAY_PORT`, or `tcp://*:PORT?replay=REPLAY_PORT` to listen; undefined = none of them. */
export function parseKvEvents(text: string): z.input<typeof kvEventsSchema> | undefined {
  const [, listen, port, replayPort] =
    /^(?:(tcp:\/\/[^?]*)(?=$|\?)|(\d{1,5})(?=$|:))(?:(?::|\?replay=)(\d{1,5}))?$/.exec(text) ?? [];
  if ((listen ?? port) === undefined) return undefined;
  if (listen !== undefined && parseZmqAddress(listen) === undefined) return undefined;
  const input = {
    ...(listen === undefined ? { port: Number(port) } : { listen }),
    ...(replayPort && { replayPort: Number(replayPort) }),
  };
  return kvEventsSchema.safeParse(input).success ? input : undefined;
}
