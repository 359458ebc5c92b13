/** Prompts that are held: in which order they go, where to, and what is learned of the engines. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { modelledCachesOf } from "../../../../src/prefix-cache/modelled-prefix-cache.ts";
import { ReportedPrefixCache } from "../../../../src/prefix-cache/reported-prefix-cache.ts";
import { TokenKeys } from "../../../../src/prefix-cache/token-keys.ts";
import type { EngineView } from "../../../../src/queue/orderings/shared/ordering.ts";
import { PrefillQueue } from "../../../../src/queue/orderings/shortest-prefill/prefill-queue.ts";
import type {
  Prompt,
  QueuedPrompt,
} from "../../../../src/queue/orderings/shortest-prefill/queued-prompt.ts";
import { engineView, queuedPrompt } from "../../fake/queue.ts";

const prompt = (tokens: number, blocks: number[] = []) => queuedPrompt(tokens, { blocks });
/** As predicted, so that nothing new is learned. */
const ms = (tokens: number) => 20 + tokens * (0.1 + tokens * 1e-6);
const options = { agingFactor: 0.1, duplicateWeight: 1, blocksMax: 1 << 16, fairnessMs: 2_000 };
/** Nobody waits for these prompts. */
type Queue = PrefillQueue<void>;
const reserve = () => true;
const queueOf = (engines: number): Queue => new PrefillQueue(options, engineView(engines), reserve);
/** Two engines that report their caches. */
const queueWith = (reportedCache: EngineView["reportedCache"]): Queue =>
  new PrefillQueue(options, engineView(2, { reportedCache }), reserve);

it("short prompts go before long ones, but not before one that has waited ten times its own prefill", () => {
  const queue = queueOf(1);
  const busy = queue.add(prompt(10), 0);
  expect(queue.release(0)).toEqual([busy]);
  // About one second of prefill.
  const long = queue.add(prompt(9_000), 0);
  const soon = queue.add(prompt(100), 5_000);
  const late = queue.add(prompt(100), 10_500);
  queue.done(busy, 0, ms(10));
  const order: QueuedPrompt<void>[] = [];
  for (let nowMs = 20_000; order.length < 3; ) {
    const [running] = queue.release(nowMs) as [QueuedPrompt<void>];
    order.push(running);
    nowMs += ms(running.prompt.tokens);
    queue.done(running, 0, nowMs);
  }
  expect(order.map((one) => [soon, long, late].indexOf(one))).toEqual([0, 1, 2]);
});

it("nothing is overtaken by what came ten of its own prefills after it", () => {
  const arrival = fc.record({ tokens: fc.integer({ min: 1, max: 40_000 }), gapMs: fc.nat(900) });
  fc.assert(
    fc.property(fc.array(arrival, { minLength: 2, maxLength: 40 }), (arrivals) => {
      const queue = queueOf(1);
      const first = queue.add(prompt(1), 0);
      queue.release(0);
      queue.done(first, 0, ms(1));
      let nowMs = ms(1);
      for (const { tokens, gapMs } of arrivals) {
        nowMs += gapMs;
        queue.add(prompt(tokens), nowMs);
      }
      const order: QueuedPrompt<void>[] = [];
      // An engine that takes several computes one after the other.
      for (let sent = queue.release(nowMs); sent.length > 0; sent = queue.release(nowMs)) {
        for (const next of sent) {
          order.push(next);
          nowMs += ms(next.prompt.tokens);
          queue.done(next, 0, nowMs);
        }
      }
      expect(order.length).toBe(arrivals.length);
      order.forEach((overtaken, at) => {
        for (const one of order.slice(0, at)) {
          const laterMs = one.arrivedMs - overtaken.arrivedMs;
          expect(laterMs).toBeLessThanOrEqual(10.001 * ms(overtaken.prompt.tokens));
        }
      });
    }),
  );
});

it("a prompt waits for the busy engine that has its prefix, while another takes the idle one", () => {
  const queue = queueOf(2);
  const blocks = Array.from({ length: 40 }, (_, i) => i);
  const first = queue.add(prompt(20_480, blocks), 0);
  expect(queue.release(0)).toEqual([first]);
  queue.done(first, 0, 3_000);
  const holder = first.engine;
  const short = queue.add(prompt(300, [0]), 3_000);
  expect(queue.release(3_000)).toEqual([short]);
  const other = queue.add(prompt(500), 3_000);
  expect(queue.release(3_000)).toEqual([other]);
  // Keep the holder busy, then let the other engine go idle.
  const keeper = short.engine === holder ? short : other;
  const idler = keeper === short ? other : short;
  expect(keeper.engine).toBe(holder);
  queue.done(idler, 0, 3_010);
  const again = queue.add(prompt(20_600, [...blocks, 99]), 3_010);
  expect(queue.release(3_010)).toEqual([]);
  queue.done(keeper, 0, 3_050);
  expect(queue.release(3_050)).toEqual([again]);
  expect(again.engine).toBe(holder);
});

