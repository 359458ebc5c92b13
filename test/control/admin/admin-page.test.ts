/** The list of routes in the docs is that of the program. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { adminPage } from "../../../src/control/admin/admin-page.ts";

test("docs/admin.md lists the routes that are served (npm run docs)", () => {
  const page = readFileSync(new URL("../../../docs/admin.md", import.meta.url), "utf8");
  expect(page).toBe(adminPage(page));
});
