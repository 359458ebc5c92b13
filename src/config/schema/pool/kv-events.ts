/** What an operator can say of the KV events of a pool's engines. */
import { z } from "zod";

export const kvEventsSchema = z
  .strictObject({
    port: z
      .int()
      .min(1)
      .max(65_535)
      .default(5_557)
      .describe(
        "Where engines publish (`endpoint`); rank R of an engine at R above it. The attribute `kv_events_port` of an engine counts more.",
      ),
    replayPort: z
      .int()
      .min(0)
      .max(65_535)
      .default(0)
      .describe(
        "Where what was missed is asked for (`replay_endpoint`), likewise; attribute `kv_replay_port`. 0 = it cannot be.",
      ),
    topic: z.string().max(255).default("").describe("Only what is published under it is heard."),
  })
  .describe("KV events of vLLM and SGLang over ZeroMQ (`docs/kv-events.md`).");

/** `PORT` or `PORT:REPLAY_PORT`; undefined = it is not. */
export function parseKvEventPorts(text: string): z.input<typeof kvEventsSchema> | undefined {
  const [, port, replayPort] = /^(\d{1,5})(?::(\d{1,5}))?$/.exec(text) ?? [];
  if (port === undefined) return undefined;
  const ports = { port: Number(port), ...(replayPort && { replayPort: Number(replayPort) }) };
  return kvEventsSchema.safeParse(ports).success ? ports : undefined;
}
