/**
 * Whatever encoders do, a request's encode ends once: all items encoded, one answer, or one outcome; and nothing stays
 * behind.
 */

import fc from "fast-check";
import { expect, test } from "vitest";
import type { PickFailure } from "../../../../src/pool/pool.ts";
import type { Outcome } from "../../../../src/proxy/context/outcomes.ts";
import { EncodeFanOut } from "../../../../src/proxy/pd/encode/encode-fan-out.ts";

const atOnceMax = 16;

/** A model of what drives it: items under way, and what has become of them. */
class Driver {
  readonly fanOut: EncodeFanOut;
  readonly underWay = new Set<number>();
  readonly done = new Set<number>();
  readonly sends: number[];
  readonly ends: string[] = [];
  deliveringLeg = -1;

  constructor(
    items: number,
    triesMax: number,
    place: (item: number) => PickFailure | "fails" | undefined,
  ) {
    this.sends = new Array<number>(items).fill(0);
    this.fanOut = new EncodeFanOut(items, triesMax, {
      send: (item) => {
        expect(this.ends).toEqual([]);
        expect(this.underWay.has(item) || this.done.has(item), `${item} twice`).toBe(false);
        const found = place(item);
        if (found === "no-healthy-engine" || found === "at-capacity") return found;
        this.sends[item]! += 1;
        expect(this.sends[item]).toBeLessThanOrEqual(triesMax);
        this.underWay.add(item);
        expect(this.underWay.size).toBeLessThanOrEqual(atOnceMax);
        if (found === "fails") this.#fails(item);
        return undefined;
      },
      countRetry: () => undefined,
      cancel: (item) => void this.underWay.delete(item),
      deliverFrom: (item) => {
        expect([...this.underWay]).toEqual([item]);
        this.deliveringLeg = item;
      },
      encoded: () => this.#end("encoded"),
      finish: ({ code }: Outcome) => this.#end(code),
    });
  }

  #end(how: string): void {
    expect([...this.underWay]).toEqual([]);
    if (how === "encoded") expect(this.done.size).toBe(this.sends.length);
    this.ends.push(how);
  }

  #fails(item: number): void {
    this.underWay.delete(item);
    this.fanOut.failed(item, "error", true);
  }

  /** One thing that can happen to an item that is under way. */
  step(item: number, kind: number): void {
    if (item === this.deliveringLeg) {
      this.underWay.delete(item);
      if (kind % 2 === 0) this.fanOut.responseEnded();
      else this.fanOut.failed(item, "error", true);
    } else if (kind === 0) this.fanOut.refused(item, false);
    else if (kind === 1) this.fanOut.refused(item, true);
    else if (kind === 2) this.#fails(item);
    else {
      this.underWay.delete(item);
      this.done.add(item);
      this.fanOut.encoded();
    }
  }
}

test("it ends once, within its tries and its bound, with nothing under way", () => {
  const steps = fc.array(fc.tuple(fc.nat(), fc.nat(20)), { maxLength: 80, minLength: 80 });
  const places = fc.infiniteStream(
    fc.oneof(
      { weight: 20, arbitrary: fc.constant(undefined) },
      fc.constantFrom<PickFailure | "fails">("no-healthy-engine", "at-capacity", "fails"),
    ),
  );
  fc.assert(
    fc.property(
      fc.nat(40),
      fc.integer({ min: 1, max: 3 }),
      steps,
      places,
      (items, tries, all, at) => {
        const driver = new Driver(items, tries, () => at.next().value);
        driver.fanOut.start();
        for (const [which, kind] of all) {
          const waiting = [...driver.underWay];
          if (waiting.length > 0) driver.step(waiting[which % waiting.length]!, kind);
        }
        // Whatever is left is encoded.
        for (let turn = 0; turn < 200; turn += 1)
          for (const item of driver.underWay) driver.step(item, 9);
        expect(driver.ends).toHaveLength(1);
      },
    ),
    { numRuns: 500 },
  );
});

test("aborted, it is silent", () => {
  const driver = new Driver(20, 1, () => undefined);
  driver.fanOut.start();
  expect(driver.underWay.size).toBe(atOnceMax);
  driver.fanOut.abort();
  driver.fanOut.encoded();
  driver.fanOut.failed(3, "error", true);
  driver.fanOut.refused(4, false);
  expect([driver.ends, driver.underWay.size]).toEqual([[], 0]);
});