it.each([
  ["what was sent there", undefined],
  ["the engine's own word, which does not tell of it yet", new ReportedPrefixCache()],
])("what is being computed is there for what comes next, by %s", (_, cache) => {
  const queue = queueWith(() => cache);
  const blocks = Array.from({ length: 40 }, (_, i) => i);
  const known = (tokens: number, own: number[]) => ({
    ...prompt(tokens, own),
    keys: cache && new TokenKeys(new Int32Array(tokens)),
  });
  const first = queue.add(known(20_480, blocks), 0);
  expect(queue.release(0)).toEqual([first]);
  // It takes 2.5 s; one that begins with it is there at 2 s, while another engine is idle.
  const again = queue.add(known(20_600, [...blocks, 99]), 2_000);
  const other = queue.add(
    known(
      20_600,
      Array.from({ length: 41 }, (_, i) => 100 + i),
    ),
    2_000,
  );
  expect(queue.release(2_000)).toEqual([other]);
  expect(other.engine).not.toBe(first.engine);
  queue.done(first, 0, 2_500);
  expect(queue.release(2_500)).toEqual([again]);
  expect(again.engine).toBe(first.engine);
});

it("an engine that takes longer than predicted looks later and later, not as if it ended at any moment", () => {
  const queue = queueOf(1);
  queue.add(prompt(1_000), 0);
  queue.release(0);
  expect(queue.expectedWaitMs(40)).toBeCloseTo(ms(1_000) - 40);
  expect(queue.expectedWaitMs(5_000)).toBeCloseTo(5_000 - ms(1_000));
});

it("the TTFT that is expected counts what goes before a prompt, at the engines that are free first", () => {
  const queue = queueOf(2);
  for (const tokens of [1_000, 4_000]) queue.add(prompt(tokens), 0);
  expect(queue.release(0)).toHaveLength(2);
  const [short, middle, long] = [200, 800, 9_000].map((tokens) => queue.add(prompt(tokens), 0));
  const wait = (queued: QueuedPrompt<void>) => queue.expectedTtft(queued, 0).waitMs;
  expect(wait(short!)).toBeCloseTo(ms(1_000));
  expect(wait(middle!)).toBeCloseTo(ms(1_000) + ms(200));
  expect(wait(long!)).toBeCloseTo(ms(1_000) + ms(200) + ms(800));
  expect(queue.expectedTtft(long!, 0).ms).toBeCloseTo(wait(long!) + ms(9_000));
  // Behind all, when both engines are free.
  const all = [1_000, 4_000, 200, 800, 9_000].map(ms).reduce((sum, one) => sum + one, 0);
  expect(queue.expectedWaitMs(0)).toBeCloseTo(all / 2);
});

it("what was sent but never computed is not believed to be there, but for what was there before", () => {
  const queue = queueOf(2);
  const blocks = Array.from({ length: 40 }, (_, i) => i);
  const send = (one: Prompt) => {
    const held = queue.add(one, 0);
    expect(queue.release(0)).toEqual([held]);
    return held;
  };
  const first = send(prompt(5_120, blocks.slice(0, 10)));
  queue.done(first, 0, ms(5_120));
  const failed = send(prompt(20_480, blocks));
  expect([failed.engine, failed.uncachedTokens]).toEqual([first.engine, 20_480 - 5_120]);
  queue.remove(failed, 0);
  const again = send(prompt(20_480, blocks));
  expect([again.engine, again.uncachedTokens]).toEqual([first.engine, 20_480 - 5_120]);
});

it("what was evicted while a prompt waited for it is not believed when it is sent", () => {
  const small = new PrefillQueue<void>({ ...options, blocksMax: 64 }, engineView(2), reserve);
  const blocks = Array.from({ length: 40 }, (_, i) => i);
  const first = small.add(prompt(20_480, blocks), 0);
  small.release(0);
  small.done(first, 0, 3_000);
  const holder = first.engine;
  // All engines are busy, the holder with what evicts the first one's blocks.
  const evicting = Array.from({ length: 40 }, (_, i) => 1_000 + i);
  const busy = [0, 1].map(() => small.add(prompt(20_480, evicting), 3_000));
  small.release(3_000);
  for (const one of busy) if (one.engine < 0) small.remove(one, 0);
  const waits = small.add(prompt(20_490, [...blocks, 99]), 3_000);
  for (const one of busy) if (one.engine >= 0) small.done(one, 0, 6_000);
  small.release(6_000);
  expect(waits.engine).toBeGreaterThanOrEqual(0);
  const isThere = waits.engine === holder && busy.every(({ engine }) => engine !== holder);
  expect(waits.uncachedTokens).toBe(isThere ? 20_490 - 40 * 512 : 20_490);
});

