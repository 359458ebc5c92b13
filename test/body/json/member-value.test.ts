/** Guards against a KV transfer that is taken from the wrong place of the prefill engine's answer, or cut. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KeyName } from "../../../src/body/json/key-name.ts";
import { memberValue } from "../../../src/body/json/member-value.ts";
import { objectText } from "../json-text.ts";

const key = new KeyName("kv_transfer_params");

function take(text: string): string | undefined {
  const bytes = Buffer.from(text);
  const span = memberValue(bytes, key);
  return span && bytes.toString("utf8", span.start, span.end);
}

describe("the value of a member", () => {
  it("is the one that JSON.parse would read, as it was written", () => {
    fc.assert(
      fc.property(objectText, ({ text, members }) => {
        expect(take(text)).toBe(members.findLast((m) => m.name === key.text)?.value);
      }),
      { numRuns: 1000 },
    );
  });

  it.each([
    ['{"kv_transfer_params":{"a":[1,"}"]},"x":1}', '{"a":[1,"}"]}'],
    ['{"kv_transfer_params" : null }', "null"],
    ['{"kv_transfer_params":"a\\"b"}', '"a\\"b"'],
    ['{"kv_transfer_params":18446744073709551615}', "18446744073709551615"],
    ['{"kv_transfer_params":1,"kv\\u005ftransfer_params":2}', "2"],
    ['{"choices":[{"kv_transfer_params":{"a":1}}]}', undefined],
    ['{"text":"kv_transfer_params","x":{"a":1}}', undefined],
    ['["kv_transfer_params",{}]', undefined],
    ['{"kv_transfer_params":{"a":1}', undefined],
    ["<html>kv_transfer_params</html>", undefined],
    ["", undefined],
  ])("of %s", (text, expected) => {
    expect(take(text)).toBe(expected);
  });
});
