/**
 * Guards against members found where there are none, missed where they are, and against bodies accepted or refused in
 * error.
 */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KeyName } from "../../../src/body/json/key-name.ts";
import { KeySet } from "../../../src/body/json/key-set.ts";
import type { JsonProblem } from "../../../src/body/json/problem.ts";
import { maxDepth } from "../../../src/body/json/token-ends.ts";
import { maxMembers, scanTopLevel, TopLevel } from "../../../src/body/json/top-level.ts";
import { meaning, names, objectText } from "../json-text.ts";

const members = new TopLevel();

function scan(text: string | Buffer): JsonProblem | undefined {
  const bytes = Buffer.from(text as string);
  return scanTopLevel(bytes, 0, bytes.length, members);
}

/** The scanned members as texts of key and value. */
function found(): [string, string][] {
  const { bytes } = members;
  return [...Array(members.count).keys()].map((i) => [
    bytes.toString("utf8", members.keyStart(i), members.keyEnd(i)),
    members.value(i).toString(),
  ]);
}

describe("a valid object", () => {
  it("yields the members as they were written, whatever the white space, escapes and nesting", () => {
    fc.assert(
      fc.property(objectText, ({ text, members: written }) => {
        expect(scan(text)).toBeUndefined();
        expect(found()).toEqual(written.map((m) => [m.key, m.value]));
        expect(members.bytes[members.objectStart]).toBe(0x7b);
        expect(members.bytes[members.objectEnd - 1]).toBe(0x7d);
        expect(Buffer.from(text).toString("utf8", members.objectEnd).trim()).toBe("");
      }),
      { numRuns: 1000 },
    );
  });

  it("finds names as JSON.parse reads them: escaped keys, duplicates, and none that is nested", () => {
    const keys = names.filter((name) => /^[\w.-]+$/.test(name)).map((name) => new KeyName(name));
    const some = new KeySet(["max_tokens", "n", "stream", "best_of", "kv_transfer_params"]);
    fc.assert(
      fc.property(objectText, ({ text, members: written }) => {
        scan(text);
        for (const key of keys) {
          const indexes: number[] = [];
          for (let i = members.indexOf(key); i >= 0; i = members.indexOf(key, i + 1)) {
            indexes.push(i);
          }
          const expected = [...written.keys()].filter((i) => written[i]!.name === key.text);
          expect(indexes).toEqual(expected);
          expect(members.lastIndexOf(key)).toBe(expected.at(-1) ?? -1);
        }
        const ofAny: number[] = [];
        for (let i = members.indexOfAny(some); i >= 0; i = members.indexOfAny(some, i + 1)) {
          ofAny.push(i);
        }
        const isOne = (name: string) => some.keys.some(({ text }) => text === name);
        expect(ofAny).toEqual([...written.keys()].filter((i) => isOne(written[i]!.name)));
      }),
      { numRuns: 1000 },
    );
  });

  it("is read within the bounds given, whatever the buffer holds around it", () => {
    fc.assert(
      fc.property(objectText, fc.string(), fc.string(), ({ text, members: written }, a, b) => {
        const before = Buffer.from(`${a}{"`);
        const body = Buffer.from(text);
        const bytes = Buffer.concat([before, body, Buffer.from(`"}${b}`)]);
        const end = before.length + body.length;
        expect(scanTopLevel(bytes, before.length, end, members)).toBeUndefined();
        expect(found()).toEqual(written.map((m) => [m.key, m.value]));
        expect([members.start, members.end]).toEqual([before.length, end]);
      }),
    );
  });

  it("may follow a byte order mark, as FastAPI engines allow", () => {
    expect(scan('\ufeff {"n":1}')).toBeUndefined();
    expect(members.objectStart).toBe(4);
    expect(found()).toEqual([['"n"', "1"]]);
  });

  it.each([0, 1, 2, 3, 4, 5])(
    "ends a string after %i backslashes and a quote as JSON does",
    (count) => {
      const run = "\\".repeat(count);
      for (const filler of ["", "x".repeat(62), "x".repeat(63), "x".repeat(64), "x".repeat(200)]) {
        const text = count % 2 ? `{"a":"${filler}${run}"}"}` : `{"a":"${filler}${run}"}`;
        expect(scan(text), text).toBeUndefined();
        expect(found()).toEqual([['"a"', text.slice(5, -1)]]);
      }
    },
  );

  it("may be as deep and as wide as the bounds", () => {
    expect(scan(`{"a":${"[".repeat(maxDepth)}${"]".repeat(maxDepth)}}`)).toBeUndefined();
    const wide = Array.from({ length: maxMembers }, (_, i) => `"${i}":${i}`);
    expect(scan(`{${wide}}`)).toBeUndefined();
    expect(members.count).toBe(maxMembers);
    expect(found().at(-1)).toEqual([`"${maxMembers - 1}"`, `${maxMembers - 1}`]);
  });
});

