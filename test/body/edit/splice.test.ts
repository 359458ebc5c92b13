/** Guards against bodies that edits break: commas too many or too few, bytes lost or changed beside an edit. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Edits } from "../../../src/body/edit/splice.ts";
import { KeyName } from "../../../src/body/json/key-name.ts";
import { scanTopLevel, TopLevel } from "../../../src/body/json/top-level.ts";
import { meaning, meaningOf, objectText } from "../json-text.ts";

const members = new TopLevel();
const edits = new Edits();

function begin(text: string): void {
  const bytes = Buffer.from(text);
  expect(scanTopLevel(bytes, 0, bytes.length, members)).toBeUndefined();
  edits.start(members);
}

/** The result, which must be the same whichever way it is taken. */
function result(): string {
  const margin = 3;
  const out = Buffer.alloc(edits.byteLength + 2 * margin, "#");
  expect(edits.writeTo(out, margin)).toBe(margin + edits.byteLength);
  expect(out.toString("latin1", 0, margin) + out.toString("latin1", out.length - margin)).toBe(
    "######",
  );
  const text = out.toString("utf8", margin, out.length - margin);
  const slices = edits.slices();
  expect(Buffer.concat(slices).toString()).toBe(text);
  expect(slices.every((slice) => slice.length > 0)).toBe(true);
  return text;
}

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

