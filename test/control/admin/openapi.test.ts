/** The document of the admin listener: a client that is generated from it must get what it says. */
import { Validator } from "@seriousme/openapi-schema-validator";
import { expect, test } from "vitest";
import { adminRoutes } from "../../../src/control/admin/routes.ts";
import { adminDocument, problemsOf } from "../../support/openapi.ts";

test("the document is OpenAPI 3.1, and no reference leads nowhere", async () => {
  const validator = new Validator();
  const result = await validator.validate({ ...adminDocument });
  expect(result).toMatchObject({ valid: true });
  expect(validator.version).toBe("3.1");
  const refs = JSON.stringify(adminDocument).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g);
  const named = new Set([...refs].map(([, name]) => name!));
  expect(Object.keys(adminDocument.components.schemas)).toEqual(expect.arrayContaining([...named]));
  expect(named.size).toBeGreaterThan(15);
});

test("each route is described once, under a name of its own", () => {
  const keys = adminRoutes.map(({ method, path }) => `${method} ${path}`);
  expect(new Set(keys).size).toBe(keys.length);
  expect(new Set(adminRoutes.map(({ id }) => id)).size).toBe(keys.length);
  for (const { method, path, id } of adminRoutes) {
    expect(adminDocument.paths[path]![method.toLowerCase()]).toMatchObject({ operationId: id });
  }
});

test("a response with a member that is not described is found", () => {
  const body = { status: "ok", workers: { alive: 1, configured: 1 } };
  const of = (value: object) =>
    problemsOf("GET", "/admin/live", { status: 200, body: JSON.stringify(value) });
  expect(of(body)).toEqual([]);
  expect(of({ ...body, more: 1 })).toHaveLength(1);
  expect(of({ ...body, status: "fine" })).toHaveLength(1);
});
