/**
 * An image that is not found is one that the prefill has to encode; a text that is taken for one is a wasted request.
 */

import fc from "fast-check";
import { expect, test } from "vitest";
import { scanTopLevel, TopLevel } from "../../../src/body/json/top-level.ts";
import { mediaItems } from "../../../src/body/prompt/media-items.ts";

const types = ["image_url", "audio_url", "input_audio", "video_url"];

function found(body: string, itemsMax = 1_000): unknown[] | undefined {
  const bytes = Buffer.from(body);
  const members = new TopLevel();
  expect(scanTopLevel(bytes, 0, bytes.length, members)).toBeUndefined();
  return mediaItems(members, itemsMax)?.map(({ start, end }) =>
    JSON.parse(bytes.toString("utf8", start, end)),
  );
}

/** As vLLM's own proxy looks for them. */
function oracle(body: string): unknown[] {
  const { messages } = JSON.parse(body) as { messages?: unknown };
  if (!Array.isArray(messages)) return [];
  const contents = messages.flatMap((message) => {
    const content = (message as { content?: unknown } | null)?.content;
    return Array.isArray(content) ? (content as unknown[]) : [];
  });
  return contents.filter((part) => types.includes((part as { type?: string } | null)?.type ?? ""));
}

const part = fc.oneof(
  fc.jsonValue(),
  fc.record({ type: fc.constantFrom("text", ...types), text: fc.string() }),
  fc.constantFrom(...types).map((type) => ({ [type]: { url: 'a\\"]}' }, type })),
);
const message = fc.oneof(
  fc.jsonValue(),
  fc.record({ role: fc.string(), content: fc.oneof(fc.string(), fc.array(part)) }),
);

test("all items are found that a JSON parser would find, and nothing else", () => {
  const body = fc.record({ model: fc.string(), messages: fc.oneof(fc.array(message), part) });
  fc.assert(
    fc.property(body, fc.constantFrom(undefined, 1), (object, space) => {
      const text = JSON.stringify(object, null, space);
      const unique = new Set(oracle(text).map((item) => JSON.stringify(item)));
      expect(found(text)!.map((item) => JSON.stringify(item))).toEqual([...unique]);
    }),
    { numRuns: 300 },
  );
});

test("names may be escaped, and of one that stands twice the last counts, as for the engine", () => {
  const escaped = '{"messages":[{"c\\u006fntent":[{"t\\u0079pe":"im\\u0061ge_url","a":1}]}]}';
  expect(found(escaped)).toHaveLength(1);
  expect(found('{"messages":[{"content":[{"type":"image_url","type":"text"}]}]}')).toEqual([]);
  expect(found('{"messages":[{"content":[{"type":"text","type":"image_url"}]}]}')).toHaveLength(1);
  expect(found('{"messages":[{"content":[{"type":"image_url"}]}],"messages":[]}')).toEqual([]);
});

test("more items than are wanted give nothing, also where all are the same", () => {
  const body = (count: number) =>
    JSON.stringify({ messages: [{ content: new Array(count).fill({ type: "image_url" }) }] });
  expect(found(body(5), 5)).toEqual([{ type: "image_url" }]);
  expect(found(body(6), 5)).toBeUndefined();
});

test("broken messages have no items, and nothing throws", () => {
  const broken = ['[{"content":[{"type":"image_url"},]}]', '[{"content":[{"type":}]}]', "[1 2]"];
  for (const messages of broken) expect(() => found(`{"messages":${messages}}`)).not.toThrow();
});
