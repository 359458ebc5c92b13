/** The list of differences says what cases show, and nothing else. */
import { expect, test } from "vitest";
import { type Difference, nginxDifferences } from "../../src/config/docs/nginx-differences.ts";
import { subjects } from "./cases/registry.ts";
import { differingCases } from "./verdicts/differing-cases.ts";

const differences: readonly Difference[] = nginxDifferences;
const shown = new Set<string>([
  ...subjects.flatMap(({ cases }) => cases.flatMap(({ differs }) => differs ?? [])),
  ...differingCases.map(([, difference]) => difference),
]);

test("a case shows each difference, or the list says why none does", () => {
  const unshown = differences.filter(({ id, unseen }) => unseen === undefined && !shown.has(id));
  expect(unshown.map(({ id }) => id)).toEqual([]);
  const needless = differences.filter(({ id, unseen }) => unseen !== undefined && shown.has(id));
  expect(needless.map(({ id }) => id)).toEqual([]);
});

test("each difference is listed once", () => {
  const ids = differences.map(({ id }) => id);
  expect(ids.filter((id, index) => ids.indexOf(id) !== index)).toEqual([]);
});
