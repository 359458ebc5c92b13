/** How a replayed request comes to its engines: at once, or through a queue, by the proxy's own code. */
import type { PolicyConfig } from "../config/schema/pool/policies.ts";
import { configSchema } from "../config/schema/schema.ts";
import type { PickRequest } from "../policies/shared/policy.ts";
import { Pool } from "../pool/pool.ts";
import { SlotTable } from "../pool/slots.ts";
import { PoolCapacity } from "../queue/pool-capacity.ts";
import { PoolQueue } from "../queue/pool-queue.ts";
import { createScoreboardMemory, Scoreboard } from "../scoreboard/scoreboard.ts";
import { failReplay } from "./custom-policy-fault.ts";
import type { Fleet, Outcome } from "./model/fleet.ts";
import type { Timeline } from "./model/timeline.ts";
import type { TraceRequest } from "./traces/trace.ts";

/** Takes a request from its arrival to the end of its prefill. */
export interface Placement {
  arrive(outcome: Outcome, prefilled: () => void): void;
}

/** Bytes of a token in a request's body, which is what dispatching policies see. */
const bytesPerToken = 4;

export function dispatched(pool: Pool, fleet: Fleet, timeline: Timeline): Placement {
  return {
    arrive(outcome, prefilled) {
      const sentMs = timeline.nowMs;
      const placed = pool.place(pickOf(outcome.request, timeline), [], sentMs);
      if (typeof placed === "string") return;
      fleet.prefill(placed.engine.index, outcome, () => {
        pool.succeeded(placed.engine, timeline.nowMs, timeline.nowMs - sentMs);
        placed.lease.close();
        prefilled();
      });
    },
  };
}

/** Through the proxy's own queue, which rejects none. */
export function enqueued(pool: Pool, fleet: Fleet, timeline: Timeline): Placement {
  const nowMs = () => timeline.nowMs;
  const clock = { nowMs, wallMs: nowMs, defer: (task: () => void) => timeline.at(nowMs(), task) };
  const config = { ...pool.config.queue!, ...patient };
  const queue = new PoolQueue(pool, config, new PoolCapacity(new Map()), clock);
  return {
    arrive(outcome, prefilled) {
      const pick = pickOf(outcome.request, timeline);
      const ticket = queue.ticket(
        {
          ...pick,
          pool: pool.name,
          decodePool: "",
          model: "",
          priority: 0,
          tenant: "",
          weight: 1,
          explains: false,
        },
        {
          granted(name) {
            const engine = pool.engines.find((one) => one.name === name)!;
            const { lease } = pool.placeAt(engine, pick, timeline.nowMs)!;
            fleet.prefill(engine.index, outcome, (cachedTokens) => {
              lease.close();
              ticket.prefillDone({ promptTokens: pick.tokens, cachedTokens });
              prefilled();
            });
          },
          rejected() {},
        },
      );
      ticket.enqueue();
    },
  };
}

/** A request that is rejected has no TTFT to compare. */
const patient = { max: 65_536, timeoutMs: 86_400_000 };

export function pickOf({ inputTokens, blocks }: TraceRequest, clock: Timeline): PickRequest {
  const bytes = inputTokens * bytesPerToken;
  return { bytes, tokens: inputTokens, blocks, clientAddress: "", key: "", clock };
}

/** Makes pools of so many engines, none of which fails, on one scoreboard. */
export function poolMaker(slotsMax: number, random: () => number) {
  const board = new Scoreboard(createScoreboardMemory({ workers: 1, slots: slotsMax }), 0);
  const table = new SlotTable(slotsMax, (slot) => board.clearSlot(slot));
  return (name: string, count: number, policy: PolicyConfig): Pool => {
    const engines = Array.from({ length: count }, (_, i) => ({ url: `e${i}:1` }));
    const config = configSchema.parse({
      pools: { [name]: { policy, engines } },
      servers: [{ listen: [{ port: 0 }], routes: [] }],
    });
    return new Pool(name, config.pools[name]!, {
      board,
      slots: table.assign(config),
      random,
      policyFailed: failReplay,
    });
  };
}
