/** A policy that docs/policies.md does not describe as it is cannot be found by those who need it. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { policies } from "../../src/policies/registry.ts";

const page = readFileSync("docs/policies.md", "utf8");

it.each(policies.map((policy) => [policy.name, policy] as const))(
  "%s: its row says when to use it, and its section has its options",
  (name, { when, options }) => {
    const row = page
      .split("\n")
      .find((line) => line.startsWith("|") && line.includes(`\`${name}\``));
    expect(row).toContain(when);
    const section = page.slice(page.indexOf(`### ${name}\n`)).split("\n### ")[0]!;
    for (const option of Object.keys(options)) expect(section).toContain(`\`${option}\``);
  },
);