/**
 * However many engines there are: prompts behind the first are compared with some of them, and some are asked about in
 * one pass.
 */
it.each([3, 64, 300])(
  "of %d engines each gets its part, and each prompt the cache that it waits for",
  (count) => {
    const queue = queueOf(count);
    const chat = (n: number, turn: number) =>
      prompt(10_240 + turn, [
        ...Array.from({ length: 20 }, (_, i) => n * 100 + i),
        n * 100 + 50 + turn,
      ]);
    const homes = new Map<number, number>();
    let nowMs = 0;
    for (let turn = 0; turn < 3; turn += 1) {
      const held = Array.from({ length: count }, (_, n) => queue.add(chat(n, turn), nowMs));
      for (let sent = queue.release(nowMs), tries = 0; tries < 5; tries += 1) {
        nowMs += 2_000;
        for (const one of sent) queue.done(one, 0, nowMs);
        sent = queue.release(nowMs);
      }
      held.forEach(({ engine }, n) => {
        expect(engine).toBeGreaterThanOrEqual(0);
        expect(homes.get(n) ?? engine).toBe(engine);
        homes.set(n, engine);
      });
    }
    expect(new Set(homes.values()).size).toBe(count);
  },
);

it("no engine stays idle for long while prompts wait that all share one prefix", () => {
  const queue = queueOf(2);
  const blocks = Array.from({ length: 16 }, (_, i) => i);
  const first = queue.add(prompt(8_200, blocks), 0);
  queue.release(0);
  queue.done(first, 0, ms(8_200));
  // All of them would wait for the one cache, each for a little longer than the one before it.
  for (let i = 0; i < 40; i += 1) queue.add(prompt(8_200 + 400 * (i % 5), [...blocks]), 1_000);
  const sent = queue.release(1_000);
  expect(new Set(sent.map(({ engine }) => engine))).toEqual(new Set([0, 1]));
});

it("the more prompts wait, the longer one waits for its cache before its work is done again", () => {
  const sentAgain = (others: number) => {
    const queue = queueOf(2);
    const blocks = Array.from({ length: 8 }, (_, i) => i);
    const first = queue.add(prompt(4_100, blocks), 0);
    queue.release(0);
    queue.done(first, 0, ms(4_100));
    // The holder is busy for about a second, a bit more than twice of what its cache would save.
    const keeper = queue.add(prompt(4_100 + 9_000, blocks), 1_000);
    queue.release(1_000);
    expect(keeper.engine).toBe(first.engine);
    for (let i = 0; i < others; i += 1) queue.add(prompt(9_000 + i), 1_000);
    const again = queue.add(prompt(4_200, blocks), 1_001);
    return queue.release(1_001).includes(again);
  };
  expect(sentAgain(0)).toBe(true);
  expect(sentAgain(10)).toBe(false);
});

it("a client that leaves the queue costs nothing, and one that is done twice counts once", () => {
  const queue = queueOf(1);
  const sent = queue.add(prompt(100), 0);
  queue.release(0);
  const gone = queue.add(prompt(100), 1);
  const stays = queue.add(prompt(100), 2);
  queue.remove(gone, 0);
  queue.remove(gone, 0);
  queue.done(sent, 0, 30);
  expect(queue.release(30)).toEqual([stays]);
  queue.done(sent, 0, 31);
  expect(queue.release(31)).toEqual([]);
  expect(queue.waitingCount).toBe(0);
});

it("an engine that is slower than the rest is given less", () => {
  const queue = queueOf(2);
  const slownessOf = [1, 4];
  const shares = [0, 0];
  const running: { held: ReturnType<typeof queue.add>; endMs: number }[] = [];
  for (let nowMs = 0; nowMs < 200_000; nowMs += 10) {
    // 90 % of what the two can do.
    if (nowMs % 120 === 0) queue.add(prompt(1_000), nowMs);
    for (const one of running.filter(({ endMs }) => endMs <= nowMs)) {
      running.splice(running.indexOf(one), 1);
      queue.done(one.held, 0, nowMs);
    }
    for (const held of queue.release(nowMs)) {
      shares[held.engine]! += 1;
      running.push({ held, endMs: nowMs + 120 * slownessOf[held.engine]! });
    }
  }
  expect(shares[0]! / shares[1]!).toBeGreaterThan(3);
});

