/**
 * Tenants that share engines: one that asks for much must not starve the others, and one that was away has saved up
 * nothing.
 */
import { expect, it } from "vitest";
import { TenantShares } from "../../../../src/queue/orderings/shared/tenant-shares.ts";

it("one that has had more is ahead of one that waits as well, and of nobody when alone", () => {
  const shares = new TenantShares();
  shares.add("a");
  shares.add("a");
  shares.remove("a", 500);
  expect(shares.compare()).toBe(false);
  shares.add("b");
  expect(shares.compare()).toBe(true);
  expect([shares.leadMs("a"), shares.leadMs("b")]).toEqual([0, 0]);
  shares.add("a");
  shares.remove("a", 300);
  shares.compare();
  expect([shares.leadMs("a"), shares.leadMs("b")]).toEqual([300, 0]);
});

it("one that comes back after a pause begins where the least served one is", () => {
  const shares = new TenantShares();
  shares.add("early");
  shares.remove("early", 10);
  for (let i = 0; i < 10; i += 1) {
    shares.add("busy");
    shares.remove("busy", 100);
  }
  shares.add("busy");
  shares.add("early");
  expect(shares.compare()).toBe(true);
  // Else it would go before the other one for a whole second of prefill.
  expect(shares.leadMs("busy")).toBe(0);
});

it("what leaves without having been served costs its tenant nothing", () => {
  const shares = new TenantShares();
  shares.add("a");
  shares.add("b");
  shares.add("a");
  shares.remove("a", 0);
  shares.compare();
  expect([shares.leadMs("a"), shares.leadMs("b")]).toEqual([0, 0]);
});

it("as many tenants as there may be keep those that wait", () => {
  const shares = new TenantShares();
  shares.add("waits");
  for (let i = 0; i < 5_000; i += 1) {
    shares.add(`t${i}`);
    shares.remove(`t${i}`, 1);
  }
  shares.add("other");
  shares.remove("waits", 7);
  shares.add("waits");
  shares.compare();
  expect(shares.leadMs("waits")).toBeLessThanOrEqual(7);
});

it("a tenant of twice the weight gets twice the prefill of another", () => {
  const shares = new TenantShares();
  const weights = { heavy: 2, light: 1 };
  const servedMs = { heavy: 0, light: 0 };
  const names = ["heavy", "light"] as const;
  for (const name of names) shares.add(name);
  for (let i = 0; i < 300; i += 1) {
    shares.compare();
    const [heavy, light] = names.map((name) => shares.leadMs(name)) as [number, number];
    const next = heavy <= light ? "heavy" : "light";
    servedMs[next] += 10;
    // Each always has one that waits.
    shares.add(next);
    shares.remove(next, 10, weights[next]);
  }
  expect(servedMs.heavy / servedMs.light).toBeCloseTo(2, 1);
});
