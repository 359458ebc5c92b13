/** A proxy that serves for weeks keeps few requests, and finds each of these: the last, the slowest, those that failed. */
import { describe, expect, it } from "vitest";
import { listedRequestsMax, slowestWindowMs } from "../../../../src/limits.ts";
import { Explanation } from "../../../../src/proxy/context/explained/explanation.ts";
import { RecentExplanations } from "../../../../src/proxy/context/explained/recent-explanations.ts";

const explanationOf = (requestId: string) => new Explanation(requestId, "/", false, 0);

interface Ended {
  readonly firstByteMs?: number;
  readonly endMs?: number;
  readonly hasFailed?: boolean;
  readonly isStream?: boolean;
}

function ended(requestId: string, more: Ended = {}): Explanation {
  const { firstByteMs = 10, endMs = 20, hasFailed = false, isStream = true } = more;
  const explanation = explanationOf(requestId);
  const legs = { encodes: [], prefills: [], decodes: [] };
  const times = { startMs: 1_000, heldMs: -1, firstByteMs: 1_000 + firstByteMs };
  const tokens = { prompt: -1, cached: -1, output: -1 };
  explanation.end(
    {
      status: 200,
      outcome: { code: "GP_OK", message: "" },
      ...times,
      endMs: 1_000 + endMs,
      ...legs,
    },
    { model: "", isStream, hasFailed, tokens },
  );
  return explanation;
}

it("the oldest makes room; of two with the same id the last one is found", () => {
  const kept = new RecentExplanations(3);
  const all = ["a", "b", "same", "same"].map(explanationOf);
  for (const one of all) kept.add(one);
  expect(kept.find("a")).toBeUndefined();
  expect(kept.find("b")).toBe(all[1]);
  expect(kept.find("same")).toBe(all[3]);
  expect(kept.find("")).toBeUndefined();
});

it("requests under way are found, and not listed as ended", () => {
  const kept = new RecentExplanations(3);
  kept.add(explanationOf("under way"));
  const whole = ended("whole");
  kept.add(whole);
  expect(kept.recent()).toEqual([whole]);
});

describe("of requests that have left the ring", () => {
  const kept = new RecentExplanations(1);
  const add = (one: Explanation, nowMs = 0, isClientFault = false) => {
    kept.add(one);
    kept.ended(one, nowMs, isClientFault);
  };
  const failed = ended("failed", { hasFailed: true });
  const refused = ended("refused");
  add(refused, 0, true);
  const late = ended("late", { firstByteMs: 5_000, endMs: 6_000 });
  const long = ended("long", { endMs: 90_000, isStream: false });
  for (const one of [failed, late, long]) add(one);
  for (let i = 0; i < 3 * listedRequestsMax; i += 1) {
    add(ended(`${i}`, { firstByteMs: i, endMs: i + 1 }));
  }

  it("those that failed and the slowest are still found", () => {
    expect(kept.failed()).toEqual([failed]);
    expect(kept.clientFaults()).toEqual([refused]);
    for (const one of [failed, refused, late, long]) expect(kept.find(one.requestId)).toBe(one);
    expect(kept.find("3")).toBeUndefined();
  });

  it("the slowest come first, and what is no stream has no first token to be slow with", () => {
    const { toStart, toEnd } = kept.slowest(0);
    expect(toStart.slice(0, 2).map((one) => one.requestId)).toEqual(["late", "119"]);
    expect(toEnd.slice(0, 3).map((one) => one.requestId)).toEqual(["long", "late", "119"]);
    expect([toStart.length, toEnd.length]).toEqual([listedRequestsMax, listedRequestsMax]);
  });

  it("a slow request of long ago makes room for those of today", () => {
    add(ended("of the next window", { firstByteMs: 1 }), slowestWindowMs);
    expect(kept.slowest(slowestWindowMs).toStart[0]).toBe(late);
    add(ended("of the one after that"), 2 * slowestWindowMs);
    const names = kept.slowest(2 * slowestWindowMs).toStart.map((one) => one.requestId);
    expect(names).toEqual(["of the one after that", "of the next window"]);
    expect(kept.slowest(5 * slowestWindowMs).toEnd).toEqual([]);
  });
});
