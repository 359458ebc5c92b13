/** What every source of engines keeps to. A new kind is tested by its line in the registry, and its fixture. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { type Config, configSchema } from "../../../../src/config/schema/schema.ts";
import { sourceKinds } from "../../../../src/control/discovery/sources/registry.ts";
import type { SourceState } from "../../../../src/control/discovery/sources/source.ts";
import { Sources } from "../../../../src/control/discovery/sources/sources.ts";
import { eventually } from "../../../support/eventually.ts";
import { fixtures, type SourceFixture } from "./fixtures.ts";

const open: { close(): void }[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

it("each kind has a fixture", () => {
  expect(Object.keys(fixtures).toSorted()).toEqual(sourceKinds.toSorted());
});

interface Setup {
  readonly sources: Sources;
  readonly config: Config;
  readonly fixture: SourceFixture;
  readonly lines: string[];
  /** Of the pool, as a running proxy would have them. */
  urls(): string[];
  changes(): number;
}

async function setUp(
  fixture: SourceFixture,
  engines: readonly { url: string; weight?: number }[] = [],
  before?: readonly SourceState[],
): Promise<Setup> {
  const { sources: list, registrations = [] } = fixture;
  const config = configSchema.parse({
    pools: { p: { engines, sources: list } },
    registrations,
    servers: [{ listen: [{ port: 80 }], routes: [] }],
  });
  const lines: string[] = [];
  let changes = 0;
  const sources = new Sources(
    {
      log: (level, line) => void lines.push(`${level}: ${line}`),
      changed: () => {
        changes += 1;
      },
      nowMs: () => performance.now(),
    },
    before,
  );
  open.push(sources);
  await sources.open(config);
  sources.use(config);
  const urls = () => sources.resolve(config).pools["p"]!.engines.map(({ url }) => url);
  return { sources, config, fixture, lines, urls, changes: () => changes };
}

describe.each(sourceKinds)("%s", (kind) => {
  const start = async (engines?: Parameters<typeof setUp>[1]) => {
    const fixture = await fixtures[kind]!();
    open.push(fixture);
    return setUp(fixture, engines);
  };
  const has = (setup: Setup, ...hosts: readonly string[]) =>
    eventually(() => setup.urls().toSorted().join() === hosts.map(urlOf).join());
  const urlOf = (host: string) => `http://${host}:8000`;

  it("engines come and go as it says, each change is told, and nothing is told without one", async () => {
    const setup = await start();
    expect(setup.urls()).toEqual([]);
    setup.fixture.tell(["10.0.0.1", "10.0.0.2"], setup.sources);
    await has(setup, "10.0.0.1", "10.0.0.2");
    await eventually(() => setup.changes() > 0);
    setup.fixture.tell(["10.0.0.2", "10.0.0.3"], setup.sources);
    await has(setup, "10.0.0.2", "10.0.0.3");
    await sleep(150);
    const before = setup.changes();
    const order = setup.urls();
    setup.fixture.tell(["10.0.0.3", "10.0.0.2"], setup.sources);
    await sleep(400);
    expect(setup.urls().toSorted()).toEqual(order.toSorted());
    if (kind === "dns" || kind === "registration") expect(setup.changes()).toBe(before);
    setup.fixture.tell([], setup.sources);
    await has(setup);
    await eventually(() => setup.changes() > before);
    expect(setup.lines.filter((line) => line.startsWith("error") && kind !== "dns")).toEqual([]);
  });

  it("an engine that the configuration lists as well is one, with the settings of the configuration", async () => {
    const setup = await start([{ url: "http://10.0.0.1:8000", weight: 7 }]);
    setup.fixture.tell(["10.0.0.1", "10.0.0.2"], setup.sources);
    await has(setup, "10.0.0.1", "10.0.0.2");
    const [engine] = setup.sources.resolve(setup.config).pools["p"]!.engines;
    expect(engine).toMatchObject({ weight: 7 });
    const { sources } = setup.sources.poolOf(setup.config, "p");
    expect(sources.get("10.0.0.1:8000")).toHaveLength(2);
    expect(sources.get("10.0.0.2:8000")).toHaveLength(1);
    // It stays, since the configuration has it still.
    setup.fixture.tell([], setup.sources);
    await has(setup, "10.0.0.1");
  });

  it("what goes wrong keeps its engines, and says so once", async () => {
    const setup = await start();
    if (setup.fixture.spoil === undefined) return;
    setup.fixture.tell(["10.0.0.1"], setup.sources);
    await has(setup, "10.0.0.1");
    const { length } = setup.lines;
    setup.fixture.spoil();
    const problems = () => setup.lines.slice(length).filter((line) => /^(warn|error)/.test(line));
    await eventually(() => problems().length > 0);
    setup.fixture.spoil();
    await sleep(500);
    expect(setup.urls()).toEqual([urlOf("10.0.0.1")]);
    expect(problems()).toHaveLength(1);
    setup.fixture.tell(["10.0.0.2"], setup.sources);
    await has(setup, "10.0.0.2");
    expect(setup.lines.some((line) => line.includes("again"))).toBe(true);
  });

  it("the process that takes over has its engines, though it is wrong then", async () => {
    const setup = await start();
    setup.fixture.tell(["10.0.0.1"], setup.sources);
    await has(setup, "10.0.0.1");
    const state = JSON.parse(JSON.stringify(setup.sources.state)) as SourceState[];
    setup.fixture.spoil?.();
    // A listening socket is handed over as a descriptor, which only another process can take.
    const left = state.map(({ descriptor: _, ...one }) => one);
    setup.sources.suspend();
    const next = await setUp(setup.fixture, [], left);
    expect(next.urls()).toEqual([urlOf("10.0.0.1")]);
  });

  it("tells nothing once it is closed, and a configuration without it forgets its engines", async () => {
    const setup = await start();
    setup.fixture.tell(["10.0.0.1"], setup.sources);
    await has(setup, "10.0.0.1");
    if (kind !== "admin") {
      const without = configSchema.parse({
        pools: { p: { engines: [] } },
        servers: setup.config.servers,
      });
      await setup.sources.open(without);
      setup.sources.use(without);
      expect(setup.sources.resolve(without).pools["p"]!.engines).toEqual([]);
    }
    setup.sources.close();
    await sleep(150);
    const before = setup.changes();
    if (kind !== "admin") setup.fixture.tell(["10.0.0.5"], setup.sources);
    await sleep(300);
    expect(setup.changes()).toBe(before);
  });
});
