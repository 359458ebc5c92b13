/**
 * Every registered ordering must let each request go once, in an order that favours no class for ever, and lose none.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { queueSchema } from "../../../src/config/schema/pool/queue.ts";
import { createOrdering, orderings } from "../../../src/queue/orderings/registry.ts";
import type { Ordering } from "../../../src/queue/orderings/shared/ordering.ts";
import { engineView, queueRequest } from "../fake/queue.ts";

const engines = 3;
const usage = { promptTokens: undefined, cachedTokens: undefined };

/** A pool that takes so many requests at once. */
function orderingOf(order: (typeof orderings)[number]["name"], capacity: number) {
  const reserved = new Set<number>();
  const ordering: Ordering<number> = createOrdering(queueSchema.parse({ order }), {
    engines: engineView(engines),
    hasCapacity: () => reserved.size < capacity,
    reserve: (owner) => {
      if (reserved.size >= capacity) return false;
      reserved.add(owner);
      return true;
    },
  });
  return { ordering, reserved };
}

const requestOf = (bytes: number, priority = 0, tenant = "") =>
  queueRequest({ bytes, priority, tenant });

describe.each(orderings.map((definition) => [definition.name, definition] as const))(
  "%s",
  (order, { places }) => {
    const step = fc.record({
      adds: fc.array(
        fc.record({
          bytes: fc.nat(200_000),
          priority: fc.integer({ min: -200, max: 200 }),
          tenant: fc.constantFrom("", "a", "b"),
        }),
        { maxLength: 4 },
      ),
      leaves: fc.nat(5),
      ends: fc.nat(5),
      gapMs: fc.nat(5_000),
    });

    it("lets each request go once, reserved, and none that has left", () => {
      fc.assert(
        fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
          const { ordering, reserved } = orderingOf(order, 4);
          const waiting = new Map<number, ReturnType<typeof ordering.add>>();
          const running: ReturnType<typeof ordering.add>[] = [];
          let nowMs = 0;
          let owner = 0;
          const release = () => {
            for (const queued of ordering.release(nowMs)) {
              expect(waiting.delete(queued.owner)).toBe(true);
              expect(reserved.has(queued.owner)).toBe(true);
              expect(queued.engine >= 0).toBe(places);
              expect(queued.engine).toBeLessThan(engines);
              running.push(queued);
            }
            expect(ordering.waitingCount).toBe(waiting.size);
            expect(new Set(ordering.waiting().map((one) => one.owner))).toEqual(
              new Set(waiting.keys()),
            );
          };
          const end = () => {
            const ended = running.shift();
            if (ended === undefined) return;
            ordering.prefillDone?.(ended, usage, nowMs);
            reserved.delete(ended.owner);
            release();
          };
          for (const { adds, leaves, ends, gapMs } of steps) {
            nowMs += gapMs;
            for (const { bytes, priority, tenant } of adds) {
              owner += 1;
              const request = requestOf(bytes, priority, tenant);
              waiting.set(owner, ordering.add(request, owner, nowMs));
            }
            for (const [gone, queued] of [...waiting].slice(0, leaves % 2)) {
              ordering.remove(queued, nowMs);
              waiting.delete(gone);
            }
            release();
            for (let i = 0; i < ends; i += 1) end();
          }
          for (let i = 0; i <= owner && running.length > 0; i += 1) {
            nowMs += 1_000;
            end();
          }
          expect([ordering.waitingCount, reserved.size]).toEqual([0, 0]);
        }),
        { numRuns: 60 },
      );
    });

    it("lets nobody starve: a long prompt of low priority goes while others keep coming", () => {
      const { ordering, reserved } = orderingOf(order, 1);
      const first = ordering.add(requestOf(400), 0, 0);
      expect(ordering.release(0)).toEqual([first]);
      const patient = ordering.add(requestOf(40_000, 5), 1, 0);
      let running = first;
      for (let owner = 2, nowMs = 0; running !== patient; owner += 1) {
        nowMs += 100;
        expect(nowMs).toBeLessThan(600_000);
        ordering.add(requestOf(400), owner, nowMs);
        ordering.prefillDone?.(running, usage, nowMs);
        reserved.delete(running.owner);
        running = ordering.release(nowMs)[0]!;
      }
    });

    it("goes by priority between requests of one size that come together", () => {
      const { ordering, reserved } = orderingOf(order, 1);
      const running = ordering.add(requestOf(4_000), 0, 0);
      ordering.release(0);
      const usual = ordering.add(requestOf(4_000), 1, 1);
      const urgent = ordering.add(requestOf(4_000, -1), 2, 2);
      ordering.prefillDone?.(running, usage, 500);
      reserved.clear();
      expect(ordering.release(500)).toEqual([urgent]);
      expect(ordering.waiting()).toEqual([usual]);
    });
  },
);
