/**
 * Guards against streams that are cut anywhere: an event that is missed, torn or put together wrongly changes a
 * client's answer.
 */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EventData, EventEnds } from "../../src/body/sse.ts";

/** The events of a stream that arrives in such pieces; the last element is what has no end. */
function split(bytes: Buffer, cuts: readonly number[]): string[] {
  const ends = new EventEnds();
  const events: string[] = [];
  let kept = "";
  const edges = [0, ...[...cuts].sort((a, b) => a - b), bytes.length];
  for (let i = 1; i < edges.length; i++) {
    // A buffer of its own, with other bytes around it, as a socket's may have.
    const piece = Buffer.concat([
      Buffer.from("\n\n"),
      bytes.subarray(edges[i - 1], edges[i]),
      Buffer.from("\n\n"),
    ]);
    const end = piece.length - 2;
    for (let from = 2; from < end; ) {
      const to = ends.next(piece, from, end);
      kept += piece.toString("latin1", from, to < 0 ? end : to);
      if (to < 0) break;
      events.push(kept);
      kept = "";
      from = to;
    }
  }
  return [...events, kept];
}

describe("the ends of events", () => {
  it.each([
    ["data: a\n\ndata: b\n\n", ["data: a\n\n", "data: b\n\n", ""]],
    ["data: a\r\n\r\ndata: b\r\n\r\n", ["data: a\r\n\r\n", "data: b\r\n\r\n", ""]],
    ["data: a\r\rdata: b\r\r", ["data: a\r\r", "data: b\r\r", ""]],
    ["data: a\r\n\ndata: b\n\r\nx", ["data: a\r\n\n", "data: b\n\r\n", "x"]],
    [": ping\n\ndata: a\ndata: b\nid: 1\n\n", [": ping\n\n", "data: a\ndata: b\nid: 1\n\n", ""]],
    ["\tdata\n \n\n", ["\tdata\n \n\n", ""]],
    ["data: é\n", ["data: Ã©\n"]],
  ])("of %j", (text, expected) => {
    expect(split(Buffer.from(text), [])).toEqual(expected);
  });

  it("are the same for every cut, but for the side of it on which a blank line's second byte falls", () => {
    const line = fc.constantFrom("data: x", "data:", ": c", "event: e", "\t", "é", "");
    const lines = fc.array(fc.tuple(line, fc.constantFrom("\n", "\r\n", "\r")), { maxLength: 12 });
    fc.assert(
      fc.property(lines, fc.array(fc.nat(120), { maxLength: 8 }), (parts, cuts) => {
        // A line that ends with a return would make one line's end of it and an empty line's feed.
        const text = parts
          .map(([words, end], i) => {
            const isEmptyNext = parts[i + 1]?.[0] === "" && parts[i + 1]?.[1] === "\n";
            return words + (end === "\r" && isEmptyNext ? "\n" : end);
          })
          .join("");
        const bytes = Buffer.from(text, "latin1");
        const cut = split(
          bytes,
          cuts.filter((at) => at < bytes.length),
        );
        expect(cut.join("")).toBe(text);
        const trimmed = (events: string[]) =>
          events.map((event) => event.replaceAll(/^\n|\n$/g, ""));
        expect(trimmed(cut)).toEqual(trimmed(split(bytes, [])));
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("the data of an event", () => {
  it.each([
    ['data: {"a":1}\n\n', '{"a":1}', "data: X\n\n"],
    ['data:{"a":1}\r\n\r\n', '{"a":1}', "data: X\r\n\r\n"],
    ["event: e\ndata: a\nid: 7\n\n", "a", "event: e\ndata: X\nid: 7\n\n"],
    ["data: {\ndata: }\n\n", "{\n}", "data: X\n\n"],
    ["data: {\r\n: c\r\ndata:}\r\nid: 1\r\n\r\n", "{\n}", ": c\r\ndata: X\r\nid: 1\r\n\r\n"],
    [": comment\n\n", undefined, undefined],
    ["database: 1\n\n", undefined, undefined],
    ["data\n\n", "", "data: X\n\n"],
  ])("%j", (event, json, changed) => {
    const data = new EventData(Buffer.from(event));
    expect(data.json?.toString()).toBe(json);
    if (changed !== undefined) expect(data.with(Buffer.from("X")).toString()).toBe(changed);
  });

  it("stays one event when the new data has several lines", () => {
    const data = new EventData(Buffer.from("data: a\n\n")).with(Buffer.from('{\n"é":1}'));
    expect(data.toString()).toBe('data: {\ndata: "é":1}\n\n');
    expect(new EventData(data).json!.toString()).toBe('{\n"é":1}');
  });
});
