import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { nginxDirectivesMarkdown } from "../../../src/config/docs/nginx-page.ts";
import { allDirectives, named } from "../../../src/config/nginx/directives/registry.ts";

it("docs/nginx.md is what the table of directives says: node scripts/docs-nginx.ts writes it", () => {
  expect(readFileSync("docs/nginx.md", "utf8")).toBe(nginxDirectivesMarkdown());
});

it("no directive is in the table twice for one block", () => {
  for (const { name } of allDirectives) {
    const contexts = named(name).flatMap((directive) => directive.contexts);
    expect(new Set(contexts).size, name).toBe(contexts.length);
    if (named(name).length > 1)
      expect(named(name).every((one) => one.contexts.length > 0)).toBe(true);
  }
});
