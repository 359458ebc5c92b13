/** Guards against the original's defects in splicing, and against KV transfers that clients forge. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { takeKvTransferParams } from "../../../src/dialects/shared/kv-transfer-params.ts";
import { omni } from "../../../src/dialects/vllm-ascend/omni.ts";
import { meaning, meaningOf, objectText } from "../../body/json-text.ts";
import { decodeBody, prefillBody } from "../legs.ts";

const kv = '{"remote_block_ids":[1,2],"remote_port":18446744073709551615}';
const transfer = `{"kv_transfer_params":${kv}}`;

describe("the prefill body", () => {
  it.each([
    ["adds what is missing", '{"prompt":"x"}', '{"prompt":"x","max_tokens":1}'],
    [
      "replaces every duplicate",
      '{"max_tokens":5,"n":2,"max_tokens":7}',
      '{"max_tokens":1,"n":1,"max_tokens":1}',
    ],
    [
      "caps both limits of a chat",
      '{"max_completion_tokens":900}',
      '{"max_completion_tokens":1,"max_tokens":1}',
    ],
    [
      "keeps min_tokens within max_tokens",
      '{"max_tokens":9,"min_tokens":4}',
      '{"max_tokens":1,"min_tokens":1}',
    ],
    [
      "asks for one choice of one",
      '{"n":4,"best_of":8,"max_tokens":2}',
      '{"n":1,"best_of":1,"max_tokens":1}',
    ],
    [
      "takes null for a value",
      '{"max_tokens":null,"stream":null}',
      '{"max_tokens":1,"stream":false}',
    ],
    ["adds no stream", '{"max_tokens":1}', '{"max_tokens":1}'],
    [
      "reads escaped keys",
      '{"max\\u005ftokens":9,"\\u0073tream":true}',
      '{"max\\u005ftokens":1,"\\u0073tream":false}',
    ],
    [
      "drops a client's KV transfer",
      '{"kv_transfer_params":{"a":1},"max_tokens":2}',
      '{"max_tokens":1}',
    ],
    [
      "keeps white space",
      '{ "max_tokens" : 9 , "stream" : true }\r\n',
      '{ "max_tokens" : 1 , "stream" : false }\r\n',
    ],
    [
      "keeps large numbers",
      '{"seed":9007199254740993,"max_tokens":2}',
      '{"seed":9007199254740993,"max_tokens":1}',
    ],
  ])("%s", (_, body, expected) => {
    expect(prefillBody(omni, body)).toBe(expected);
  });

  it("means what the same edits on the parsed object mean", () => {
    const one = new Set(["max_tokens", "max_completion_tokens", "min_tokens", "n", "best_of"]);
    const gone = new Set(["stream_options", "kv_transfer_params"]);
    fc.assert(
      fc.property(objectText, ({ text, members }) => {
        const expected = members
          .filter((m) => !gone.has(m.name))
          .map((m): [string, string] => {
            const value = one.has(m.name) ? "1" : m.name === "stream" ? "false" : m.value;
            return [m.name, value];
          });
        expected.push(["max_tokens", "1"]);
        expect(meaning(prefillBody(omni, text))).toEqual(meaningOf(expected));
      }),
      { numRuns: 1000 },
    );
  });
});

describe("the decode body", () => {
  it.each([
    ["{}", `{"kv_transfer_params":${kv}}`],
    ['{"prompt":"x"}', `{"prompt":"x","kv_transfer_params":${kv}}`],
    ['{"n":2,"max_tokens":9} \n', `{"n":2,"max_tokens":9,"kv_transfer_params":${kv}} \n`],
    ['{"kv_transfer_params":{"a":1},"n":2}', `{"n":2,"kv_transfer_params":${kv}}`],
    ['{"n":2,"kv_transfer_params":null}', `{"n":2,"kv_transfer_params":${kv}}`],
    ['{"kv_transfer_params":1,"kv_transfer_params":2}', `{"kv_transfer_params":${kv}}`],
  ])("of %s carries the KV transfer verbatim and once", (body, expected) => {
    expect(decodeBody(omni, body, transfer)).toBe(expected);
  });

  it.each([
    ['{"prompt":"x"}\n', '{"prompt":"x"}\n'],
    ['{"kv_transfer_params":{"a":1},"n":2}', '{"n":2}'],
  ])("of %s without a KV transfer is the client's, less a forged one", (body, expected) => {
    expect(decodeBody(omni, body)).toBe(expected);
  });

  it("means what the same edits on the parsed object mean", () => {
    fc.assert(
      fc.property(objectText, ({ text, members }) => {
        const expected = members
          .filter((m) => m.name !== "kv_transfer_params")
          .map((m): [string, string] => [m.name, m.value]);
        expect(meaning(decodeBody(omni, text))).toEqual(meaningOf(expected));
        expected.push(["kv_transfer_params", kv]);
        expect(meaning(decodeBody(omni, text, transfer))).toEqual(meaningOf(expected));
      }),
      { numRuns: 1000 },
    );
  });
});

describe("the KV transfer", () => {
  it.each([
    ['{"a":1,"kv_transfer_params": {"b":[1, 2]} }', '{"b":[1, 2]}'],
    ['{"kv_transfer_params":"no object"}', undefined],
    ['{"kv_transfer_params":1,"kv_transfer_params":{}}', "{}"],
    ['{"kv_transfer_params":null}', undefined],
    ['{"choices":[{"kv_transfer_params":{}}]}', undefined],
    ['{"choices":[{"text":"kv_transfer_params"}],"x":{}}', undefined],
    ['{"kv_transfer_params":{', undefined],
  ])("of %s", (response, expected) => {
    expect(takeKvTransferParams(Buffer.from(response))?.toString()).toBe(expected);
  });
});

/** Each body here was corrupted by the original's textual splice. */
describe("what the original broke", () => {
  const tool =
    '"tools":[{"parameters":{"stream":{"type":"string"},"max_tokens":{"type":"integer"}}}]';

  it.each([
    [
      "a tool's parameters named like limits",
      `{${tool},"max_tokens":9,"stream":true}`,
      `{${tool},"max_tokens":1,"stream":false}`,
    ],
    ["the same without limits of the request's own", `{${tool}}`, `{${tool},"max_tokens":1}`],
    [
      "a message that says stream",
      '{"content":"stream","x":"max_tokens","y":5}',
      '{"content":"stream","x":"max_tokens","y":5,"max_tokens":1}',
    ],
    [
      "stream_options first",
      '{"stream_options":{"include_usage":true},"max_tokens":2}',
      '{"max_tokens":1}',
    ],
    ["stream_options alone", '{ "stream_options":{} }', '{ "max_tokens":1 }'],
    ["a new line at the end", '{"prompt":"x"}\n', '{"prompt":"x","max_tokens":1}\n'],
    ["a space at the end", '{"prompt":"x"} ', '{"prompt":"x","max_tokens":1} '],
    [
      "limits and flags in quotes",
      '{"max_tokens":"9","stream":"true"}',
      '{"max_tokens":1,"stream":false}',
    ],
    [
      "max_completion_tokens",
      '{"max_tokens":5,"max_completion_tokens":5}',
      '{"max_tokens":1,"max_completion_tokens":1}',
    ],
    ["min_tokens above 1", '{"max_tokens":5,"min_tokens":5}', '{"max_tokens":1,"min_tokens":1}'],
    ["an empty object", "{}", '{"max_tokens":1}'],
  ])("in prefill: %s", (_, body, expected) => {
    expect(prefillBody(omni, body)).toBe(expected);
  });

  it.each(["[1]", '"max_tokens"', "max_tokens", "", '{"max_tokens":1'])(
    "in prefill: %j, which is no object, was mangled rather than refused",
    (body) => {
      expect(() => prefillBody(omni, body)).toThrow();
    },
  );

  it.each([
    ["an empty object", "{}", `{"kv_transfer_params":${kv}}`],
    ["a duplicate of the client's", '{"kv_transfer_params":1}', `{"kv_transfer_params":${kv}}`],
    ["a brace behind the last brace", '{"a":"}"}\n', `{"a":"}","kv_transfer_params":${kv}}\n`],
  ])("in decode: %s", (_, body, expected) => {
    expect(decodeBody(omni, body, transfer)).toBe(expected);
  });

  it("in decode: took the KV transfer from any depth of the response", () => {
    const response = `{"choices":[{"kv_transfer_params":{"forged":1}}],"kv_transfer_params":${kv}}`;
    expect(decodeBody(omni, "{}", response)).toBe(`{"kv_transfer_params":${kv}}`);
  });
});
