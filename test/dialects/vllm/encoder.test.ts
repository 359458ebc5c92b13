/**
 * What encoders are asked and what they answer goes through byte for byte: a hash that is changed names another
 * image.
 */

import { expect, test } from "vitest";
import { Edits } from "../../../src/body/edit/splice.ts";
import { scanTopLevel, TopLevel } from "../../../src/body/json/top-level.ts";
import { mediaItems } from "../../../src/body/prompt/media-items.ts";
import { Embeddings, encodeBody } from "../../../src/dialects/vllm/encoder.ts";

function scanned(body: string): TopLevel {
  const bytes = Buffer.from(body);
  const members = new TopLevel();
  expect(scanTopLevel(bytes, 0, bytes.length, members)).toBeUndefined();
  return members;
}

function bodiesFor(body: string): string[] {
  const members = scanned(body);
  return mediaItems(members, 10)!.map((item) => {
    const pieces = encodeBody(members, item);
    const out = Buffer.alloc(pieces.byteLength);
    expect(pieces.writeTo(out, 0)).toBe(out.length);
    expect(Buffer.concat(pieces.slices())).toEqual(out);
    return out.toString();
  });
}

function edited(embeddings: Embeddings, body: string): string {
  const edits = new Edits();
  const members = scanned(body);
  edits.start(members);
  embeddings.edit(members, edits);
  const out = Buffer.alloc(edits.byteLength);
  edits.writeTo(out, 0);
  return out.toString();
}

const item =
  '{ "type": "image_url", "image_url": {"url":"data:image/png;base64,AA=="}, "uuid":"u" }';

test("an encoder gets the model, the item as it stands, and what changes how it is encoded", () => {
  const chat = `{"stream":true,"model": "m\\u00e9","messages":[{"role":"user","content":["a",${item}]}],"max_tokens":99,"priority":18446744073709551615,"media_io_kwargs":{"a":1.0},"tools":[]}`;
  expect(bodiesFor(chat)).toEqual([
    `{"model":"m\\u00e9","messages":[{"role":"user","content":[${item}]}],"max_tokens":1,"stream":false,"media_io_kwargs":{"a":1.0},"priority":18446744073709551615}`,
  ]);
});

test("a request without a model is encoded without one", () => {
  expect(bodiesFor(`{"messages":[{"content":[${item}]}]}`)).toEqual([
    `{"messages":[{"role":"user","content":[${item}]}],"max_tokens":1,"stream":false}`,
  ]);
});

test("handles of several encoders become one object, in the order of the items", () => {
  const embeddings = new Embeddings();
  expect(
    embeddings.add(2, Buffer.from('{"ec_transfer_params":{"c":{"n":9007199254740993}}}')),
  ).toBe(true);
  expect(embeddings.add(0, Buffer.from('{"x":1,"ec_transfer_params":\n{ "a":1, "b":{}\n} }'))).toBe(
    true,
  );
  expect(embeddings.add(1, Buffer.from('{"ec_transfer_params":{}}'))).toBe(true);
  expect(edited(embeddings, '{"a":1}')).toBe(
    '{"a":1,"ec_transfer_params":{"a":1, "b":{},"c":{"n":9007199254740993}}}',
  );
});

test.each(["", "nothing", "[1]", '{"a":', "\u0000"])("%j is no encoder's response", (response) => {
  expect(new Embeddings().add(0, Buffer.from(response))).toBe(false);
});

test.each(["{}", '{"ec_transfer_params":null}', '{"ec_transfer_params":[{"a":1}]}'])(
  "%s says nothing of embeddings, and a client's own words go",
  (response) => {
    const embeddings = new Embeddings();
    expect(embeddings.add(0, Buffer.from(response))).toBe(true);
    const poisoned = '{"ec_transfer_params":{"e":1},"a":1,"ec\\u005ftransfer_params":2}';
    expect(edited(embeddings, poisoned)).toBe('{"a":1}');
  },
);
