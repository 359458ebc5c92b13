/** Queues of peers hold what they should, in their order, and lose nothing. */
import { expect, it } from "vitest";
import type { Outcome } from "../../src/lab/model/fleet.ts";
import { queueNames, splitQueue } from "../../src/lab/peer-queue.ts";
import { dense70b } from "../../src/lab/profile.ts";
import { replay } from "../../src/lab/replay.ts";
import type { TraceRequest } from "../../src/lab/traces/trace.ts";
import { seededRandom } from "../../src/simulated-engine/model/prng.ts";

/** Far more at once than two engines take, the long ones first. */
const trace: TraceRequest[] = Array.from({ length: 200 }, (_, i) => ({
  arrivalMs: i,
  inputTokens: 20_000 - 90 * i,
  outputTokens: 2,
  blocks: [],
}));

function outcomesOf(prefillPolicy: string): Outcome[] {
  return replay({
    trace,
    prefillPolicy,
    prefill: 2,
    decode: 2,
    profile: dense70b,
    decodePolicy: "least_bytes",
    scale: 1,
    cacheBlocks: 100,
    noise: 0,
    slowest: 1,
    random: seededRandom(1),
  });
}

const firstTokens = (policy: string) => outcomesOf(policy).map(({ firstTokenMs }) => firstTokenMs);

it.each(queueNames)("%s sends every prompt in the end", (queue) => {
  expect(firstTokens(`least_bytes+${queue}`).every((ms) => ms > 0)).toBe(true);
});

it("fcfs keeps the order of arrival, wspt sends the short ones that wait before the long ones", () => {
  const [fcfs, wspt] = ["dynamo_fcfs", "dynamo_wspt"].map((q) => firstTokens(`least_bytes+${q}`));
  expect(fcfs!.at(-1)).toBeGreaterThan(fcfs![100]!);
  expect(wspt!.at(-1)).toBeLessThan(wspt![100]!);
});

it("a queue is what comes after the last plus", () => {
  expect(splitQueue("dynamo?weight=2+dynamo_wspt")).toEqual(["dynamo?weight=2", "dynamo_wspt"]);
  expect(splitQueue("dynamo")).toEqual(["dynamo", undefined]);
});

it("a lower threshold holds more, so that more of the short ones overtake", () => {
  const [low, high] = [0, 16].map((n) => firstTokens(`least_bytes+dynamo_wspt:${n}`).at(-1)!);
  expect(low).toBeLessThan(high!);
});

it("an unknown queue is an error, not ignored", () => {
  expect(() => outcomesOf("dynamo+lifo")).toThrow('unknown queue "lifo"');
  expect(() => outcomesOf("dynamo+dynamo_wspt:x")).toThrow('unknown queue "dynamo_wspt:x"');
});
