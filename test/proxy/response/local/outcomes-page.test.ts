/** An outcome that its page does not have is one that an operator cannot look up. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { outcomes } from "../../../../src/proxy/context/outcomes.ts";
import { outcomesPage } from "../../../../src/proxy/response/local/outcomes-page.ts";

const page = readFileSync("docs/outcomes.md", "utf8");

it("the page is what `npm run docs` writes", () => {
  expect(page).toBe(outcomesPage(page));
});

it.each(Object.values(outcomes))("$code is there once", ({ code }) => {
  expect(page.split(`\n| \`${code}\` |`)).toHaveLength(2);
});
