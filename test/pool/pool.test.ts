/** Which engines a request may get: nginx's rules for failures, backups and bounds. */
import { beforeEach, describe, expect, it } from "vitest";
import { type ConfigInput, configSchema } from "../../src/config/schema/schema.ts";
import { hasOther } from "../../src/pool/other-engines.ts";
import { type Placement, Pool } from "../../src/pool/pool.ts";
import { SlotTable } from "../../src/pool/slots.ts";
import { createScoreboardMemory, Scoreboard } from "../../src/scoreboard/scoreboard.ts";

type EngineInput = NonNullable<NonNullable<ConfigInput["pools"]>[string]["engines"]>[number];

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
function poolsOf(
  engines: readonly Partial<EngineInput>[],
  policy: { name: "round_robin" | "least_conn" } = { name: "round_robin" },
): [Pool, Pool] {
  const config = configSchema.parse({
    pools: {
      p: {
        policy,
        ejection: { rule: "max_fails" },
        engines: engines.map((engine, i) => ({ url: `e${i}:1`, ...engine })),
      },
    },
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

function placed(pool: Pool, nowMs = 0, tried: readonly number[] = []): Placement {
  const placement = pool.place(request, tried, nowMs);
  if (typeof placement === "string") expect.unreachable(placement);
  return placement as Placement;
}

/** Places and ends a request; the engine's number, or why there is none. */
function visit(pool: Pool, nowMs = 0, tried: readonly number[] = []): number | string {
  const placement = pool.place(request, tried, nowMs);
  if (typeof placement === "string") return placement;
  placement.lease.close();
  return placement.engine.index;
}

const visits = (pool: Pool, nowMs: number, count: number) =>
  new Set(Array.from({ length: count }, () => visit(pool, nowMs)));

describe("failures", () => {
  it("rest an engine for failTimeoutMs, on every worker", () => {
    const [pool, other] = poolsOf([{ failTimeoutMs: 1_000 }, {}]);
    pool.failed(pool.engines[0]!, 5_000);
    expect(visits(pool, 5_001, 6)).toEqual(new Set([1]));
    expect(visits(other, 6_000, 6)).toEqual(new Set([1]));
    expect(visits(other, 6_001, 6)).toEqual(new Set([0, 1]));
  });

  it("with one engine's KV cache do not rest it at once, nor while that engine fails itself", () => {
    const pool = poolOf([{}, {}, {}, {}]);
    const [victim, source, other] = pool.engines;
    for (const at of [0, 999]) pool.failed(victim!, at, source);
    expect(visits(pool, 1_000, 8)).toContain(0);
    // Somebody else finds that the source is dead.
    pool.failed(source!, 1_000);
    pool.failed(victim!, 5_000, source);
    expect(visits(pool, 5_001, 8)).toContain(0);
    pool.failed(victim!, 5_002, other);
    expect(visits(pool, 5_003, 8)).not.toContain(0);
  });

  it("with one engine's KV cache rest it when they go on while that engine serves", () => {
    const pool = poolOf([{}, {}, {}]);
    const [victim, source] = pool.engines;
    for (const at of [0, 1_000]) pool.failed(victim!, at, source);
    expect(visits(pool, 1_001, 8)).not.toContain(0);
  });

  it("rest it only when there are maxFails of them", () => {
    const pool = poolOf([{ maxFails: 3 }, {}]);
    for (const at of [1, 2]) pool.failed(pool.engines[0]!, at);
    expect(visits(pool, 3, 6)).toEqual(new Set([0, 1]));
    pool.failed(pool.engines[0]!, 3);
    expect(visits(pool, 4, 6)).toEqual(new Set([1]));
  });

  it("never rest it with maxFails 0, nor the only engine of a pool", () => {
    const some = poolOf([{ maxFails: 0 }, {}]);
    const single = poolOf([{}]);
    for (let n = 0; n < 5; n += 1) {
      some.failed(some.engines[0]!, n);
      single.failed(single.engines[0]!, n);
    }
    expect(visits(some, 5, 6)).toEqual(new Set([0, 1]));
    expect(visits(single, 5, 6)).toEqual(new Set([0]));
  });

  it("of all engines leave none, until the first has rested", () => {
    const pool = poolOf([{ failTimeoutMs: 100 }, { failTimeoutMs: 200 }]);
    for (const engine of pool.engines) pool.failed(engine, 0);
    expect(visit(pool, 100)).toBe("no-healthy-engine");
    expect(visits(pool, 101, 1)).toEqual(new Set([0]));
  });
});

describe("after the rest", () => {
  it("one request probes while the others stay away; its success clears the engine", () => {
    const pool = poolOf([{ failTimeoutMs: 100 }, {}]);
    const [engine] = pool.engines;
    pool.failed(engine!, 0);
    const probes = Array.from({ length: 6 }, () => placed(pool, 101));
    expect(probes.filter((probe) => probe.engine === engine)).toHaveLength(1);
    pool.succeeded(engine!, 0, 0);
    expect(visits(pool, 102, 6)).toEqual(new Set([0, 1]));
  });

  it("a probe that fails rests it anew", () => {
    const pool = poolOf([{ failTimeoutMs: 100 }, {}]);
    const [engine] = pool.engines;
    pool.failed(engine!, 0);
    expect(visits(pool, 101, 4)).toEqual(new Set([0, 1]));
    pool.failed(engine!, 150);
    expect(visits(pool, 250, 6)).toEqual(new Set([1]));
    expect(visits(pool, 251, 6)).toEqual(new Set([0, 1]));
  });

  it("a success of before the failure does not clear it", () => {
    const pool = poolOf([{ failTimeoutMs: 100 }, {}]);
    const [engine] = pool.engines;
    placed(pool, 0);
    pool.failed(engine!, 10);
    pool.succeeded(engine!, 0, 0);
    expect(visits(pool, 50, 6)).toEqual(new Set([1]));
  });

  it("failures that are further apart than failTimeoutMs do not add up, when one succeeds between", () => {
    const pool = poolOf([{ maxFails: 2, failTimeoutMs: 100 }, {}]);
    const [engine] = pool.engines;
    pool.failed(engine!, 0);
    expect(visits(pool, 200, 2)).toEqual(new Set([0, 1]));
    pool.succeeded(engine!, 0, 0);
    pool.failed(engine!, 210);
    expect(visits(pool, 220, 4)).toEqual(new Set([0, 1]));
  });
});

describe("an engine", () => {
  it("that is down is never used, also when it is the last", () => {
    const pool = poolOf([{ down: true }, {}]);
    expect(visits(pool, 0, 4)).toEqual(new Set([1]));
    expect(visit(pool, 0, [1])).toBe("no-healthy-engine");
  });

  it("that was tried is not tried again", () => {
    const pool = poolOf([{}, {}, {}]);
    expect(visit(pool, 0, [0, 2])).toBe(1);
    expect(visit(pool, 0, [2, 0, 1])).toBe("no-healthy-engine");
  });

  it("that is a backup is used when no other is fit, and only then", () => {
    const pool = poolOf([{}, { backup: true }, { maxConns: 1 }]);
    expect(visits(pool, 0, 6)).toEqual(new Set([0, 2]));
    expect(visit(pool, 0, [0, 2])).toBe(1);
    pool.failed(pool.engines[0]!, 0);
    const full = placed(pool, 1);
    expect(full.engine.index).toBe(2);
    expect(visit(pool, 1)).toBe(1);
    full.lease.close();
    expect(visit(pool, 1)).toBe(2);
  });
});

describe("maxConns", () => {
  it("bounds the requests of all workers together", () => {
    const [pool, other] = poolsOf([{ maxConns: 2 }]);
    const leases = [placed(pool).lease, placed(other).lease];
    expect([visit(pool), visit(other)]).toEqual(["at-capacity", "at-capacity"]);
    leases[1]!.close();
    expect(visit(pool)).toBe(0);
  });

  it("sends a request on to an engine that has a place", () => {
    const pool = poolOf([{ maxConns: 1 }, { maxConns: 1 }]);
    expect([placed(pool), placed(pool)].map(({ engine }) => engine.index).sort()).toEqual([0, 1]);
    expect(visit(pool)).toBe("at-capacity");
  });

  it("says at-capacity while a live engine is full, and no-healthy-engine when none is alive", () => {
    const pool = poolOf([{ maxConns: 1 }, {}, { down: true }]);
    pool.failed(pool.engines[1]!, 0);
    const { lease } = placed(pool, 1);
    expect(visit(pool, 1)).toBe("at-capacity");
    expect(visit(pool, 1, [0])).toBe("no-healthy-engine");
    lease.close();
    expect(visit(pool, 1)).toBe(0);
  });

  it("of backups counts as well", () => {
    const pool = poolOf([{ down: true }, { backup: true, maxConns: 1 }]);
    expect(placed(pool).engine.index).toBe(1);
    expect(visit(pool)).toBe("at-capacity");
  });

  it("of the primaries is what is said when the backups are dead", () => {
    const pool = poolOf([{ maxConns: 1 }, { backup: true, down: true }]);
    placed(pool);
    expect(visit(pool)).toBe("at-capacity");
  });
});

it("a placement holds one place and the bytes of its request until its lease closes", () => {
  const pool = poolOf([{}]);
  const { lease, engine } = placed(pool);
  expect([pool.board.inFlight(engine.slot), pool.board.promptBytes(engine.slot)]).toEqual([1, 10]);
  lease.close();
  expect([pool.board.inFlight(engine.slot), pool.board.promptBytes(engine.slot)]).toEqual([0, 0]);
});

describe("what is found out about an engine", () => {
  const discovered = (isReady: boolean, attributes = {}) => ({ "p e0:1": { isReady, attributes } });

  it("keeps requests away from one that is not ready, and brings them back", () => {
    const pool = poolOf([{}, {}]);
    pool.applyDiscovered(discovered(false));
    expect(visits(pool, 0, 6)).toEqual(new Set([1]));
    expect(hasOther({ pool, tried: [1], holders: undefined }, 0)).toBe(false);
    pool.applyDiscovered(discovered(true));
    expect(visits(pool, 0, 6)).toEqual(new Set([0, 1]));
    const alone = poolOf([{}]);
    alone.applyDiscovered(discovered(false));
    expect([visit(alone), alone.vacancy(0)]).toEqual(["no-healthy-engine", "no-healthy-engine"]);
  });

  it("counts less than what the configuration says, and is forgotten when it is not known any more", () => {
    const pool = poolOf([{ url: "e0:1?dp_size=2", attributes: { tp_size: "4" } }]);
    pool.applyDiscovered(discovered(true, { dp_size: "8", engine_id: "x" }));
    const said = { dp_size: "2", tp_size: "4" };
    expect(pool.engines[0]!.info.attributes).toEqual({ ...said, engine_id: "x" });
    pool.applyDiscovered({});
    expect(pool.engines[0]!.info.attributes).toEqual(said);
  });
});

it("each data-parallel rank is an engine with its own load, at an address that all share", () => {
  const pool = poolOf([{ url: "h:1@0-2", maxConns: 1 }]);
  const placements = [0, 1, 2].map(() => placed(pool));
  expect(new Set(placements.map(({ engine }) => engine.info.dpRank))).toEqual(new Set([0, 1, 2]));
  expect(new Set(placements.map(({ engine }) => engine.address.key))).toEqual(new Set(["h:1"]));
  expect(pool.place(request, [], 0)).toBe("at-capacity");
});

describe("slow start", () => {
  const slow = { slowStartMs: 10_000 };
  /** Shares of 1,000 requests that all last, so that each engine's part is its weight's. */
  function sharesOf(pool: Pool, nowMs: number): number[] {
    const counts = new Array<number>(pool.size).fill(0);
    const places = Array.from({ length: 1_000 }, () => placed(pool, nowMs));
    for (const { engine, lease } of places) {
      counts[engine.index]! += 1;
      lease.close();
    }
    return counts.map((count) => count / 1_000);
  }

  it.each(["round_robin", "least_conn"] as const)(
    "%s: an engine that is back from failures has little at first, then its part",
    (name) => {
      const pool = poolOf([slow, slow, slow], { name });
      expect(sharesOf(pool, 1)[1]).toBeCloseTo(1 / 3, 1);
      expect(sharesOf(pool, 20_000)[1]).toBeCloseTo(1 / 3, 1);
      pool.failed(pool.engines[1]!, 20_000);
      expect(sharesOf(pool, 20_001)[1]).toBe(0);
      // Its probe has gone well.
      const probe = placed(pool, 31_000, [0, 2]);
      pool.succeeded(probe.engine, 0, 0);
      probe.lease.close();
      placed(pool, 31_001).lease.close();
      expect(sharesOf(pool, 31_002)[1]).toBeLessThan(0.1);
      expect(sharesOf(pool, 36_001)[1]).toBeCloseTo(0.5 / 2.5, 1);
      expect(sharesOf(pool, 50_000)[1]).toBeCloseTo(1 / 3, 1);
    },
  );

  it("an engine that a reload adds has little at first, for every worker; those that stay keep their part", () => {
    const [first] = poolsOf([slow, slow]);
    sharesOf(first, 1_000);
    const [, other] = poolsOf([slow, slow, slow]);
    const shares = sharesOf(other, 20_000);
    expect(shares[2]).toBeLessThan(0.1);
    expect(shares[0]).toBeCloseTo(shares[1]!, 1);
  });

  it("without it an engine has its part at once", () => {
    const pool = poolOf([{}, {}]);
    pool.failed(pool.engines[1]!, 0);
    placed(pool, 20_000, [0]).lease.close();
    pool.succeeded(pool.engines[1]!, 0, 0);
    expect(sharesOf(pool, 20_001)[1]).toBeCloseTo(0.5, 1);
  });
});

describe("an engine that drains", () => {
  it("gets nothing new, not as the last resort, and no probe after an ejection", () => {
    const pool = poolOf([{ draining: true }, {}, { backup: true, draining: true }]);
    for (let i = 0; i < 4; i += 1) expect(visit(pool)).toBe(1);
    expect(visit(pool, 0, [pool.engines[1]!.slot])).toBe("no-healthy-engine");
    expect(pool.vacancy(0)).toBeUndefined();
    expect(hasOther({ pool, tried: [pool.engines[1]!.slot], holders: undefined }, 0)).toBe(false);
    pool.applyDiscovered({ "p e1:1": { isReady: true, isDraining: true, attributes: {} } });
    expect(visit(pool)).toBe("no-healthy-engine");
    expect(pool.vacancy(0)).toBe("no-healthy-engine");
    pool.applyDiscovered({});
    expect(visit(pool)).toBe(1);
  });

  it("gets what only it can serve", () => {
    const pool = poolOf([{ draining: true }, {}]);
    const bound = pool.place({ ...request, requiredEngine: 0 }, [], 0);
    expect(bound).toMatchObject({ engine: { index: 0 } });
  });

  it("leaves the other one of its pool alone: that one is not ejected", () => {
    const pool = poolOf([{ draining: true }, { maxFails: 1 }]);
    const { engine, lease } = placed(pool);
    pool.failed(engine, 0);
    lease.close();
    expect(visit(pool)).toBe(1);
  });
});

describe("requests that began before a reload", () => {
  const next = (old: Pool, urls: readonly string[]) => {
    const config = configSchema.parse({
      pools: { p: { engines: urls.map((url) => ({ url })) } },
      servers: [{ listen: [{ port: 1 }], routes: [] }],
    });
    const slots = { "p e0:1": 0, "p e1:1": 1, "p e5:1": 5 };
    const pool = new Pool("p", config.pools["p"]!, { board: old.board, slots, random: () => 0.5 });
    pool.adopt(old);
  };

  it("go to the engines that stay", () => {
    const old = poolOf([{}, {}]);
    next(old, ["e1:1", "e5:1"]);
    for (let i = 0; i < 4; i += 1) expect(visit(old)).toBe(1);
  });

  it("go where they would have gone, if none of the engines stays", () => {
    const old = poolOf([{}, {}]);
    next(old, ["e5:1"]);
    expect([visit(old), visit(old)].toSorted()).toEqual([0, 1]);
  });
});