it("the size of an engine's cache is learned from what it reports", () => {
  const [mirror] = modelledCachesOf(1);
  const real: number[] = [];
  const size = 400;
  let seed = 7;
  const next = () => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return (seed >>> 8) % 1_000;
  };
  let wrong = 0;
  for (let i = 0; i < 20_000; i += 1) {
    const blocks = [next()];
    const believed = mirror!.leadingBlocks(blocks);
    const at = real.indexOf(blocks[0]!);
    const reported = at >= 0 ? 1 : 0;
    if (at >= 0) real.splice(at, 1);
    real.push(blocks[0]!);
    if (real.length > size) real.shift();
    mirror!.applyDiscovered(believed, reported);
    mirror!.insert(blocks);
    if (i >= 10_000 && believed !== reported) wrong += 1;
  }
  // Of the last ten thousand; a size that is off by 2× would be wrong in a fifth.
  expect(wrong).toBeLessThan(500);
});

it("a changed pool goes on with what was learned of the engines that stay, also of what they are still computing", () => {
  const before = queueOf(2);
  const blocks = [1, 2, 3, 4];
  const send = (queue: Queue, of: Prompt, nowMs: number) => {
    const held = queue.add(of, nowMs);
    expect(queue.release(nowMs)).toEqual([held]);
    return held;
  };
  const first = send(before, prompt(2_100, blocks), 0);
  const other = send(before, prompt(2_100, [7, 8, 9, 10]), 0);
  expect([first.engine, other.engine]).toEqual([0, 1]);
  before.done(first, 0, ms(2_100));
  const after = queueOf(3);
  // What was the first engine is the last one now.
  after.adopt(before, [-1, 1, 0]);
  const again = send(after, prompt(2_100, blocks), 1_000);
  expect([again.engine, again.uncachedTokens]).toEqual([2, 2_100 - 4 * 512]);
  // Done in the queue that is gone.
  before.done(other, 0, ms(2_100));
  const same = send(after, prompt(2_100, [7, 8, 9, 10]), 1_001);
  expect([same.engine, same.uncachedTokens]).toEqual([1, 2_100 - 4 * 512]);
});

it("what an engine tells of its cache counts more than what was sent there, and teaches nothing of that", () => {
  const keys = new TokenKeys(Int32Array.from({ length: 2_100 }, (_, i) => i));
  const caches = [new ReportedPrefixCache(), undefined];
  const queue = queueWith((engine) => caches[engine]);
  const asked = { ...prompt(2_100, [1, 2, 3, 4]), keys };
  const send = (nowMs: number) => {
    const held = queue.add(asked, nowMs);
    queue.release(nowMs);
    queue.done(held, 0, nowMs + ms(2_100));
    return [held.engine, held.uncachedTokens];
  };
  expect(send(0)).toEqual([0, 2_100]);
  // The first engine was sent it, but says that it has nothing: by that, either is as good, and the other one is
  // emptier.
  expect(send(1_000)).toEqual([1, 2_100]);
  // The second one does not tell: what was sent there counts.
  expect(send(2_000)).toEqual([1, 2_100 - 4 * 512]);
  caches[0]!.apply({
    type: "stored",
    hashes: [5n],
    parent: undefined,
    tokens: [...keys.tokens.subarray(0, 2_080)],
    blockTokens: 2_080,
    plainBlocks: 1,
  });
  expect(send(3_000)).toEqual([0, 20]);
  caches[0]!.apply({ type: "removed", hashes: [5n] });
  expect(send(4_000)).toEqual([1, 2_100 - 4 * 512]);
  // When it does not tell any more, what was sent there counts again, though it has reported 0 all the time.
  caches[0] = undefined;
  queue.forget(1);
  expect(send(5_000)).toEqual([0, 2_100 - 4 * 512]);
  queue.forget(0);
  expect(queue.isModelled(0)).toBe(false);
});

it("an engine in slow start gets a prompt only when the others are well occupied", () => {
  const shares = [1, 0.1];
  const queue: Queue = new PrefillQueue(
    options,
    engineView(2, { share: (engine) => shares[engine]! }),
    reserve,
  );
  // Too long for two of them to be sent together.
  const prompts = Array.from({ length: 3 }, () => queue.add(prompt(1_100), 0));
  queue.release(0);
  expect(prompts.map(({ engine }) => engine)).toEqual([0, -1, 1]);
  const later = queueOf(2);
  const others = Array.from({ length: 3 }, () => later.add(prompt(1_100), 0));
  later.release(0);
  expect(others.map(({ engine }) => engine)).toEqual([0, 1, -1]);
});

it("an engine at which prefills are given up late is expected to be slow", () => {
  const queue = queueOf(2);
  const placed: number[] = [];
  for (let nowMs = 0; placed.length < 12; nowMs += 3_000) {
    const one = queue.add(prompt(100), nowMs);
    queue.release(nowMs);
    placed.push(one.engine);
    if (one.engine === 0) queue.remove(one, nowMs + 2_000);
    else queue.done(one, 0, nowMs + ms(100));
  }
  expect(placed.slice(6)).toEqual(placed.slice(6).map(() => 1));
});
