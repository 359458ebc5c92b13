// A chunked body means the same however it is cut into buffers, and what is relayed of it is canonical.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ChunkedReader } from "../../../src/http1/chunked/chunked-reader.ts";
import { bytesOf, joinSpans } from "../messages.ts";
import { mutatedRequests, randomOf } from "../mutations.ts";

type Outcome = {
  readonly data: string;
  readonly raw: string;
  /** Bytes consumed over all buffers. */
  readonly consumed: number;
  readonly code: string | undefined;
  readonly done: boolean;
  readonly dataBytes: number;
};

/** Feeds the text in pieces that end at `cuts`, each from a buffer of its own at an odd offset. */
function feedAll(reader: ChunkedReader, text: string, cuts: readonly number[]): Outcome {
  let data = "";
  let raw = "";
  let consumed = 0;
  let from = 0;
  for (const to of [...cuts, text.length]) {
    const offset = from % 3;
    const buffer = bytesOf(`${"\n".repeat(offset) + text.slice(from, to)}0\r\n\r\n`);
    const end = offset + to - from;
    const at = reader.feed(buffer, offset, end);
    data += joinSpans(buffer, reader, "data");
    raw += joinSpans(buffer, reader, "raw");
    consumed += at - offset;
    if (!reader.done && reader.problem === undefined) expect(at).toBe(end);
    from = to;
  }
  const { done, dataBytes } = reader;
  return { data, raw, consumed, code: reader.problem?.code, done, dataBytes };
}

const sorted = (cuts: readonly number[], length: number): number[] =>
  cuts.map((cut) => cut % (length + 1)).sort((a, b) => a - b);

const token = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,8}$/);
const quoted = fc
  .array(fc.constantFrom("a", " ", "\t", "\xff", '\\"', "\\\\", ";"), { maxLength: 6 })
  .map((parts) => `"${parts.join("")}"`);
const extension = fc
  .tuple(token, fc.option(fc.oneof(token, quoted)))
  .map(([name, value]) => (value === null ? `;${name}` : `;${name}=${value}`));
const extensions = fc.array(extension, { maxLength: 2 }).map((parts) => parts.join(""));
const content = fc.string({
  unit: fc.constantFrom("a", "\r", "\n", "0", ";", "\xff"),
  minLength: 1,
  maxLength: 20,
});
const trailer = fc
  .tuple(token, fc.stringMatching(/^[ -~]{0,8}$/))
  .map(([name, value]) => `X${name}:${value}\r\n`);
const body = fc.record({
  chunks: fc.array(fc.record({ content, extensions, zeros: fc.nat(3), upper: fc.boolean() }), {
    maxLength: 5,
  }),
  last: fc.record({ zeros: fc.nat(3), extensions }),
  trailers: fc.array(trailer, { maxLength: 3 }),
});

function encode(parts: typeof body extends fc.Arbitrary<infer T> ? T : never): {
  text: string;
  canonical: string;
  data: string;
} {
  let text = "";
  let canonical = "";
  let data = "";
  for (const { content: piece, extensions: extra, zeros, upper } of parts.chunks) {
    const digits = piece.length.toString(16);
    const size = "0".repeat(zeros) + (upper ? digits.toUpperCase() : digits);
    text += `${size}${extra}\r\n${piece}\r\n`;
    canonical += `${size}\r\n${piece}\r\n`;
    data += piece;
  }
  const last = "0".repeat(1 + parts.last.zeros);
  text += `${last}${parts.last.extensions}\r\n${parts.trailers.join("")}\r\n`;
  return { text, canonical: `${canonical}${last}\r\n\r\n`, data };
}

it("reads any body the same from any buffers, and stops at its end", () => {
  const reader = new ChunkedReader();
  fc.assert(
    fc.property(body, fc.array(fc.nat(), { maxLength: 6 }), (parts, cuts) => {
      const { text, canonical, data } = encode(parts);
      const expected: Outcome = {
        data,
        raw: canonical,
        consumed: text.length,
        code: undefined,
        done: true,
        dataBytes: data.length,
      };
      const pipelined = `${text}GET / HTTP/1.1\r\n`;
      for (const split of [[], sorted(cuts, pipelined.length)]) {
        reader.reset();
        expect(feedAll(reader, pipelined, split)).toEqual(expected);
      }
    }),
    { seed: 3, numRuns: 1_000 },
  );
});

const EVERYTHING = '5;a="b;\\"c"\r\nhello\r\n01;x=y;z\r\n\n\r\n00;q\r\nA: b\r\nC:\r\n\r\n';

