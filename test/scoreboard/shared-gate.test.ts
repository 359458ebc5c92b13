/** Workers that take places at one engine at the same time never have more than its bound, and leave nothing behind. */
import { existsSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { expect, it } from "vitest";
import { createScoreboardMemory, Scoreboard } from "../../src/scoreboard/scoreboard.ts";

// Worker threads run what is built: not every Node that is supported reads TypeScript. Needs `npm run build`.
const built = new URL("../../dist/scoreboard/scoreboard.js", import.meta.url);

const workers = 4;
const rounds = 60_000;
const max = 3;

const script = `
  const { parentPort, workerData } = require("node:worker_threads");
  import(workerData.built).then(({ Scoreboard }) => {
    const { memory, worker, rounds, max, started } = workerData;
    const board = new Scoreboard(memory, worker);
    const starts = new Int32Array(started);
    Atomics.add(starts, 0, 1);
    while (Atomics.load(starts, 0) < workerData.workers) Atomics.wait(starts, 1, 0, 1);
    let taken = 0;
    let highest = 0;
    for (let i = 0; i < rounds; i += 1) {
      const held = [];
      for (let n = 0; n < 2; n += 1) if (board.take(0, 3 + worker, max)) held.push(3 + worker);
      highest = Math.max(highest, board.inFlight(0));
      board.take(1, 1, 0);
      if (board.history.countTowardsMerge(0, 32)) board.history.merge([0, 1], 2);
      taken += held.length;
      for (const bytes of held) board.giveBack(0, bytes);
      board.giveBack(1, 1);
    }
    parentPort.postMessage({ taken, highest });
  });
`;

function run(memory: SharedArrayBuffer, started: SharedArrayBuffer, worker: number) {
  return new Promise<{ taken: number; highest: number }>((resolve, reject) => {
    const workerData = { built: built.href, memory, worker, rounds, max, workers, started };
    const thread = new Worker(script, { eval: true, workerData });
    thread.once("message", resolve);
    thread.once("error", reject);
  });
}

it("never goes above the bound and ends at zero, with all workers at it", async () => {
  if (!existsSync(built)) throw new Error("dist is missing: run `npm run build`");
  const memory = createScoreboardMemory({ workers, slots: 2 });
  const started = new SharedArrayBuffer(8);
  const results = await Promise.all(
    Array.from({ length: workers }, (_, worker) => run(memory, started, worker)),
  );
  for (const { highest } of results) expect(highest).toBeLessThanOrEqual(max);
  // Of some worker alone it may be none: others can be put to sleep with all places in their hands.
  expect(results.reduce((sum, { taken }) => sum + taken, 0)).toBeGreaterThan(0);
  const board = new Scoreboard(memory, 0);
  expect([board.inFlight(0), board.inFlight(1)]).toEqual([0, 0]);
  expect([board.promptBytes(0), board.promptBytes(1)]).toEqual([0, 0]);
  // The merge's lock is free again.
  const before = board.history.requests(1);
  board.history.merge([0, 1], 2);
  board.history.merge([0, 1], 2);
  expect(board.history.requests(1)).toBeLessThan(Math.max(1, before));
});
