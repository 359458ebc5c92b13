/** Chunked bodies, JSON and events: the same however the bytes are cut, and the same to the next reader. */
import { expect } from "vitest";
import { Edits } from "../../../src/body/edit/splice.ts";
import { scanTopLevel, TopLevel } from "../../../src/body/json/top-level.ts";
import { EventData, EventEnds } from "../../../src/body/sse.ts";
import { hidesTransferFields, removeTransferFields } from "../../../src/dialects/transfer-guard.ts";
import { ChunkedReader } from "../../../src/http1/chunked/chunked-reader.ts";
import { parts, type Target } from "../fuzzer.ts";

function readChunked(pieces: readonly Buffer[]) {
  const reader = new ChunkedReader();
  const data: Buffer[] = [];
  const raw: Buffer[] = [];
  for (const piece of pieces) {
    reader.feed(piece, 0, piece.length);
    const spans = (pairs: Int32Array, count: number) =>
      Array.from({ length: count }, (_, i) => piece.subarray(pairs[2 * i], pairs[2 * i + 1]));
    data.push(...spans(reader.dataSpans, reader.dataSpanCount));
    raw.push(...spans(reader.rawSpans, reader.rawSpanCount));
    if (reader.done || reader.problem !== undefined) break;
  }
  const { done, problem } = reader;
  return { done, code: problem?.code, data: Buffer.concat(data), raw: Buffer.concat(raw) };
}

/** The plainest reader of a canonical body; throws for anything else. */
function readStrictly(body: Buffer): Buffer {
  const data: Buffer[] = [];
  for (let at = 0; ; ) {
    const [line = ""] = /^[0-9a-fA-F]+\r\n/.exec(body.toString("latin1", at, at + 40)) ?? [];
    expect(line, `a size at ${at}`).not.toBe("");
    const size = Number.parseInt(line, 16);
    const end = at + line.length + size;
    expect(body.toString("latin1", end, end + 2)).toBe("\r\n");
    if (size === 0) {
      expect(body.length).toBe(end + 2);
      return Buffer.concat(data);
    }
    data.push(body.subarray(at + line.length, end));
    at = end + 2;
  }
}

export const chunked: Target = {
  name: "chunked",
  words: [
    "\r\n",
    "\n",
    "\r",
    "0\r\n\r\n",
    "0",
    "5",
    "a",
    "F",
    ";",
    '="',
    "\\",
    "fffffffffffffff",
    "0x",
    " ",
    "X: y\r\n",
  ],
  check(input, random) {
    const whole = readChunked([input]);
    const cut = readChunked(parts(input, random));
    expect([cut.done, cut.code]).toEqual([whole.done, whole.code]);
    expect(cut.data.equals(whole.data)).toBe(true);
    if (!whole.done) return;
    // What is relayed is the same body, without what a later reader could take for something else.
    const again = readChunked([whole.raw]);
    expect([again.done, again.code]).toEqual([true, undefined]);
    expect(again.data.equals(whole.data)).toBe(true);
    expect(readStrictly(whole.raw).equals(whole.data)).toBe(true);
    expect(again.raw.equals(whole.raw)).toBe(true);
    expect(cut.raw.equals(whole.raw)).toBe(true);
  },
};

const transferWords = [
  '"kv_transfer_params":',
  '"kv\\u005ftransfer_params":',
  '"bootstrap_room":',
  '"ec_transfer_params":{}',
];

export const json: Target = {
  name: "json",
  words: [
    ...'{}[]":,\\ \t\n0-.eE',
    "null",
    "true",
    "NaN",
    "1e999",
    "\\u0022",
    "\\ud800",
    '"a":',
    '{"a":[',
    ',"a":1',
    "\xff",
    "\xc3\xa9",
    "\xef\xbb\xbf",
    '"vllm_xargs":{',
    ...transferWords,
  ],
  check(input) {
    const members = new TopLevel();
    const problem = scanTopLevel(input, 0, input.length, members);
    const value = parsed(input);
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    // Where the scanner finds no object, no parser may: what it does not see cannot be taken out.
    if (isObject) expect(problem).toBeUndefined();
    if (problem !== undefined) return;
    const hides = hidesTransferFields(members);
    const edits = new Edits();
    edits.start(members);
    removeTransferFields(members, edits);
    const out = Buffer.alloc(edits.byteLength);
    edits.writeTo(out, 0);
    const edited = parsed(out);
    if (!isObject) return;
    const keys = Object.keys(edited as object);
    expect(
      keys.filter((key) =>
        /^(?:(?:kv|ec)_transfer_params|bootstrap_(?:room|host|port))$/.test(key),
      ),
    ).toEqual([]);
    const kept = Object.entries(value).filter(([key]) => keys.includes(key));
    expect(edited).toEqual(Object.fromEntries(kept));
    const inner = (value as Record<string, unknown>)["vllm_xargs"];
    if (inner instanceof Object && "kv_transfer_params" in inner) expect(hides).toBe(true);
  },
};

/** As an engine reads it: strict UTF-8, a byte order mark skipped. Undefined = no JSON. */
function parsed(input: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(input)) as unknown;
  } catch {
    return undefined;
  }
}

function eventsOf(pieces: readonly Buffer[]): { events: string[]; rest: string } {
  const ends = new EventEnds();
  const events: string[] = [];
  let event: Buffer[] = [];
  for (const piece of pieces) {
    for (let at = 0; ; ) {
      const end = ends.next(piece, at, piece.length);
      event.push(piece.subarray(at, end < 0 ? piece.length : end));
      if (end < 0) break;
      events.push(Buffer.concat(event).toString("latin1"));
      event = [];
      at = end;
    }
  }
  return { events, rest: Buffer.concat(event).toString("latin1") };
}

/** The data of an event by the standard's words, line by line. */
function dataOf(event: string): string | undefined {
  const data = event
    .split(/\r\n|\n|\r/)
    .filter((line) => /^data(?::|$)/.test(line))
    .map((line) => line.replace(/^data:? ?/, ""));
  return data.length === 0 ? undefined : data.join("\n");
}

export const sse: Target = {
  name: "sse",
  words: [
    "\n",
    "\r",
    "\r\n",
    "\n\n",
    "\r\r",
    "data",
    "data:",
    "data: ",
    ":",
    "event: x\n",
    "id\n",
    "[DONE]",
    "{}",
    "\xff",
    " ",
  ],
  check(input, random) {
    const whole = eventsOf([input]);
    const cut = eventsOf(parts(input, random));
    expect(whole.events.join("") + whole.rest).toBe(input.toString("latin1"));
    // A line feed behind a lone return may come with either event; the data is the same.
    const data = ({ events }: typeof whole) => events.map(dataOf);
    expect(data(cut)).toEqual(data(whole));
    for (const event of whole.events) {
      const bytes = Buffer.from(event, "latin1");
      const found = new EventData(bytes);
      expect(found.json?.toString("latin1")).toBe(dataOf(event));
      if (found.json === undefined) continue;
      expect(dataOf(found.with(Buffer.from('{"a":1}')).toString("latin1"))).toBe('{"a":1}');
    }
  },
};
