/** Every dialect of the registry keeps the contract, and the configuration knows all of them. */
import { describe, expect, it } from "vitest";
import { routeDialects } from "../../src/config/schema/dialects.ts";
import type { Dialect } from "../../src/dialects/dialect.ts";
import { allDialects, dialectOf } from "../../src/dialects/registry.ts";
import { testDefinition, testTransfers } from "./contract.ts";
import { requestOf, strippedBody } from "./legs.ts";

const all: readonly Dialect[] = allDialects;

describe.each(all.map((dialect) => [dialect.name, dialect] as const))(
  "dialect %s",
  (_, dialect) => {
    testDefinition(dialect);
    if (!dialect.servesWhole) testTransfers(dialect);
    else {
      it("transfers nothing, and gives an engine the client's body as it is", () => {
        const body = `{ "prompt":"x", "n":2 }`;
        expect(dialect.supports?.(requestOf(body))).toBe(false);
        expect(strippedBody(dialect, body)).toBe(body);
      });
    }
  },
);

it("no two dialects have one name", () => {
  expect(new Set(all.map(({ name }) => name)).size).toBe(all.length);
});

it("a configuration can name each of them, and `auto`, which is none", () => {
  expect(routeDialects).toEqual([...all.map(({ name }) => name), "auto"]);
  expect(dialectOf("auto")).toBeUndefined();
});