describe("what is no valid object", () => {
  it.each([
    ["", "truncated", 0],
    [" \n", "truncated", 2],
    ["{", "truncated", 1],
    ['{"a', "truncated", 3],
    ['{"a\\', "truncated", 4],
    ['{"a\\u12', "truncated", 7],
    ['{"a"', "truncated", 4],
    ['{"a":', "truncated", 5],
    ['{"a":t', "truncated", 6],
    ['{"a":1.', "truncated", 7],
    ['{"a":1', "truncated", 6],
    ['{"a":1,', "truncated", 7],
    ['{"a":"b\\"}', "truncated", 10],
    [`{"a":"${"b".repeat(200)}`, "truncated", 206],
    [`{"a":"${"b".repeat(200)}\\"}`, "truncated", 209],
    ['{"a":[{}', "truncated", 8],
    ["[]", "not_object", 0],
    ['"{}"', "not_object", 0],
    [" null", "not_object", 1],
    ["hello", "not_object", 0],
    ["\ufeff\ufeff{}", "not_object", 3],
    ["{}}", "trailing_bytes", 2],
    ["{} {}", "trailing_bytes", 3],
    ["{}\0", "trailing_bytes", 2],
    ["{,}", "malformed", 1],
    ['{"a":1,}', "malformed", 7],
    ['{"a":1,,"b":2}', "malformed", 7],
    ['{"a":1 "b":2}', "malformed", 7],
    ['{"a":1 {}}', "malformed", 7],
    ['{"a" 1}', "malformed", 5],
    ['{"a"::1}', "malformed", 5],
    ['{"a":}', "malformed", 5],
    ["{a:1}", "malformed", 1],
    ["{'a':1}", "malformed", 1],
    ["{{}:1}", "malformed", 1],
    ['{"a\n":1}', "malformed", 3],
    ['{"a\\x":1}', "malformed", 4],
    ['{"a\\u00g0":1}', "malformed", 7],
    ['{"a":tru}', "malformed", 8],
    ['{"a":truex}', "malformed", 9],
    ['{"a":NaN}', "malformed", 5],
    ['{"a":01}', "malformed", 6],
    ['{"a":+1}', "malformed", 5],
    ['{"a":-}', "malformed", 6],
    ['{"a":.5}', "malformed", 5],
    ['{"a":1.}', "malformed", 7],
    ['{"a":1e}', "malformed", 7],
    ['{"a":1e+}', "malformed", 8],
    ['{"a":0x1}', "malformed", 6],
    ['{"a":[}]}', "malformed", 6],
    ['{"a":{]}}', "malformed", 6],
    ['{"a":]}', "malformed", 5],
    ['{"a":[1]]}', "malformed", 8],
    ['{"a":1}//', "trailing_bytes", 7],
    ['{"a":1/**/}', "malformed", 6],
    ['{"a":1\v}', "malformed", 6],
    ['{"a":1\u00a0}', "malformed", 6],
    [`{"a":${"[".repeat(maxDepth + 1)}`, "too_deep", 5 + maxDepth],
  ])("%j is refused", (text, code, offset) => {
    expect(scan(text)).toMatchObject({ code, offset });
    expect(members.count).toBe(0);
  });

  it.each([1, 300])(
    "is truncated where the bounds are, though a string of %i ends behind",
    (length) => {
      const bytes = Buffer.from(`{"a":"${"x".repeat(length)}"}`);
      for (let end = 6; end < bytes.length; end++) {
        const problem = scanTopLevel(bytes, 0, end, members);
        expect(problem).toMatchObject({ code: "truncated", offset: end });
      }
    },
  );

  it("is refused when it has more members than are kept", () => {
    const wide = Array.from({ length: maxMembers + 1 }, () => '"":0');
    expect(scan(`{${wide}}`)).toMatchObject({ code: "too_many_members" });
  });

  it("is refused in UTF-16, where bytes would be misread", () => {
    expect(scan(Buffer.from('{"a":1}', "utf16le"))).toMatchObject({ code: "malformed" });
  });

  it("never has its bytes quoted to the client", () => {
    expect(JSON.stringify(scan('{"secret":s}'))).not.toContain("secret");
  });

  it("leaves no member of the body before it", () => {
    scan('{"n":1}');
    scan('{"n":1');
    expect(members.indexOf(new KeyName("n"))).toBe(-1);
  });
});

/** One damage to a body: bytes changed, put in, taken out, or the end cut off. */
const damage = fc.record({
  at: fc.nat(),
  kind: fc.constantFrom("change", "insert", "delete", "cut"),
  byte: fc.oneof(fc.constantFrom(...Buffer.from('{}[]":,\\ \n0e-.tfnu\0')), fc.nat(255)),
});

