/** Two proxies before the same engines, of whose load each is told once a second: by itself that would herd requests onto one engine. */
import { expect, it } from "vitest";
import { createScoreboardMemory, Scoreboard } from "../../src/scoreboard/scoreboard.ts";
import { seededRandom } from "../../src/simulated-engine/model/prng.ts";

const engines = 4;
const serviceMs = 100;
const pollMs = 1_000;
const requests = 4_000;

type Knowledge = "current" | "scoreboard" | "as told";

interface Sent {
  readonly board: Scoreboard;
  readonly endMs: number;
}

/** Mean wait before service in ms, at 80 % load. Each proxy sends to the engine with the least load that it knows of. */
function meanWaitMs(knowledge: Knowledge): number {
  const random = seededRandom(7);
  const queues = Array.from({ length: engines }, (): Sent[] => []);
  const proxies = [0, 500].map((nextPollMs) => ({
    board: new Scoreboard(createScoreboardMemory({ workers: 1, slots: engines }), 0),
    reported: new Float64Array(engines),
    nextPollMs,
  }));
  let waitedMs = 0;
  let nowMs = 0;
  for (let i = 0; i < requests; i += 1) {
    nowMs += (-Math.log(1 - random()) * serviceMs) / (0.8 * engines);
    queues.forEach((queue, engine) => {
      while (queue[0] !== undefined && queue[0].endMs <= nowMs) {
        queue.shift()!.board.giveBack(engine, 1);
      }
    });
    for (const proxy of proxies) {
      if (proxy.nextPollMs > nowMs) continue;
      proxy.nextPollMs += pollMs;
      queues.forEach(({ length }, engine) => {
        proxy.reported[engine] = length;
        const others = length - proxy.board.inFlight(engine);
        proxy.board.signals.set(engine, others, undefined);
      });
    }
    const { board, reported } = proxies[i % 2]!;
    const loadOf = (engine: number) => {
      if (knowledge === "scoreboard") return board.load(engine);
      return knowledge === "current" ? queues[engine]!.length : reported[engine]!;
    };
    let best = 0;
    for (let engine = 1; engine < engines; engine += 1) {
      if (loadOf(engine) < loadOf(best)) best = engine;
    }
    const beginMs = Math.max(nowMs, queues[best]!.at(-1)?.endMs ?? 0);
    waitedMs += beginMs - nowMs;
    board.take(best, 1, 0);
    queues[best]!.push({ board, endMs: beginMs + serviceMs });
  }
  return waitedMs / requests;
}

it("what was sent since the last poll counts: requests wait not much longer than if all were known at once", () => {
  const current = meanWaitMs("current");
  const corrected = meanWaitMs("scoreboard");
  const asTold = meanWaitMs("as told");
  expect(corrected).toBeLessThan(4 * current);
  expect(asTold).toBeGreaterThan(3 * corrected);
});
