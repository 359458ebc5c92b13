/** A proxy that serves for weeks keeps no more than the last requests, and finds each of these. */
import { expect, it } from "vitest";
import { Explanation } from "../../../src/proxy/context/explanation.ts";
import { RecentExplanations } from "../../../src/proxy/context/recent-explanations.ts";

const explanationOf = (requestId: string) => new Explanation(requestId, "/", false, 0);

it("the oldest makes room; of two with the same id the last one is found", () => {
  const kept = new RecentExplanations(3);
  const all = ["a", "b", "same", "same"].map(explanationOf);
  for (const one of all) kept.add(one);
  expect(kept.find("a")).toBeUndefined();
  expect(kept.find("b")).toBe(all[1]);
  expect(kept.find("same")).toBe(all[3]);
  expect(kept.find("")).toBeUndefined();
});
