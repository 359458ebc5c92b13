/**
 * A policy that an operator wrote may be wrong: no request must suffer, and the operator must be told once what is
 * wrong.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { createPolicy, policyKeyTemplates, policyNeeds } from "../../src/policies/create-policy.ts";
import { loadPolicyModule } from "../../src/policies/custom-policy.ts";
import { among, poolOf, request } from "./pool-view.ts";

const folder = mkdtempSync(join(tmpdir(), "gp-policy-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;

function newFile(): string {
  files += 1;
  return join(folder, `${files}.mjs`);
}

function moduleOf(text: string, file = newFile()): string {
  writeFileSync(file, text);
  return file;
}

const definition = (create: string, more = "options: {}") =>
  `export default { name: "mine", summary: "s", when: "w", ${more}, create: ${create} };`;

async function custom(text: string, options: object = {}) {
  const module = moduleOf(text);
  const loaded = await loadPolicyModule(module);
  const pool = poolOf([1, 1, 1]);
  const faults: string[] = [];
  const chosen = { name: "custom", module, options } as const;
  const policy = createPolicy(chosen, { pool, random: () => 0.5 }, (fault) => faults.push(fault));
  const pick = () => policy.pick(among(pool, [0, 2]), request());
  return { loaded, chosen, pool, policy, faults, pick };
}

it("decides while it is right, by its options with their defaults", async () => {
  const { policy, pool, faults } = await custom(
    definition(
      "(_, { at }) => ({ pick: () => at })",
      `options: { at: { kind: "integer", default: 2, about: "a" } }`,
    ),
  );
  expect(policy.pick(among(pool), request())).toBe(2);
  expect(faults).toEqual([]);
});

describe.each([
  ["throws", "() => ({ pick() { throw new Error('boom') } })", /Error: boom/],
  ["picks an engine that cannot take the request", "() => ({ pick: () => 1 })", /returned 1,/],
  ["picks no number", "() => ({ pick: () => '0' })", /returned 0,/],
  ["is asynchronous", "() => ({ async pick() { throw new Error('late') } })", /a promise/],
  ["cannot be created", "() => { throw new Error('no') }", /Error: no/],
  ["is none", "() => ({})", /no policy/],
  [
    "reports bytes that would spoil the load",
    "() => ({ pick: () => 0, uncachedBytes: () => NaN })",
    /uncachedBytes returned NaN/,
  ],
  ["fails when told of a placement", "() => ({ pick: () => 0, assigned() { no() } })", /no is/],
])("a policy that %s", (_, create, fault) => {
  it("is replaced by least_conn for good, with one message", async () => {
    const { policy, pool, faults, pick } = await custom(definition(create));
    pool.board.take(pool.slots[0]!, 10, 0);
    for (let n = 0; n < 3; n += 1) {
      const engine = pick();
      const bytes = policy.uncachedBytes?.(engine, request()) ?? 0;
      expect(bytes).toBe(request().bytes);
      policy.assigned?.(engine, request());
      policy.ended?.(engine, 100);
    }
    expect(pick()).toBe(2);
    expect(faults).toEqual([expect.stringMatching(fault)]);
    expect(faults[0]).toContain("least_conn takes its place");
  });
});

describe("a module that is no policy", () => {
  it.each([
    ["export const x = 1;", /exports no policy/],
    [
      "export default { name: 'x', options: { a: { kind: 'nothing' } }, create() {} };",
      /exports no/,
    ],
    ["syntax error", /cannot be loaded: /],
    ["import './missing.mjs';", /cannot be loaded/],
  ])("%s", async (text, fault) => {
    const { loaded, faults, pick } = await custom(text);
    expect(loaded.fault).toMatch(fault);
    expect([0, 2]).toContain(pick());
    expect(faults).toEqual([expect.stringMatching(fault)]);
  });

  it("that does not exist", async () => {
    expect(await loadPolicyModule(join(folder, "none.mjs"))).toEqual({ fault: "does not exist" });
  });
});

it("a changed module is another policy when it is loaded again, and the same one otherwise", async () => {
  const file = moduleOf(definition("() => ({ pick: () => 0 })"));
  const first = await loadPolicyModule(file);
  expect((await loadPolicyModule(file)).definition).toBe(first.definition);
  moduleOf(definition("() => ({ pick: () => 2 })"), file);
  await loadPolicyModule(file);
  const pool = poolOf([1, 1, 1]);
  const chosen = { name: "custom", module: file, options: {} };
  const policy = createPolicy(chosen, { pool, random: () => 0 });
  expect(policy.pick(among(pool), request())).toBe(2);
});

it("what it needs and its key templates are known from its definition", async () => {
  const { chosen } = await custom(
    definition(
      "() => ({ pick: ({ engines }) => engines[0] })",
      `needs: { blocks: true }, options: { user: { kind: "template", default: "$http_x_user", about: "a" } }`,
    ),
  );
  expect(policyNeeds(chosen)).toEqual({ blocks: true });
  expect(policyKeyTemplates(chosen)).toEqual([{ option: "user", template: "$http_x_user" }]);
});
