/** Batches that are lost, late, doubled or of another life: what is claimed as exact is there. */
import { encode } from "@msgpack/msgpack";
import fc from "fast-check";
import { beforeEach, describe, expect, it, test } from "vitest";
import { type FollowerActions, KvFollower } from "../../src/kv-events/follower.ts";
import { TokenKeys } from "../../src/prefix-cache/token-keys.ts";

const number = (seq: number) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(seq));
  return bytes;
};
const empty = Buffer.alloc(0);

/** An engine that has single blocks of one token, each a prompt of its own. */
class Engine {
  readonly has = new Set<number>();
  batches: Buffer[] = [];
  /** Batches before this one cannot be replayed. */
  oldest = 0;
  /** Of its first batch. */
  firstSeq = 0;
  wasFirstLost = false;
  #ts = 0;

  #publish(event: unknown): number {
    this.#ts += 1;
    this.batches.push(Buffer.from(encode([this.#ts, [event]])));
    return this.batches.length - 1;
  }

  store(token: number): number {
    this.has.add(token);
    return this.#publish(["BlockStored", [token], null, [token], 1]);
  }

  remove(token: number): number {
    this.has.delete(token);
    return this.#publish(["BlockRemoved", [token]]);
  }

  clear(): number {
    this.has.clear();
    return this.#publish(["AllBlocksCleared"]);
  }

  restart(): void {
    this.has.clear();
    this.batches = [];
    this.oldest = 0;
    this.wasFirstLost = false;
  }
}

class Actions implements FollowerActions {
  canReplay = true;
  asked: number[] = [];
  restarts = 0;
  lost: string[] = [];

  replay(from: number): boolean {
    if (this.canReplay) this.asked.push(from);
    return this.canReplay;
  }
  restarted(): void {
    this.restarts += 1;
  }
  lostTrack(why: string): void {
    this.lost.push(why);
  }
}

const tokens = [1, 2, 3, 4];
let engine: Engine;
let actions: Actions;
let follower: KvFollower;

beforeEach(() => {
  engine = new Engine();
  actions = new Actions();
  follower = new KvFollower(actions);
});

const claims = () =>
  tokens.filter((token) => follower.cache.leadingTokens(new TokenKeys(Int32Array.of(token))) === 1);
const hear = (index: number) =>
  follower.published([empty, number(engine.firstSeq + index), engine.batches[index]!]);

/** Answers what was asked last. @param until as many batches are said */
function response(until = engine.batches.length): void {
  const from = actions.asked.pop();
  if (from === undefined) return;
  for (let i = Math.max(from - engine.firstSeq, engine.oldest); i < until; i += 1) {
    if (actions.asked.length > 0) return;
    follower.replayed([empty, empty, number(engine.firstSeq + i), engine.batches[i]!]);
  }
  if (actions.asked.length === 0) follower.replayed([empty, empty, number(-1), empty]);
}

function responseAll(): void {
  while (actions.asked.length > 0) response();
}

describe("at the beginning", () => {
  test("an engine that has published nothing is known to have nothing", () => {
    follower.connected();
    expect(follower.isExact).toBe(false);
    responseAll();
    expect(follower.isExact).toBe(true);
  });

  test("what was before is replayed, and what comes meanwhile is not lost", () => {
    engine.store(1);
    engine.store(2);
    follower.connected();
    hear(engine.store(3));
    expect(claims()).toEqual([]);
    responseAll();
    expect(follower.isExact).toBe(true);
    expect(claims()).toEqual([1, 2, 3]);
  });

  test("a history whose beginning is gone is not exact, until the engine clears its cache", () => {
    for (const token of [1, 2, 3]) engine.store(token);
    engine.oldest = 2;
    follower.connected();
    responseAll();
    expect(follower.isExact).toBe(false);
    expect(follower.isBehind).toBe(false);
    expect(actions.lost).toHaveLength(1);
    hear(engine.clear());
    hear(engine.store(4));
    expect(follower.isExact).toBe(true);
    expect(claims()).toEqual([4]);
  });

  test("without a replay, only an engine that has not yet published is known", () => {
    actions.canReplay = false;
    follower.connected();
    expect(follower.isExact).toBe(false);
    hear(engine.store(1));
    expect(follower.isExact).toBe(true);
    follower.lost();
    follower.connected();
    engine.store(2);
    hear(engine.store(3));
    expect(follower.isExact).toBe(false);
  });
});

test("an engine whose batch 0 was heard, but could not be used, does not count from 1", () => {
  follower.connected();
  hear(engine.store(1));
  follower.lost();
  follower.connected();
  hear(engine.store(2));
  follower.replayEnded("no answer");
  expect(follower.isExact).toBe(false);
});

describe("an engine that counts from 1", () => {
  beforeEach(() => {
    engine.firstSeq = 1;
  });

  test("what was before the proxy is replayed", () => {
    engine.store(1);
    engine.store(2);
    follower.connected();
    responseAll();
    expect(follower.isExact).toBe(true);
    expect(claims()).toEqual([1, 2]);
  });

  test.each([true, false])("its first batch is its first; it can be asked: %s", (canReplay) => {
    actions.canReplay = canReplay;
    follower.connected();
    responseAll();
    hear(engine.store(1));
    responseAll();
    hear(engine.store(2));
    expect(follower.isExact).toBe(true);
    expect(claims()).toEqual([1, 2]);
    expect(actions.lost).toEqual([]);
  });

  test("a gap is filled, and a restart noticed", () => {
    follower.connected();
    hear(engine.store(1));
    responseAll();
    engine.store(2);
    hear(engine.store(3));
    responseAll();
    expect(claims()).toEqual([1, 2, 3]);
    engine.restart();
    hear(engine.store(4));
    responseAll();
    expect(follower.isExact).toBe(true);
    expect(claims()).toEqual([4]);
    expect(actions.restarts).toBe(1);
  });
});

describe("on the way", () => {
  beforeEach(() => {
    follower.connected();
    responseAll();
    hear(engine.store(1));
    hear(engine.store(2));
  });

  test("a gap is filled by a replay", () => {
    engine.remove(1);
    hear(engine.store(3));
    expect(follower.isExact).toBe(false);
    expect(actions.asked).toEqual([2]);
    responseAll();
    expect(follower.isExact).toBe(true);
    expect(claims()).toEqual([2, 3]);
  });

  test("a gap that cannot be filled ends all claims", () => {
    engine.remove(1);
    hear(engine.store(3));
    actions.asked.pop();
    follower.replayEnded("no answer");
    expect(follower.isExact).toBe(false);
    expect(claims()).toEqual([]);
    expect(follower.isBehind).toBe(true);
    follower.catchUp();
    responseAll();
    expect(follower.isExact).toBe(true);
    expect(claims()).toEqual([2, 3]);
  });

  test("a connection that was lost for a moment costs nothing", () => {
    follower.lost();
    expect(follower.isExact).toBe(false);
    engine.remove(2);
    follower.connected();
    responseAll();
    expect(follower.isExact).toBe(true);
    expect(claims()).toEqual([1]);
  });

  test("an engine that was started anew has nothing of before, be it silent or busy", () => {
    follower.lost();
    engine.restart();
    follower.connected();
    responseAll();
    expect(claims()).toEqual([]);
    expect(follower.isExact).toBe(true);
    for (const token of [3, 4, 3]) hear(engine.store(token));
    follower.lost();
    engine.restart();
    for (const token of [1, 1, 1, 1]) engine.store(token);
    follower.connected();
    responseAll();
    expect(follower.isExact).toBe(true);
    expect(claims()).toEqual([1]);
  });

  test("a number that goes back is of an engine that was started anew", () => {
    engine.restart();
    hear(engine.store(4));
    expect(claims()).toEqual([4]);
    expect(actions.restarts).toBe(1);
  });

  test("a batch that is not understood ends all claims, and is not asked for again and again", () => {
    engine.batches.push(Buffer.from(encode([9, [["BlockMoved", [1]]]])));
    hear(2);
    expect(follower.isExact).toBe(false);
    expect(follower.isBehind).toBe(false);
    expect(actions.lost).toEqual(["an event is of a kind that is not known"]);
  });
});

/** Batches up to this one have been lost on the way, and nobody knows before the next one comes. */
let unheard = 0;

const steps: Readonly<Record<string, (token: number) => void>> = {
  store: (token) => hear(engine.store(token)),
  remove: (token) => hear(engine.remove(token)),
  clear: () => hear(engine.clear()),
  lose: (token) => {
    engine.wasFirstLost ||= engine.batches.length === 0;
    engine.store(token);
    unheard = engine.batches.length;
  },
  cut: () => {
    follower.lost();
    actions.asked = [];
    follower.connected();
  },
  restart: () => {
    follower.lost();
    actions.asked = [];
    engine.restart();
    unheard = 0;
    follower.connected();
  },
  // The last batch is always kept. One that has only lost its first looks as if it counted from 1.
  forget: () => {
    const { length } = engine.batches;
    engine.oldest = length + engine.firstSeq === 2 ? engine.oldest : Math.max(0, length - 1);
  },
  response: () => responseAll(),
  noise: () => follower.replayed([empty]),
  fail: () => {
    actions.asked = [];
    follower.replayEnded("no answer");
  },
};

const step = fc.tuple(fc.constantFrom("store", ...Object.keys(steps)), fc.constantFrom(...tokens));

it.each([0, 1])(
  "whatever is lost, cut off or started anew: what is exact is just what the engine has; from %s",
  (firstSeq) => {
    let exact = 0;
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.boolean(), (taken, canReplay) => {
        engine = new Engine();
        engine.firstSeq = firstSeq;
        actions = new Actions();
        actions.canReplay = canReplay;
        follower = new KvFollower(actions);
        unheard = 0;
        follower.connected();
        for (const [kind, token] of taken) {
          steps[kind]!(token);
          const isHeard = unheard === 0 || unheard < engine.batches.length;
          if (!follower.isExact || !isHeard) continue;
          exact += 1;
          // Who counts from 1 is not told from one whose batch 0 is lost: then less is claimed.
          if (engine.wasFirstLost)
            expect([...engine.has]).toEqual(expect.arrayContaining(claims()));
          else expect(claims()).toEqual([...engine.has].sort());
        }
      }),
      { numRuns: 3_000 },
    );
    // It is not that nothing is ever claimed.
    expect(exact).toBeGreaterThan(3_000);
  },
);
