// What it costs to queue a prompt: µs of one pass over the queue after a prompt has come, and after one is done, by
// engines and by prompts that wait. Prompts are turns of 400 chats behind one beginning, so that many wait for a cache
// though an engine is idle: the dearest case.
//   npx bun bench/micro/prefill-queue.ts
//   npx bun build --target=node --outfile=/tmp/queue-bench.mjs bench/micro/prefill-queue.ts
//   node /tmp/queue-bench.mjs

import { PrefillQueue } from "../../src/queue/orderings/shortest-prefill/prefill-queue.ts";
import type {
  Prompt,
  QueuedPrompt,
} from "../../src/queue/orderings/shortest-prefill/queued-prompt.ts";
import { seededRandom } from "../../src/simulated-engine/model/prng.ts";

const TURNS = 20_000;
const WARM_UP = 2_000;
const CHATS = 400;
const BLOCK_TOKENS = 512;

const options = { agingFactor: 0.1, duplicateWeight: 1, blocksMax: 1 << 20, fairnessMs: 2_000 };
const enginesOf = (size: number) => ({
  size,
  isAvailable: () => true,
  hasCapacity: () => true,
  otherRequests: () => 0,
  share: () => 1,
  reportedCache: () => undefined,
  holders: () => undefined,
  tokensOf: (bytes: number) => bytes / 4,
});

function measure(engines: number, waiting: number) {
  const random = seededRandom(1);
  const turnsOf = Array.from({ length: CHATS }, () => 4 + Math.floor(random() * 40));
  const prompt = (): Prompt => {
    const chat = Math.floor(random() * CHATS);
    const blocks = Array.from({ length: 1 + Math.floor(random() * turnsOf[chat]!) }, (_, i) =>
      i < 2 ? i + 1 : chat * 1_000 + i + 100,
    );
    const tokens = blocks.length * BLOCK_TOKENS + Math.floor(random() * 400);
    const rest = {
      model: "",
      keys: undefined,
      advanceMs: 0,
      tenant: "",
      weight: 1,
      explains: false,
    };
    return { tokens, blocks, blockTokens: BLOCK_TOKENS, ...rest };
  };
  const queue = new PrefillQueue<void>(options, enginesOf(engines), () => true);
  const running: QueuedPrompt<void>[] = [];
  let nowMs = 0;
  const pass = (): number => {
    const from = performance.now();
    const released = queue.release(nowMs);
    const tookMs = performance.now() - from;
    running.push(...released);
    return tookMs;
  };
  for (let i = 0; i < engines + waiting; i += 1) {
    queue.add(prompt(), nowMs);
    pass();
  }
  let [comesMs, doneMs, held] = [0, 0, 0];
  for (let turn = -WARM_UP; turn < TURNS; turn += 1) {
    nowMs += 320 / engines;
    const at = Math.floor(random() * running.length);
    const done = running[at]!;
    running[at] = running.at(-1)!;
    running.pop();
    queue.done(done, done.prompt.tokens - done.uncachedTokens, nowMs);
    const afterDoneMs = pass();
    queue.add(prompt(), nowMs);
    const afterAddMs = pass();
    if (turn < 0) continue;
    doneMs += afterDoneMs;
    comesMs += afterAddMs;
    held += queue.waitingCount;
  }
  const us = (ms: number) => (ms * 1_000) / TURNS;
  return { waiting: held / TURNS, comesUs: us(comesMs), doneUs: us(doneMs) };
}

const bun = process.versions["bun"];
const row = (...cells: string[]) => `${cells.map((cell) => cell.padStart(12)).join("")}\n`;
process.stdout.write(`${bun ? `bun ${bun}` : process.version}\n`);
process.stdout.write(row("engines", "waiting", "comes µs", "done µs"));
for (const engines of [4, 64, 1_000]) {
  for (const waiting of [0, 64, 300]) {
    const figures = measure(engines, waiting);
    const cells = [
      figures.waiting.toFixed(0),
      figures.comesUs.toFixed(1),
      figures.doneUs.toFixed(1),
    ];
    process.stdout.write(row(String(engines), ...cells));
  }
}
