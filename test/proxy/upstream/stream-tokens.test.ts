/**
 * How far a stream has come must not depend on how its bytes happen to arrive, and no other answer is taken for one.
 */
import fc from "fast-check";
import { expect, it } from "vitest";
import { type StreamTokens, streamTokens } from "../../../src/proxy/upstream/stream-tokens.ts";

const eventOf = (text: string) =>
  `data: {"id":"cmpl-1","object":"text_completion","model":"m","choices":[{"index":0,"text":"${text}","finish_reason":null}]}\n\n`;

function count(bytes: Buffer, cuts: readonly number[]): number {
  let tokens: StreamTokens | undefined;
  let total = 0;
  let from = 0;
  for (const at of [...cuts, bytes.length]) {
    const to = Math.max(from, at);
    tokens ??= streamTokens(bytes, from, to);
    tokens.add(to - from);
    const more = tokens.take();
    expect(Number.isInteger(more)).toBe(true);
    total += more;
    from = Math.max(from, at);
  }
  return total;
}

it("counts a stream's events to within a tenth, however many come at once", () => {
  const events = fc.array(fc.string({ minLength: 1, maxLength: 12, unit: "grapheme-ascii" }), {
    minLength: 20,
    maxLength: 200,
  });
  fc.assert(
    fc.property(events, fc.integer({ min: 1, max: 9 }), (texts, perChunk) => {
      const parts = texts.map((text) => eventOf(text.replace(/["\\]/g, "x")));
      const bytes = Buffer.from(parts.join(""));
      const cuts: number[] = [];
      let at = 0;
      parts.forEach((part, i) => {
        at += part.length;
        if ((i + 1) % perChunk === 0) cuts.push(at);
      });
      const off = Math.abs(count(bytes, cuts) - texts.length);
      expect(off).toBeLessThanOrEqual(1 + texts.length / 10);
    }),
  );
});

it("a response in one piece, however long, is no stream", () => {
  expect(count(Buffer.from(`{"choices":[{"text":"${"x".repeat(9_000)}"}]}`), [100, 5_000])).toBe(0);
});

it("looks at the bytes of the response alone, not at what is beside them in the buffer", () => {
  const event = eventOf("one");
  const bytes = Buffer.from(event.repeat(3));
  const tokens = streamTokens(bytes, event.length, 2 * event.length);
  tokens.add(event.length);
  expect(tokens.take()).toBe(1);
});
