// A known field is recognised in any case and never mistaken for another one; look-ups by name join several lines.

import { describe, expect, it } from "vitest";
import { FIELD_NAMES, FieldId, fieldIdAt, fieldIdOf } from "../../../src/http1/fields/field-ids.ts";
import { FieldSet } from "../../../src/http1/fields/field-set.ts";
import { parseRequestHead, RequestHead } from "../../../src/http1/head/request-head.ts";
import { bytesOf, post } from "../messages.ts";

const idOf = (name: string): number => fieldIdAt(bytesOf(name), 0, name.length);

describe("ids", () => {
  it.each(Object.entries(FieldId).filter(([, id]) => id !== 0))("%s", (key, id) => {
    const name = FIELD_NAMES[id]!;
    expect(name.replaceAll("-", "")).toBe(key.toLowerCase());
    expect([idOf(name), idOf(name.toUpperCase()), fieldIdOf(name)]).toEqual([id, id, id]);
  });

  it("are none for names that differ in one byte, or in length", () => {
    for (const name of FIELD_NAMES.slice(1)) {
      for (let i = 0; i < name.length; i++) {
        for (const char of "!_~^`x09-".replace(name[i]!, "")) {
          const other = name.slice(0, i) + char + name.slice(i + 1);
          if (!FIELD_NAMES.includes(other)) expect(idOf(other), other).toBe(0);
        }
      }
      for (const other of [`${name}x`, `x${name}`, name.slice(1), name.slice(0, -1)]) {
        if (!FIELD_NAMES.includes(other)) expect(idOf(other), other).toBe(0);
      }
    }
  });

  it("fit into two words of bits", () => {
    expect(FIELD_NAMES.length).toBeLessThanOrEqual(64);
    expect(Object.values(FieldId)).toEqual(FIELD_NAMES.map((_, id) => id));
  });
});

describe("fields", () => {
  const head = new RequestHead();
  const text = post(
    "X-A: 1",
    "Accept: a",
    "x-a:2",
    "ACCEPT: b ",
    "X^: 3",
    "User-Agent:  \t",
    "X-A:",
  );
  expect(parseRequestHead(text, head)).toBeUndefined();
  const { fields } = head;

  it("are joined when a name has several lines", () => {
    expect(fields.get("x-a")).toBe("1, 2, ");
    expect(fields.get("accept")).toBe("a, b");
    expect([fields.has(FieldId.Accept), fields.repeats(FieldId.Accept)]).toEqual([true, true]);
    expect([fields.has(FieldId.Host), fields.repeats(FieldId.Host)]).toEqual([true, false]);
  });

  it("tell an empty value from none", () => {
    expect(fields.get("user-agent")).toBe("");
    expect(fields.get("x-b")).toBeUndefined();
    expect(fields.get("date")).toBeUndefined();
    expect(fields.get("")).toBeUndefined();
  });

  it("are not found by a name that only folds to theirs", () => {
    expect(fields.get("x^")).toBe("3");
    expect(fields.get("x~")).toBeUndefined();
    expect(fields.get("constructor")).toBeUndefined();
  });

  it("are found by id at their first line", () => {
    expect(fields.indexOf(FieldId.Accept)).toBe(2);
    expect(fields.indexOf(FieldId.Etag)).toBe(-1);
    expect(fields.id(1)).toBe(FieldId.Unknown);
  });

  it("lie in the text line by line", () => {
    const lines = Array.from({ length: fields.count }, (_, i) =>
      text.slice(fields.lineStart(i), fields.lineEnd(i)),
    );
    expect(`POST /v1/completions HTTP/1.1\r\n${lines.join("")}\r\n`).toBe(text);
    expect(lines[4]).toBe("ACCEPT: b \r\n");
  });
});

describe("a set of names", () => {
  it("holds known and unknown names in any case", () => {
    const set = new FieldSet(["Host", "ETag", "X-Custom", "api-key"]);
    for (const name of ["host", "HOST", "etag", "x-custom", "API-Key"])
      expect(set.has(name)).toBe(true);
    for (const name of ["x-custom2", "date", "", "__proto__"]) expect(set.has(name)).toBe(false);
    expect(set.hasId(FieldId.Unknown)).toBe(false);
  });

  it.each(["", "X A", "X:", "caf\u00e9", "\u212aey"])(
    "refuses %j, which no field can have",
    (name) => {
      expect(() => new FieldSet([name])).toThrow(TypeError);
    },
  );
});
