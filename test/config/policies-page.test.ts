/** A policy that docs/policies.md does not name cannot be found by who needs it. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { policySchema } from "../../src/config/schema/policies.ts";

const rows = new Map(
  readFileSync("docs/policies.md", "utf8")
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .map((line) => [/`(\w+)`/.exec(line)![1]!, line]),
);

it("the table has a row for each policy, and no other", () => {
  const names = policySchema.options.map(({ shape }) => shape.name.value);
  expect([...rows.keys()].sort()).toEqual([...names].sort());
});

it.each(policySchema.options.map(({ shape }) => [shape.name.value, shape] as const))(
  "%s: its row has its options",
  (name, shape) => {
    const row = rows.get(name)!;
    for (const option of Object.keys(shape)) {
      if (option === "name" || row.includes("see configuration.md")) continue;
      expect(row).toContain(`\`${option}\``);
    }
  },
);
