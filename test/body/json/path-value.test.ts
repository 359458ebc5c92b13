/** Guards against a value that is taken from the wrong place of a nested answer, cut, or rewritten. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KeyName } from "../../../src/body/json/key-name.ts";
import { type PathStep, valueAt } from "../../../src/body/json/path-value.ts";

const names = ["choices", "disaggregated_params", "usage", "a"];

function take(text: string, path: readonly (string | number)[]): string | undefined {
  const bytes = Buffer.from(text);
  const steps = path.map((step): PathStep => (typeof step === "number" ? step : new KeyName(step)));
  const span = valueAt(bytes, { start: 0, end: bytes.length }, steps);
  return span && bytes.toString("utf8", span.start, span.end);
}

/** What `JSON.parse` finds there, with what it makes of numbers. */
function parsedAt(text: string, path: readonly (string | number)[]): unknown {
  let value: unknown = JSON.parse(text);
  for (const step of path) {
    const fits = typeof step === "number" ? Array.isArray(value) : isObject(value);
    if (!fits || !Object.hasOwn(value as object, step)) return undefined;
    value = (value as Record<string | number, unknown>)[step];
  }
  return value;
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const { json } = fc.letrec<{ json: unknown }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(null, true, 0, -1.5e300),
    fc.string({ unit: "binary" }),
    fc.array(tie("json"), { maxLength: 4 }),
    fc.dictionary(fc.constantFrom(...names), tie("json"), { noNullPrototype: true }),
  ),
}));
const path = fc.array(fc.oneof(fc.constantFrom(...names), fc.nat(3)), { maxLength: 5 });

/** A path that leads somewhere in a value, by numbers that choose among what is there. */
function pathInto(value: unknown, choices: readonly number[]): (string | number)[] {
  const steps: (string | number)[] = [];
  let at = value;
  for (const choice of choices) {
    if (typeof at !== "object" || at === null) break;
    const keys = Array.isArray(at) ? [...at.keys()] : Object.keys(at);
    if (keys.length === 0) break;
    const key = keys[choice % keys.length]!;
    steps.push(key);
    at = (at as Record<string | number, unknown>)[key];
  }
  return steps;
}

describe("the value at the end of a path", () => {
  it("is the one that JSON.parse would read, wherever the path leads", () => {
    fc.assert(
      fc.property(json, path, fc.constantFrom(undefined, 1), (value, steps, space) => {
        const text = JSON.stringify(value, null, space);
        const taken = take(text, steps);
        const expected = parsedAt(text, steps);
        if (expected === undefined) expect(taken).toBeUndefined();
        else expect(JSON.parse(taken!)).toEqual(expected);
      }),
      { numRuns: 2000 },
    );
  });

  it("is found at any depth, as it was written", () => {
    const choices = fc.array(fc.nat(100), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(json, choices, (value, chosen) => {
        const text = JSON.stringify(value);
        const steps = pathInto(value, chosen);
        expect(take(text, steps)).toBe(JSON.stringify(parsedAt(text, steps)));
      }),
      { numRuns: 1000 },
    );
  });

  it.each([
    ['{"choices":[{"a":18446744073709551615}]}', ["choices", 0, "a"], "18446744073709551615"],
    ['{"choices":[ {"a":{"b":[1,"}]"]}} ]}', ["choices", 0, "a"], '{"b":[1,"}]"]}'],
    ['{"choices":[{"a":1,"\\u0061":2}]}', ["choices", 0, "a"], "2"],
    ['{"choices":[{"a":null}]}', ["choices", 0, "a"], "null"],
    ['{"choices":[{"a":null}]}', ["choices", 0, "a", "a"], undefined],
    ['{"choices":[{"a":1}]}', ["choices", 1, "a"], undefined],
    ['{"choices":{"0":{"a":1}}}', ["choices", 0, "a"], undefined],
    ['{"choices":[]}', ["choices", 0], undefined],
    ['{"choices":[{"a":1}', ["choices", 0, "a"], undefined],
    ["<html>choices</html>", ["choices"], undefined],
    ["", ["choices"], undefined],
    ["[7]", [], "[7]"],
  ] as const)("of %s at %j", (text, steps, expected) => {
    expect(take(text, steps)).toBe(expected);
  });
});
