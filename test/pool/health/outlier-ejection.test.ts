/** Outlier ejection: an engine that fails is taken out, healthy ones never are, and no pool is emptied. */
import { beforeEach, describe, expect, it } from "vitest";
import { type ConfigInput, configSchema } from "../../../src/config/schema/schema.ts";
import type { FailureKind } from "../../../src/pool/health/ejection.ts";
import { Pool } from "../../../src/pool/pool.ts";
import { SlotTable } from "../../../src/pool/slots.ts";
import { createScoreboardMemory, Scoreboard } from "../../../src/scoreboard/scoreboard.ts";

type Ejection = NonNullable<NonNullable<ConfigInput["pools"]>[string]["ejection"]>;

const startMs = 1_700_000_000_000;
let memory: SharedArrayBuffer;
beforeEach(() => {
  memory = createScoreboardMemory({ workers: 2, slots: 8 });
});

const request = {
  bytes: 10,
  tokens: 1,
  blocks: [],
  clientAddress: "10.0.0.1",
  key: "",
  clock: { wallMs: () => 0 },
};

/** The pool as each of two workers sees it. */
function poolsOf(size: number, ejection: Partial<Ejection> = {}): [Pool, Pool] {
  const engines = Array.from({ length: size }, (_, i) => ({ url: `e${i}:1` }));
  const config = configSchema.parse({
    pools: { p: { engines, ejection: { rule: "outlier", ...ejection } as Ejection } },
    servers: [{ listen: [{ port: 1 }], routes: [] }],
  });
  const slots = new SlotTable(8, () => {}).assign(config);
  const pool = (worker: number) =>
    new Pool("p", config.pools["p"]!, {
      board: new Scoreboard(memory, worker),
      slots,
      random: () => 0.5,
    });
  return [pool(0), pool(1)];
}

const poolOf = (...args: Parameters<typeof poolsOf>) => poolsOf(...args)[0];

function fails(pool: Pool, index: number, times: number, nowMs = startMs, kind?: FailureKind) {
  for (let i = 0; i < times; i += 1) pool.failed(pool.engines[index]!, nowMs, undefined, kind);
}

/** @param tookMs since the request was sent: by default before anything else that the test says */
function succeeds(pool: Pool, index: number, nowMs = startMs, tookMs = nowMs - startMs + 1): void {
  pool.succeeded(pool.engines[index]!, nowMs, tookMs);
}

/** Indices of the engines that get any of the next requests. */
function served(pool: Pool, nowMs = startMs): number[] {
  const found = new Set<number>();
  for (let i = 0; i < 4 * pool.size; i += 1) {
    const placement = pool.place(request, [], nowMs);
    if (typeof placement === "string") continue;
    placement.lease.close();
    found.add(placement.engine.index);
  }
  return [...found].sort();
}

describe("failures in a row", () => {
  it("eject an engine for all workers, and a success between them does not let them add up", () => {
    const [one, other] = poolsOf(2);
    fails(one, 0, 4);
    expect(served(one)).toEqual([0, 1]);
    succeeds(other, 0);
    fails(one, 0, 4);
    expect(served(one)).toEqual([0, 1]);
    fails(other, 0, 1);
    expect([served(one), served(other)]).toEqual([[1], [1]]);
  });

  it("are one if nothing accepts connections there", () => {
    const pool = poolOf(2);
    fails(pool, 0, 1, startMs, "unsent");
    expect(served(pool)).toEqual([1]);
  });

  it("that were the request's own are taken back, and so is the ejection", () => {
    const pool = poolOf(2);
    fails(pool, 0, 5);
    pool.health.forgive(pool.engines[0]!);
    expect(served(pool)).toEqual([0, 1]);
    fails(pool, 0, 1);
    expect(served(pool)).toEqual([1]);
  });
});

describe("after an ejection", () => {
  const options = { baseEjectionMs: 1_000, maxEjectionMs: 3_000, intervalMs: 10_000 };

  /** How long the next ejection lasts. */
  function ejectionMs(pool: Pool, nowMs: number): number {
    fails(pool, 0, 5, nowMs);
    let ms = 0;
    while (!pool.isAvailable(pool.engines[0]!, nowMs + ms) && ms < 60_000) ms += 100;
    return ms;
  }

  it("one request tries the engine, and its success brings it back", () => {
    const [pool, other] = poolsOf(2, options);
    fails(pool, 0, 5);
    const nowMs = startMs + 1_000;
    const tries = [pool, other].flatMap((one) =>
      Array.from({ length: 4 }, () => {
        const placement = one.place(request, [], nowMs);
        return typeof placement === "string" ? -1 : placement.engine.index;
      }),
    );
    expect(tries.filter((index) => index === 0)).toHaveLength(1);
    succeeds(pool, 0, nowMs);
    expect(served(other, nowMs)).toEqual([0, 1]);
  });

  it("one more failure ejects it again, for longer, up to a bound", () => {
    const pool = poolOf(2, options);
    let nowMs = startMs;
    const lasted: number[] = [];
    fails(pool, 0, 5, nowMs);
    for (let i = 0; i < 4; i += 1) {
      const before = nowMs;
      while (!pool.isAvailable(pool.engines[0]!, nowMs)) nowMs += 100;
      lasted.push(nowMs - before);
      while (pool.place(request, [], nowMs) !== undefined && !pool.board.health.isTried(0));
      fails(pool, 0, 1, nowMs);
    }
    expect(lasted).toEqual([1_000, 2_000, 3_000, 3_000]);
  });

  it("time in health makes the next one shorter again", () => {
    const pool = poolOf(2, options);
    expect(ejectionMs(pool, startMs)).toBe(1_000);
    const backMs = startMs + 1_000;
    served(pool, backMs);
    succeeds(pool, 0, backMs);
    expect(ejectionMs(pool, backMs + 100)).toBe(2_000);
    const againMs = backMs + 2_100;
    served(pool, againMs);
    succeeds(pool, 0, againMs);
    expect(ejectionMs(pool, againMs + 25_000)).toBe(1_000);
  });

  it("a response to a request from before does not bring it back, unless it was only late", () => {
    const pool = poolOf(2);
    fails(pool, 0, 5);
    succeeds(pool, 0);
    expect(served(pool)).toEqual([1]);
    memory = createScoreboardMemory({ workers: 2, slots: 8 });
    const fresh = poolOf(2);
    fails(fresh, 0, 5, startMs, "late");
    expect(served(fresh)).toEqual([1]);
    succeeds(fresh, 0);
    expect(served(fresh)).toEqual([0, 1]);
  });
});