it("reads a body with everything in it the same, cut at each byte, each two bytes, and into single bytes", () => {
  const whole = feedAll(new ChunkedReader(), EVERYTHING, []);
  expect(whole).toMatchObject({
    data: "hello\n",
    raw: "5\r\nhello\r\n01\r\n\n\r\n00\r\n\r\n",
    done: true,
  });
  for (let first = 0; first <= EVERYTHING.length; first++) {
    for (let second = first; second <= EVERYTHING.length; second++) {
      expect(feedAll(new ChunkedReader(), EVERYTHING, [first, second])).toEqual(whole);
    }
  }
  const singles = Array.from(EVERYTHING, (_, i) => i);
  expect(feedAll(new ChunkedReader(), EVERYTHING, singles)).toEqual(whole);
});

it("finds the same fault in the same place in damaged bodies, from any buffers", () => {
  const random = randomOf(17);
  let faults = 0;
  for (const request of mutatedRequests(4_000, 23)) {
    const text = request.slice(request.indexOf("\r\n\r\n") + 4);
    const whole = feedAll(new ChunkedReader(), text, []);
    if (whole.code !== undefined) faults++;
    const cuts = sorted(
      [random(), random(), random()].map((part) => Math.floor(part * 1_000)),
      text.length,
    );
    expect(feedAll(new ChunkedReader(), text, cuts), JSON.stringify([text, cuts])).toEqual(whole);
    // What would be relayed is a beginning of a body that reads without a fault.
    const relayed = feedAll(new ChunkedReader(), whole.raw, []);
    expect(relayed).toMatchObject({ data: whole.data, raw: whole.raw, code: undefined });
    expect(relayed.done).toBe(whole.done);
  }
  expect(faults).toBeGreaterThan(500);
});

describe("spans", () => {
  it("are one run, all that was consumed, in the ordinary case", () => {
    const text = "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n";
    const reader = new ChunkedReader();
    expect(reader.feed(bytesOf(`xx${text}yy`), 2, text.length + 4)).toBe(text.length + 2);
    expect([reader.rawSpanCount, ...reader.rawSpans.slice(0, 2)]).toEqual([1, 2, text.length + 2]);
    expect([reader.dataSpanCount, ...reader.dataSpans.slice(0, 4)]).toEqual([2, 5, 10, 15, 16]);
  });

  it("are none when nothing was consumed", () => {
    const reader = new ChunkedReader();
    const bytes = bytesOf("0\r\n\r\n0\r\n\r\n");
    expect(reader.feed(bytes, 0, 10)).toBe(5);
    expect([reader.feed(bytes, 5, 10), reader.rawSpanCount, reader.dataSpanCount]).toEqual([
      5, 0, 0,
    ]);
    expect([reader.feed(bytes, 5, 5), reader.done]).toEqual([5, true]);
  });

  it("grow with the number of chunks in a buffer and shrink at reset", () => {
    const text = `${"1\r\nx\r\n".repeat(10_000)}0\r\n\r\n`;
    const reader = new ChunkedReader();
    expect(feedAll(reader, text, [])).toMatchObject({ data: "x".repeat(10_000), raw: text });
    expect(reader.dataSpanCount).toBe(10_000);
    reader.reset();
    expect(reader.dataSpans.length).toBeLessThan(100);
    expect(feedAll(reader, text, [7, 8])).toMatchObject({ data: "x".repeat(10_000), raw: text });
  });
});

describe("bounds", () => {
  const limits = { extensionBytes: 4, trailerBytes: 8, sizeDigits: 3 };
  it.each([
    ["001\r\n", undefined],
    ["0001\r\n", "GP_BAD_CHUNK_SIZE"],
    ["1;abc\r\n", undefined],
    ["1;abcd\r\n", "GP_BAD_CHUNK_EXTENSION"],
    ["0\r\nA: bcd\r\n\r\n", undefined],
    ["0\r\nA: bcde\r\n\r\n", "GP_TRAILER_TOO_LARGE"],
    ["0\r\nA:b\r\nC:d\r\n\r\n", "GP_TRAILER_TOO_LARGE"],
  ])("%j: %s", (text, code) => {
    const singles = Array.from(text, (_, i) => i);
    expect(feedAll(new ChunkedReader(limits), text, []).code).toBe(code);
    expect(feedAll(new ChunkedReader(limits), text, singles).code).toBe(code);
  });

  it("count extensions per chunk and begin anew after a reset", () => {
    const reader = new ChunkedReader(limits);
    const text = "1;abc\r\nx\r\n1;abc\r\nx\r\n0;abc\r\nA:bcde\r\n\r\n";
    for (let round = 0; round < 2; round++) {
      reader.reset();
      expect(feedAll(reader, text, [3, 9])).toMatchObject({ data: "xx", done: true, dataBytes: 2 });
    }
  });

  it("take a chunk of 2^53 - 1 bytes", () => {
    const reader = new ChunkedReader();
    const outcome = feedAll(reader, "1fffffffffffff\r\nx", []);
    expect(outcome).toMatchObject({ data: "x", code: undefined, done: false });
  });
});