describe("edits", () => {
  it("leave a body without edits as it is, byte for byte", () => {
    fc.assert(
      fc.property(objectText, ({ text }) => {
        begin(text);
        expect(result()).toBe(text);
      }),
    );
  });

  const edit = fc.oneof(
    fc.record({ kind: fc.constant("replace" as const), at: fc.nat(), value: fc.json() }),
    fc.record({ kind: fc.constant("remove" as const), at: fc.nat() }),
    fc.record({
      kind: fc.constant("append" as const),
      name: fc.constantFrom("max_tokens", "kv_transfer_params", "a", "b.c-d"),
      value: fc.json(),
    }),
  );

  it("mean what they would mean on the parsed object, and touch no other member", () => {
    fc.assert(
      fc.property(objectText, fc.array(edit, { maxLength: 8 }), ({ text, members: old }, all) => {
        begin(text);
        const values: (string | undefined)[] = old.map((m) => m.value);
        const appended: [string, string][] = [];
        for (const one of all) {
          if (one.kind === "append") {
            edits.appendMember(new KeyName(one.name), Buffer.from(one.value));
            appended.push([one.name, one.value]);
          } else if (old.length > 0) {
            const index = one.at % old.length;
            if (one.kind === "remove") edits.removeMember(index);
            else edits.replaceValue(index, Buffer.from(one.value));
            values[index] = one.kind === "remove" ? undefined : one.value;
          }
        }
        const text2 = result();
        const kept = old.flatMap((m, i) =>
          values[i] === undefined ? [] : [{ ...m, value: values[i] }],
        );
        expect(meaning(text2)).toEqual(
          meaningOf([...kept.map((m) => [m.name, m.value] as const), ...appended]),
        );
        // What is left of the object is there as it was written, in order and with its own ends.
        const order = [
          text.slice(0, text.indexOf("{") + 1),
          ...kept.map((m) => m.key + m.colon + m.value),
          ...appended.map(([name, value]) => `"${name}":${value}`),
          text.slice(text.lastIndexOf("}")),
        ];
        let at = 0;
        for (const part of order) {
          at = text2.indexOf(part, at);
          expect(at, `${part} in ${text2}`).toBeGreaterThanOrEqual(0);
          at += part.length;
        }
        expect(text2.startsWith(order[0]!) && at === text2.length).toBe(true);
      }),
      { numRuns: 3000 },
    );
  });

  const body = ' { "a" : 1 ,\n "b" : [2] ,\t"c" : "3" } \n';

  it.each([
    [[0], ' { "b" : [2] ,\t"c" : "3" } \n'],
    [[1], ' { "a" : 1 ,\t"c" : "3" } \n'],
    [[2], ' { "a" : 1 ,\n "b" : [2] } \n'],
    [[0, 1], ' { "c" : "3" } \n'],
    [[1, 2], ' { "a" : 1 } \n'],
    [[2, 0], ' { "b" : [2] } \n'],
    [[2, 1, 0], " {  } \n"],
  ])("take members %j out with their commas", (indexes, expected) => {
    begin(body);
    for (const index of indexes) edits.removeMember(index);
    expect(result()).toBe(expected);
  });

  it.each([
    ["{}", '{"n":1}'],
    [" { \n } ", ' {"n":1 \n } '],
    ['{"a":0}\n', '{"a":0,"n":1}\n'],
    ['{"a":0 } ', '{"a":0,"n":1 } '],
  ])("append to %j", (text, expected) => {
    begin(text);
    edits.appendMember(new KeyName("n"), json(1));
    expect(result()).toBe(expected);
  });

  it("append to an object that they empty", () => {
    begin(body);
    edits.appendMember(new KeyName("d"), json(4));
    for (let i = 0; i < members.count; i++) edits.removeMember(i);
    edits.appendMember(new KeyName("e"), json(5));
    expect(result()).toBe(' { "d":4,"e":5 } \n');
  });

  it("count last where one member gets two", () => {
    begin('{"a":1,"b":2}');
    edits.removeMember(0);
    edits.replaceValue(0, json("x"));
    edits.replaceValue(1, json("y"));
    edits.removeMember(1);
    expect(result()).toBe('{"a":"x"}');
  });

  it("may go on after the result was taken", () => {
    begin('{"a":1}');
    edits.replaceValue(0, json(2));
    expect(result()).toBe('{"a":2}');
    edits.appendMember(new KeyName("b"), json(3));
    expect(result()).toBe('{"a":2,"b":3}');
    edits.removeMember(0);
    expect(result()).toBe('{"b":3}');
  });

  it("leave nothing for the next body", () => {
    begin('{"a":1,"b":2}');
    edits.removeMember(0);
    edits.appendMember(new KeyName("c"), json(3));
    result();
    begin('{"d":4,"e":5,"f":6}');
    expect(result()).toBe('{"d":4,"e":5,"f":6}');
  });

  it("keep to the bounds of the body within a larger buffer, and its byte order mark", () => {
    const bytes = Buffer.from('POST {"a":1}\ufeff{"b":2} {"c":3}');
    expect(scanTopLevel(bytes, 12, 23, members)).toBeUndefined();
    edits.start(members);
    edits.replaceValue(0, json(9));
    expect(result()).toBe('\ufeff{"b":9} ');
  });

  it("hand a large value on as a view, uncopied", () => {
    begin(`{"prompt":"${"x".repeat(1_000_000)}","n":4}`);
    edits.replaceValue(1, json(1));
    const [first] = edits.slices();
    expect(first!.buffer).toBe(members.bytes.buffer);
    expect(first!.length).toBeGreaterThan(1_000_000);
  });

  it("give slices that outlast them, since a write may lead to the next request's edits", () => {
    begin('{"a":1}');
    edits.replaceValue(0, json(2));
    const slices = edits.slices();
    begin('{"b":3}');
    result();
    expect(Buffer.concat(slices).toString()).toBe('{"a":2}');
  });

  it("hold more than they begin with room for", () => {
    const many = Array.from({ length: 300 }, (_, i) => `"k${i}": ${i}`);
    begin(`{${many.join(", ")}}`);
    for (let i = 0; i < 300; i += 2) edits.replaceValue(i, json("v"));
    for (let i = 1; i < 300; i += 3) edits.removeMember(i);
    for (let i = 0; i < 50; i++) edits.appendMember(new KeyName(`z${i}`), json(i));
    const object = JSON.parse(result());
    expect(Object.keys(object)).toHaveLength(300 - 100 + 50);
    expect([object.k0, object.k1, object.k2, object.k3, object.z49]).toEqual([
      "v",
      undefined,
      "v",
      3,
      49,
    ]);
  });

  it("refuse a member that is not there, a short buffer, and to work on nothing", () => {
    begin('{"a":1}');
    expect(() => edits.removeMember(1)).toThrow(RangeError);
    expect(() => edits.replaceValue(-1, json(1))).toThrow(RangeError);
    expect(() => edits.writeTo(Buffer.alloc(8), 2)).toThrow(RangeError);
    edits.clear();
    expect(() => edits.byteLength).toThrow(TypeError);
    expect(() => edits.removeMember(0)).toThrow(TypeError);
  });
});
