/** Engines that leave stay until they have nothing to finish, and no longer; what operators drain stays drained. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Config, type ConfigInput, configSchema } from "../../../src/config/schema/schema.ts";
import { type DrainState, Drains } from "../../../src/control/discovery/drains.ts";
import { leavingLookMs, leavingMsMax } from "../../../src/control/limits.ts";
import { enginesOf } from "../../../src/pool/engines.ts";

type EngineInput = NonNullable<NonNullable<ConfigInput["pools"]>[string]["engines"]>[number];

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function configOf(...engines: readonly (string | EngineInput)[]): Config {
  const list = engines.map((one) => (typeof one === "string" ? { url: one } : one));
  return configSchema.parse({
    pools: { p: { engines: list } },
    servers: [{ listen: [{ port: 80 }], routes: [] }],
  });
}

function drainsOf(before?: DrainState) {
  const busy = new Set<string>();
  const lines: string[] = [];
  let left = 0;
  let nowMs = 1_000;
  const drains = new Drains(
    {
      log: (_, line) => void lines.push(line),
      drained: () => {},
      left: () => {
        left += 1;
      },
      isBusy: (identity) => busy.has(identity),
      wallMs: () => nowMs,
    },
    before,
  );
  const names = (config: Config) =>
    enginesOf(drains.resolve(config).pools["p"]!).map(
      ({ name, config: { draining } }) => name + (draining ? " drains" : ""),
    );
  const pass = (ms: number) => {
    nowMs += ms;
    vi.advanceTimersByTime(ms);
  };
  return { drains, busy, lines, names, pass, left: () => left };
}

describe("an engine that no source names any more", () => {
  it("stays as long as it has something to finish, as one that drains", () => {
    const { names, busy, pass, left, drains } = drainsOf();
    expect(names(configOf("a:1", "b:1"))).toEqual(["a:1", "b:1"]);
    busy.add("p b:1");
    const without = configOf("a:1");
    expect(names(without)).toEqual(["a:1", "b:1 drains"]);
    expect(drains.all.get("p b:1")).toEqual({ why: "removed", sinceMs: 1_000 });
    pass(10 * leavingLookMs);
    expect(left()).toBe(0);
    expect(names(without)).toEqual(["a:1", "b:1 drains"]);
    busy.clear();
    pass(leavingLookMs);
    expect(left()).toBe(1);
    expect(names(without)).toEqual(["a:1"]);
    expect(drains.all.size).toBe(0);
  });

  it("that is idle gets the time in which a worker may have given it a request", () => {
    const { names, pass, left } = drainsOf();
    names(configOf("a:1", "b:1"));
    expect(names(configOf("a:1"))).toEqual(["a:1", "b:1 drains"]);
    expect(left()).toBe(0);
    pass(leavingLookMs);
    expect(left()).toBe(1);
  });

  it("is let go after a time all the same", () => {
    const { names, busy, pass, left, lines } = drainsOf();
    names(configOf("a:1"));
    busy.add("p a:1");
    names(configOf());
    pass(leavingMsMax + 2 * leavingLookMs);
    expect(left()).toBe(1);
    expect(lines.at(-1)).toContain("it has had requests in flight for 60 minutes");
  });

  it("takes requests again if a source names it again, and its pool may be taken away", () => {
    const { names, busy, drains } = drainsOf();
    names(configOf("a:1", "b:1"));
    busy.add("p b:1");
    names(configOf("a:1"));
    expect(names(configOf("a:1", "b:1"))).toEqual(["a:1", "b:1"]);
    names(configOf("a:1"));
    const { pools, ...rest } = configOf();
    drains.resolve({ ...rest, pools: { q: pools["p"]! } });
    expect(drains.all.size).toBe(0);
  });

  it("keeps its settings, and may be one rank of several, or a unix socket", () => {
    const { drains, busy } = drainsOf();
    const engine = { url: "a:1@0-2?bootstrap_port=9", weight: 3, attributes: { pp_size: "2" } };
    drains.resolve(configOf(engine, "unix:/tmp/e"));
    busy.add("p a:1@2").add("p unix:/tmp/e");
    const { engines } = drains.resolve(configOf("a:1@0-1")).pools["p"]!;
    expect(engines.slice(1)).toMatchObject([
      {
        url: "http://a:1@2",
        weight: 3,
        draining: true,
        attributes: { bootstrap_port: "9", pp_size: "2" },
      },
      { url: "unix:/tmp/e", draining: true },
    ]);
  });
});

describe("what an operator drains", () => {
  it("is one rank, or all of an address, until it is undrained", () => {
    const { drains, names } = drainsOf();
    names(configOf("a:1@0-1", "b:1"));
    expect(drains.drain("p", "a:1")).toBe(true);
    expect([...drains.all.keys()]).toEqual(["p a:1@0", "p a:1@1"]);
    expect(drains.undrain("p", "a:1@0")).toBe(true);
    expect([...drains.all.keys()]).toEqual(["p a:1@1"]);
    expect(drains.drain("p", "c:1")).toBe(false);
    expect(drains.drain("q", "a:1")).toBe(false);
  });

  it("stays drained over reloads and for the process that takes over, and not beyond its engine", () => {
    const first = drainsOf();
    first.names(configOf("a:1", "b:1"));
    first.drains.drain("p", "a:1");
    first.names(configOf("a:1"));
    const next = drainsOf(JSON.parse(JSON.stringify(first.drains.state)) as DrainState);
    next.names(configOf("a:1"));
    expect([...next.drains.all.values()]).toEqual([{ why: "operator", sinceMs: 1_000 }]);
    next.names(configOf("c:1"));
    next.pass(leavingLookMs);
    next.names(configOf("a:1"));
    expect(next.drains.all.has("p a:1")).toBe(false);
  });
});