describe("no pool is emptied", () => {
  it("half of it is ejected at most, and one always may be", () => {
    const four = poolOf(4);
    for (const index of [0, 1, 2, 3]) fails(four, index, 5);
    expect(served(four)).toEqual([2, 3]);
    memory = createScoreboardMemory({ workers: 2, slots: 8 });
    const capped = poolOf(4, { maxEjectedPercent: 10 });
    for (const index of [0, 1]) fails(capped, index, 5);
    expect(served(capped)).toEqual([1, 2, 3]);
  });

  it("an engine that was only late is given back for one that fails, and not the other way round", () => {
    const pool = poolOf(2);
    fails(pool, 0, 5, startMs, "late");
    fails(pool, 1, 1, startMs, "unsent");
    expect(served(pool)).toEqual([0]);
    fails(pool, 0, 5, startMs + 1, "late");
    expect(served(pool, startMs + 1)).toEqual([0]);
    // Of two that fail, the first stays ejected.
    memory = createScoreboardMemory({ workers: 2, slots: 8 });
    const failing = poolOf(2);
    for (const index of [0, 1]) fails(failing, index, 5);
    expect(served(failing)).toEqual([1]);
  });

  it("an engine that is alone is never ejected", () => {
    const pool = poolOf(1);
    fails(pool, 0, 20);
    expect(served(pool)).toEqual([0]);
  });

  it("if most of it is ejected or unhealthy, all of it is used", () => {
    const pool = poolOf(4, { maxEjectedPercent: 100 });
    for (const index of [0, 1]) fails(pool, index, 5);
    expect(served(pool)).toEqual([2, 3]);
    pool.board.health.setUnhealthy(2, true);
    expect(served(pool, startMs + 1)).toEqual([0, 1, 2, 3]);
    pool.board.health.setUnhealthy(2, false);
    expect(served(pool, startMs + 2)).toEqual([2, 3]);
  });
});

describe("over a window", () => {
  function results(pool: Pool, index: number, good: number, bad: number, nowMs: number): void {
    for (let i = 0; i < Math.max(good, bad); i += 1) {
      if (i < bad) fails(pool, index, 1, nowMs);
      if (i < good) succeeds(pool, index, nowMs);
    }
  }

  it("an engine that fails half of its requests is ejected, though never several in a row", () => {
    const pool = poolOf(2);
    results(pool, 0, 20, 20, startMs);
    results(pool, 1, 40, 0, startMs);
    expect(served(pool)).toEqual([0, 1]);
    succeeds(pool, 1, startMs + 10_000);
    expect(served(pool, startMs + 10_000)).toEqual([1]);
  });

  it("an engine that fails conspicuously more often than the others is ejected", () => {
    const pool = poolOf(6);
    for (const index of [1, 2, 3, 4, 5]) results(pool, index, 200, 2, startMs);
    results(pool, 0, 200, 40, startMs);
    succeeds(pool, 1, startMs + 10_000);
    expect(served(pool, startMs + 10_000)).toEqual([1, 2, 3, 4, 5]);
  });

  it("engines that fail equally often stay, and so do those with few requests", () => {
    const pool = poolOf(6);
    for (const index of [0, 1, 2, 3, 4]) results(pool, index, 200, 40, startMs);
    results(pool, 5, 2, 2, startMs);
    succeeds(pool, 1, startMs + 10_000);
    expect(served(pool, startMs + 10_000)).toEqual([0, 1, 2, 3, 4, 5]);
  });
});

it.each<[FailureKind, string]>([
  ["unsent", "refused connections"],
  ["failed", "other failures"],
])(
  "an ejected engine is back once it serves a request that was sent after its ejection (%s)",
  (kind) => {
    const pool = poolOf(2);
    fails(pool, 0, 5, startMs, kind);
    succeeds(pool, 0, startMs + 100, 101);
    expect(pool.health.isFit(pool.engines[0]!, startMs + 100)).toBe(false);
    succeeds(pool, 0, startMs + 100, 99);
    expect(pool.health.isFit(pool.engines[0]!, startMs + 100)).toBe(true);
    expect(served(pool, startMs + 100)).toEqual([0, 1]);
  },
);
