/** Whatever happens to a request, in whatever order: it ends once, and nothing of it is left behind. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { waitsAgainMax } from "../../../../src/limits.ts";
import type { LegFailure } from "../../../../src/proxy/context/legs.ts";
import { outcomes } from "../../../../src/proxy/context/outcomes.ts";
import type { ExchangeOptions, Order } from "../../../../src/proxy/pd/exchange/exchange-actions.ts";
import { ModelDriver } from "./scripted-driver.ts";

const orders: readonly Order[] = ["prefill-first", "together", "decode-first", "decode-only"];

const step = fc.record({
  which: fc.nat(),
  retry: fc.boolean(),
  kvKept: fc.boolean(),
  kind: fc.constantFrom<LegFailure>("error", "timeout", "invalid"),
});
const scenario = fc.record({
  prefillTries: fc.integer({ min: 1, max: 4 }),
  decodeTries: fc.integer({ min: 1, max: 4 }),
  choosesDecodeFirst: fc.boolean(),
  fallsBack: fc.boolean(),
  hasQueue: fc.boolean(),
  steps: fc.array(step, { maxLength: 25 }),
  /** After so many events the client goes away; mostly it stays. */
  goneAfter: fc.oneof(fc.constant(1_000), fc.nat(10)),
  /** Fates of the sends, one after the other. */
  places: fc.array(
    fc.oneof(
      { arbitrary: fc.constant(undefined), weight: 8 },
      {
        arbitrary: fc.constantFrom(...(["no-healthy-engine", "at-capacity", "fails"] as const)),
        weight: 1,
      },
    ),
    { maxLength: 12 },
  ),
});

const again = "there is room again";

/** What has happened at least once over all runs, so that the rules were put to the test. */
const wanted: Readonly<Record<Order, readonly string[]>> = {
  "prefill-first": ["prefill's answer is all", "prefill is refused", "decode-only", again],
  together: ["prefill's answer is all", "decode-only", again],
  "decode-first": [
    "decode calls back",
    "decode misses",
    "prefill's answer is all",
    "decode-only",
    again,
  ],
  "decode-only": ["decode refuses", again],
};

describe.each(orders)("%s", (order) => {
  it("ends once, within its tries, with nothing in flight, for any order of events", () => {
    let answered = 0;
    const happened = new Set<string>();
    fc.assert(
      fc.property(scenario, ({ steps, goneAfter, places, hasQueue, ...setting }) => {
        const { prefillTries, decodeTries, ...rest } = setting;
        const tries = { prefill: prefillTries, decode: decodeTries };
        const options: ExchangeOptions = { order, tries, ...rest };
        let sent = 0;
        const driver = new ModelDriver(options, () => places[sent++], hasQueue);
        driver.exchange.startAttempt();
        steps.forEach(({ which, retry, kvKept, kind }, i) => {
          if (i === goneAfter) driver.exchange.abort(outcomes.clientGone);
          const events = driver.events(retry, kvKept, kind);
          if (events.length > 0) events[which % events.length]!.run();
        });
        // Whatever is still under way comes to its end now, if only by failing.
        for (let n = 0; n < 40 && driver.finishes.length === 0; n += 1) {
          const [event] = driver.events(false, false, "error");
          expect(event, `hangs: ${driver.log.join(", ")}`).toBeDefined();
          event!.run();
        }
        expect(driver.finishes).toHaveLength(1);
        expect(driver.inFlight).toEqual([]);
        if (driver.finishes[0] === outcomes.answered) answered += 1;
        driver.exchange.abort(outcomes.internal);
        expect(driver.finishes).toHaveLength(1);
        expectBounded(options, driver);
        for (const name of driver.log) happened.add(name);
        happened.add(driver.exchange.order);
      }),
      { seed: 21, numRuns: 4_000 },
    );
    // The events lead to answers as well, not only to an early end.
    expect(answered).toBeGreaterThan(400);
    expect([...happened]).toEqual(expect.arrayContaining([...wanted[order]]));
  });
});

function expectBounded({ order, tries, fallsBack }: ExchangeOptions, driver: ModelDriver) {
  const { sends } = driver;
  expect(driver.waitsAgain).toBeLessThanOrEqual(waitsAgainMax);
  // Each failure of either leg but the last one allowed starts at most one further round, and decode alone is one more.
  // They are counted anew for the rest of a response.
  const rests = driver.givenUp + 1;
  const rounds = (tries.prefill + tries.decode - 1) * rests;
  const alone = fallsBack ? 1 : 0;
  expect(sends.prefill).toBeLessThanOrEqual(order === "decode-only" ? 0 : rounds);
  if (order === "prefill-first" || order === "decode-only") {
    expect(sends.decode).toBeLessThanOrEqual(tries.decode * rests + alone);
  } else {
    // Decode first, it is sent once more in each round in which it asks for a prefill.
    const each = order === "decode-first" ? 2 : 1;
    expect(sends.decode).toBeLessThanOrEqual(each * rounds + alone);
  }
}
