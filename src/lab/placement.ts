/** How a replayed request comes to its engines: dispatched as it arrives, or held and ordered, by the proxy's own code. */
import type { PolicyConfig } from "../config/policies.ts";
import { configSchema } from "../config/schema.ts";
import { Pool } from "../fleet/pool.ts";
import { SlotTable } from "../fleet/slots.ts";
import { HeldQueue } from "../scheduling/held-queue.ts";
import { createScoreboardMemory, Scoreboard } from "../scheduling/scoreboard.ts";
import type { Fleet, Outcome } from "./fleet.ts";
import type { Timeline } from "./timeline.ts";
import { type TraceRequest, traceBlockTokens } from "./trace.ts";

/** Takes a request from its arrival to the end of its prefill. */
export interface Placement {
  arrive(outcome: Outcome, prefilled: () => void): void;
}

/** Bytes of a token in a request's body, which is what dispatching policies see. */
const bytesPerToken = 4;

export function dispatched(pool: Pool, fleet: Fleet, timeline: Timeline): Placement {
  return {
    arrive(outcome, prefilled) {
      const placed = pool.place(pickOf(outcome.request), [], timeline.nowMs);
      if (typeof placed === "string") return;
      fleet.prefill(placed.engine.number, outcome, () => {
        placed.lease.close();
        prefilled();
      });
    },
  };
}

export function held(engines: number, fleet: Fleet, timeline: Timeline): Placement {
  const queue = new HeldQueue({ engines, blockTokens: traceBlockTokens });
  const waiting = new Map<object, { readonly outcome: Outcome; readonly prefilled: () => void }>();
  const release = () => {
    for (const prompt of queue.release(timeline.nowMs)) {
      const { outcome, prefilled } = waiting.get(prompt)!;
      waiting.delete(prompt);
      fleet.prefill(prompt.engine, outcome, (cachedTokens) => {
        queue.done(prompt, cachedTokens, timeline.nowMs);
        prefilled();
        release();
      });
    }
  };
  return {
    arrive(outcome, prefilled) {
      const { inputTokens: tokens, blocks } = outcome.request;
      waiting.set(queue.add({ tokens, blocks }, timeline.nowMs), { outcome, prefilled });
      release();
    },
  };
}

export function pickOf({ inputTokens, blocks }: TraceRequest) {
  const bytes = inputTokens * bytesPerToken;
  return { bytes, tokens: inputTokens, blocks, clientAddress: "", key: "" };
}

/** A pool of so many engines, none of which fails. */
export function poolOf(engines: number, policy: PolicyConfig, random: () => number): Pool {
  const config = configSchema.parse({
    pools: {
      engines: { policy, engines: Array.from({ length: engines }, (_, i) => ({ url: `e${i}:1` })) },
    },
    servers: [{ listen: [{ port: 0 }], routes: [] }],
  });
  const board = new Scoreboard(createScoreboardMemory({ workers: 1, slots: engines }), 0);
  const slots = new SlotTable(engines, (slot) => board.clearSlot(slot)).assign(config);
  return new Pool("engines", config.pools["engines"]!, { board, slots, random });
}
