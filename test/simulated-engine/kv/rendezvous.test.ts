import { describe, expect, it } from "vitest";
import { Rendezvous } from "../../../src/simulated-engine/kv/rendezvous.ts";
import { FakeClock } from "../fake-clock.ts";

function setUp(offersMax = 10) {
  const clock = new FakeClock();
  const gone = new AbortController();
  return { clock, gone, meeting: new Rendezvous<string>(clock, offersMax) };
}

describe("two sides meet under a key", () => {
  it("whoever comes first", async () => {
    const { clock, gone, meeting } = setUp();
    const early = meeting.wait("a", 100, gone.signal);
    expect(meeting.waiting).toEqual(["a"]);
    meeting.offer("a", "first", 100);
    meeting.offer("b", "second", 100);
    expect(await early).toBe("first");
    expect(await meeting.wait("b", 100, gone.signal)).toBe("second");
    expect([meeting.waiting, clock.pending]).toEqual([[], 0]);
  });

  it("once: what was taken is gone, and what was taken back too", async () => {
    const { clock, gone, meeting } = setUp();
    meeting.offer("a", "first", 100);
    meeting.withdraw("a");
    const late = meeting.wait("a", 100, gone.signal);
    clock.advance(100);
    await expect(late).rejects.toThrow('Nobody came for "a" within 100 ms.');
    expect([meeting.timedOut, meeting.waiting]).toEqual([1, []]);
  });

  it("unless the offer is too old, or too many are newer", async () => {
    const { clock, gone, meeting } = setUp(1);
    meeting.offer("a", "first", 100);
    clock.advance(100);
    meeting.offer("b", "second", 100);
    meeting.offer("c", "third", 100);
    const waits = ["a", "b"].map((key) => meeting.wait(key, 10, gone.signal));
    clock.advance(10);
    for (const wait of waits) await expect(wait).rejects.toThrow("Nobody came");
    expect(await meeting.wait("c", 10, gone.signal)).toBe("third");
  });

  it("unless who waits goes away, or another waits for the same", async () => {
    const { clock, gone, meeting } = setUp();
    const wait = meeting.wait("a", 100, gone.signal);
    await expect(meeting.wait("a", 100, gone.signal)).rejects.toThrow("Another request waits");
    gone.abort(new Error("gone"));
    await expect(wait).rejects.toThrow("gone");
    await expect(meeting.wait("a", 100, gone.signal)).rejects.toThrow("gone");
    expect([meeting.timedOut, clock.pending]).toEqual([0, 0]);
  });
});