function damaged(
  bytes: Buffer,
  { at, kind, byte }: typeof damage extends fc.Arbitrary<infer T> ? T : never,
): Buffer {
  const i = at % (bytes.length + 1);
  const rest = kind === "insert" ? i : i + 1;
  const put = kind === "change" || kind === "insert" ? [byte] : [];
  const tail = kind === "cut" ? Buffer.alloc(0) : bytes.subarray(rest);
  return Buffer.concat([bytes.subarray(0, i), Buffer.from(put), tail]);
}

/** The body with each string and nested value replaced by 0: what the scanner answers for. */
function skeleton(): string {
  const parts: Buffer[] = [];
  let from = members.objectStart;
  for (let i = 0; i < members.count; i++) {
    if (!/["[{]/.test(String.fromCharCode(members.bytes[members.valueStart(i)]!))) continue;
    parts.push(members.bytes.subarray(from, members.valueStart(i)), Buffer.from("0"));
    from = members.valueEnd(i);
  }
  parts.push(members.bytes.subarray(from, members.end));
  return Buffer.concat(parts).toString();
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The scanner and JSON.parse must agree, save for what is documented to be left to the engine. */
function agrees(bytes: Buffer): void {
  const problem = scanTopLevel(bytes, 0, bytes.length, members);
  const text = bytes.toString();
  const object = parsed(text.replace(/^\ufeff/, ""));
  const isObject = typeof object === "object" && object !== null && !Array.isArray(object);
  if (problem !== undefined) {
    expect(isObject, `refused in error (${problem.code}): ${JSON.stringify(text)}`).toBe(false);
    expect(problem.offset).toBeLessThanOrEqual(bytes.length);
    return;
  }
  expect(parsed(skeleton()), `accepted in error: ${JSON.stringify(text)}`).toBeDefined();
  if (!isObject) return;
  const read = new Map<string, unknown>();
  for (const [key, value] of found()) read.set(JSON.parse(key), JSON.parse(value));
  expect(new Map([...read].sort(([a], [b]) => (a < b ? -1 : 1)))).toEqual(
    meaning(text.replace(/^\ufeff/, "")),
  );
}

describe("a damaged body", () => {
  it("is accepted with the meaning it has, or where the damage lies within a value", () => {
    fc.assert(
      fc.property(objectText, fc.array(damage, { minLength: 1, maxLength: 4 }), ({ text }, all) => {
        agrees(all.reduce(damaged, Buffer.from(text)));
      }),
      { numRuns: 5000 },
    );
  });

  it("is judged like JSON.parse judges it when made of nothing but structure", () => {
    const tokens = fc.constantFrom(
      ..."{}[],:",
      '"',
      '"a"',
      '"b"',
      "\\",
      " ",
      "0",
      "1",
      "-",
      "true",
      "null",
    );
    fc.assert(
      fc.property(fc.array(tokens, { maxLength: 14 }), (parts) => {
        agrees(Buffer.from(`{${parts.join("")}`));
        agrees(Buffer.from(`{"a":${parts.join("")}`));
      }),
      { numRuns: 5000 },
    );
  });

  it("costs no more than one pass, however hostile", () => {
    const size = 2_000_000;
    const hostile = [
      `{"a":"${"\\".repeat(size)}`,
      `{"a":"${'\\"'.repeat(size / 2)}`,
      `{"a":"${`${"x".repeat(70)}\\"`.repeat(size / 72)}`,
      `{"a":[${'"",'.repeat(size / 3)}`,
      `{"a":${"1".repeat(size)}`,
      `{"${"\\u0061".repeat(size / 6)}":1}`,
      `{${" ".repeat(size)}`,
    ];
    for (const text of hostile) {
      scan(text);
      members.indexOf(new KeyName("a"));
    }
  });
});

describe("the scanned members", () => {
  it("let go of the body when cleared", () => {
    scan('{"a":1}');
    members.clear();
    expect([members.bytes.length, members.count]).toEqual([0, 0]);
  });
});

describe("a key name", () => {
  it.each(["", 'a"b', "a\\b", "a b", "é", "a\n"])(
    "refuses %j, which it could not match",
    (name) => {
      expect(() => new KeyName(name)).toThrow(TypeError);
    },
  );

  it.each([
    ["max\\u005ftokens", true],
    ["max\\u005Ftokens", true],
    ["\\u006d\\u0061\\u0078_tokens", true],
    ["max_tokens\\u0020", false],
    ["max_token\\u0073s", false],
    ["max\\u015ftokens", false],
    ["max\\/tokens", false],
    ["max\\u005", false],
    ["max_tokens\\n", false],
    ["Max\\u005ftokens", false],
  ])('"%s" names max_tokens: %s', (key, expected) => {
    scan(`{"x":0,"${key}":1}`);
    expect(members.indexOf(new KeyName("max_tokens")) === 1).toBe(expected);
  });
});
