/** docs/nginx.md matches the tables of directives, and its example is a configuration. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { nginxDirectivesMarkdown } from "../../../src/config/docs/nginx-page.ts";
import { allDirectives, named } from "../../../src/config/nginx/directives/registry.ts";
import { problemsOf } from "../nginx/in-memory.ts";

it("docs/nginx.md is current: npm run docs writes it", () => {
  expect(readFileSync("docs/nginx.md", "utf8")).toBe(nginxDirectivesMarkdown());
});

it("the example loads without a problem", () => {
  const examples = [...nginxDirectivesMarkdown().matchAll(/```nginx\n(.*?)```/gs)];
  expect(examples).toHaveLength(1);
  for (const [, text] of examples) expect(problemsOf(text!)).toEqual([]);
});

it("no two directives of one name may stand in the same block", () => {
  for (const { name } of allDirectives) {
    const contexts = named(name).flatMap((directive) => directive.contexts);
    expect(new Set(contexts).size, name).toBe(contexts.length);
    if (named(name).length > 1)
      expect(named(name).every((one) => one.contexts.length > 0)).toBe(true);
  }
});
