import { describe, expect, it } from "vitest";
import { KvStore } from "../../../src/simulated-engine/kv/kv-store.ts";
import { FakeClock } from "../fake-clock.ts";

function setUp(heldMax = 10) {
  const clock = new FakeClock();
  const store = new KvStore(clock, 1_000, heldMax);
  const hold = (requestId: string): void =>
    store.hold({ requestId, promptHash: "hash", seal: "9007199254740993", tokens: 5 });
  const take = (requestId: string, promptHash = "hash", seal = "9007199254740993") =>
    store.take(requestId, promptHash, seal);
  return { clock, store, hold, take };
}

describe("held KV", () => {
  it("is handed over once", () => {
    const { store, hold, take } = setUp();
    hold("a");
    expect(take("a")).toMatchObject({ requestId: "a", tokens: 5 });
    expect(take("a")).toBe("unknown");
    expect(store.counts).toMatchObject({ stored: 1, fetched: 1, refused: { unknown: 1 } });
    expect([store.size, store.tokens]).toEqual([0, 0]);
  });

  it("is not given to another prompt, nor to who parsed its numbers, and stays held", () => {
    const { store, hold, take } = setUp();
    hold("a");
    expect(take("a", "other")).toBe("wrong_prompt");
    expect(take("a", "hash", "9007199254740992")).toBe("mangled_params");
    expect(store.size).toBe(1);
    expect(typeof take("a")).toBe("object");
  });

  it("expires after its lease, each at its own time, and rests when empty", () => {
    const { clock, store, hold, take } = setUp();
    hold("a");
    clock.advance(600);
    hold("b");
    clock.advance(400);
    expect([store.size, store.counts.expired]).toEqual([1, 1]);
    expect(take("a")).toBe("unknown");
    clock.advance(600);
    expect([store.size, store.counts.expired, store.tokens]).toEqual([0, 2, 0]);
    expect(clock.pending).toBe(0);
  });

  it("expires at once when all leases are ended by hand, and later KV has a lease of its own", () => {
    const { clock, store, hold, take } = setUp();
    hold("a");
    hold("b");
    store.endLeases();
    expect([store.size, store.tokens, store.counts.expired]).toEqual([0, 0, 2]);
    expect(take("a")).toBe("unknown");
    hold("c");
    clock.advance(999);
    expect(store.ids(9)).toEqual(["c"]);
    clock.advance(1);
    expect([store.size, store.counts.expired, clock.pending]).toEqual([0, 3, 0]);
  });

  it("lives on while its lease is renewed, and not longer", () => {
    const { clock, store, hold } = setUp();
    hold("a");
    hold("b");
    clock.advance(900);
    expect([store.renew("a"), store.renew("c")]).toEqual([true, false]);
    clock.advance(900);
    expect(store.ids(9)).toEqual(["a"]);
    clock.advance(100);
    expect(store.renew("a")).toBe(false);
    expect(store.counts).toMatchObject({ expired: 2, renewed: 1 });
  });

  it("is released at a word, and a release that crosses the fetch is no error", () => {
    const { store, hold, take } = setUp();
    hold("a");
    expect(store.release("a")).toBe(true);
    expect(store.release("a")).toBe(false);
    expect(take("a")).toBe("unknown");
    expect(store.counts).toMatchObject({ stored: 1, released: 1, fetched: 0 });
  });

  it("is bounded: the oldest goes first", () => {
    const { store, hold, take } = setUp(2);
    for (const id of ["a", "b", "c"]) hold(id);
    expect(store.ids(9)).toEqual(["b", "c"]);
    expect(take("a")).toBe("unknown");
    expect(store.counts.evicted).toBe(1);
  });
});
