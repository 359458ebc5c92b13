/** The KV events of a pool's engines. */
import { z } from "zod";
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
    topic: z.string().max(255).default("").describe("Only events of this topic are read."),
  })
  .describe("KV events of vLLM and SGLang over ZeroMQ (`docs/kv-events.md`).");

/** `PORT` or `PORT:REPLAY_PORT`; undefined = neither. */
export function parseKvEventPorts(text: string): z.input<typeof kvEventsSchema> | undefined {
  const [, port, replayPort] = /^(\d{1,5})(?::(\d{1,5}))?$/.exec(text) ?? [];
  if (port === undefined) return undefined;
  const ports = { port: Number(port), ...(replayPort && { replayPort: Number(replayPort) }) };
  return kvEventsSchema.safeParse(ports).success ? ports : undefined;
}
