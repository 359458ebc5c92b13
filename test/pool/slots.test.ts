/** Load stays with its engine: whatever a reload adds, drops or moves, an engine that stays keeps its slot. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Config, configSchema } from "../../src/config/schema/schema.ts";
import { engineIdentity, SlotTable } from "../../src/pool/slots.ts";

function configOf(pools: Readonly<Record<string, readonly string[]>>): Config {
  return configSchema.parse({
    pools: Object.fromEntries(
      Object.entries(pools).map(([name, urls]) => [
        name,
        { engines: urls.map((url) => ({ url })) },
      ]),
    ),
    servers: [{ listen: [{ port: 1 }], routes: [] }],
  });
}

it("one engine written in several ways is one identity, and in two pools it is two", () => {
  const written = ["http://a:80/", "a", "http://a:80?bootstrap_port=8998"];
  for (const url of written) {
    expect(Object.keys(tableOf(1, [configOf({ p: [url] })]).assigned[0]!)).toEqual(["p a:80"]);
  }
  expect(engineIdentity("p", "a")).not.toBe(engineIdentity("d", "a"));
  const { assigned } = tableOf(4, [configOf({ p: ["a:1"], d: ["a:1"] })]);
  expect(new Set(Object.values(assigned[0]!)).size).toBe(2);
});

it("each data-parallel rank has a slot of its own, and keeps it when the range grows", () => {
  const { assigned } = tableOf(8, [configOf({ p: ["a:80@0-1"] }), configOf({ p: ["a:80@0-3"] })]);
  expect(Object.keys(assigned[0]!)).toEqual(["p a:80@0", "p a:80@1"]);
  expect(new Set(Object.values(assigned[1]!)).size).toBe(4);
  expect(assigned[1]).toMatchObject(assigned[0]!);
});

function tableOf(capacity: number, configs: readonly Config[]) {
  const cleared: number[] = [];
  const table = new SlotTable(capacity, (slot) => cleared.push(slot));
  return { table, cleared, assigned: configs.map((config) => table.assign(config)) };
}

describe("a reload", () => {
  it("leaves an engine its slot when others come before it, or go", () => {
    const { assigned, cleared } = tableOf(8, [
      configOf({ p: ["a:1", "b:1"] }),
      configOf({ d: ["x:1"], p: ["c:1", "b:1", "a:1"] }),
      configOf({ p: ["b:1"] }),
    ]);
    const [one, two, three] = assigned;
    for (const id of ["p a:1", "p b:1"]) expect(two![id]).toBe(one![id]);
    expect(three).toEqual({ "p b:1": one!["p b:1"] });
    // A slot is cleared when it is given out, once, and never while its engine has it.
    expect(cleared.toSorted()).toEqual([0, 1, 2, 3]);
  });

  it("keeps what is not released, so that requests in flight close where they were opened", () => {
    const { table } = tableOf(8, [configOf({ p: ["a:1"] }), configOf({ p: ["b:1"] })]);
    expect(new Map(table.identities()).size).toBe(2);
    table.release("p a:1");
    expect([...table.identities()].map(([id]) => id)).toEqual(["p b:1"]);
  });
});

it("gives a freed slot to a newcomer, cleared, and releases only once", () => {
  const { table, cleared } = tableOf(2, [configOf({ p: ["a:1", "b:1"] })]);
  table.release("p a:1");
  table.release("p a:1");
  table.release("p unknown");
  expect(table.assign(configOf({ p: ["b:1", "c:1"] }))).toEqual({ "p b:1": 1, "p c:1": 0 });
  expect(cleared).toEqual([0, 1, 0]);
  expect(() => table.assign(configOf({ p: ["b:1", "c:1", "d:1"] }))).toThrow("more than 2 engines");
});

it("takes a smaller configuration after one that did not fit", () => {
  const { table } = tableOf(2, [configOf({ p: ["a:1"] })]);
  expect(() => table.assign(configOf({ p: ["a:1", "b:1", "c:1"] }))).toThrow();
  for (const [id] of [...table.identities()]) if (id !== "p a:1") table.release(id);
  expect(table.assign(configOf({ p: ["a:1", "d:1"] }))).toEqual({ "p a:1": 0, "p d:1": 1 });
});

it("no two engines share a slot and none is out of range, over any reloads", () => {
  const urls = fc.uniqueArray(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(fc.array(fc.record({ p: urls, d: urls }), { maxLength: 12 }), (reloads) => {
      const table = new SlotTable(24, () => {});
      let before: Readonly<Record<string, number>> = {};
      for (const { p, d } of reloads) {
        const config = configOf({ p: p.map((n) => `h:${n}`), d: d.map((n) => `h:${n}`) });
        const now = table.assign(config);
        const all = [...table.identities()];
        expect(new Set(all.map(([, slot]) => slot)).size).toBe(all.length);
        for (const [id, slot] of Object.entries(now)) {
          expect(slot).toBeLessThan(24);
          if (id in before) expect(slot).toBe(before[id]);
        }
        for (const [id] of all) if (!(id in now)) table.release(id);
        before = now;
      }
    }),
    { seed: 6, numRuns: 150 },
  );
});
