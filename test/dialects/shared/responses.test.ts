/**
 * Guards against answers that tell decode's view of a prompt: what only prefill knows, byte for byte, and nothing
 * else changed.
 */

import { describe, expect, it } from "vitest";
import type { ResponseMerge } from "../../../src/dialects/dialect.ts";
import { sglangResponses } from "../../../src/dialects/sglang/responses.ts";
import { vllmResponses } from "../../../src/dialects/vllm/responses.ts";
import { requestOf } from "../legs.ts";

function changed(
  merge: ResponseMerge,
  body: string,
  prefill: string,
  decode: string,
  path = merge === sglangResponses ? "/generate" : "/v1/completions",
): string {
  const filter = merge.begin(requestOf(body, path), { whole: Buffer.from(prefill) }, undefined);
  // What stands around an event in its buffer is not of it.
  const bytes = Buffer.from(`"_tokens_details":{}${decode}"_tokens_details":{}`);
  const end = 20 + Buffer.byteLength(decode);
  if (!filter?.concerns(bytes, 20, end)) return decode;
  const json = filter.change(bytes.subarray(20, end));
  if (typeof json === "string") throw new Error(json);
  return json?.toString() ?? decode;
}

const usage = (details: string) =>
  `{"usage":{"prompt_tokens":9,"prompt_tokens_details":${details}}}`;

describe("vLLM's responses", () => {
  it.each([
    ["cached tokens", usage('{"cached_tokens":16}'), usage('{"cached_tokens":8}')],
    [
      "as prefill writes them",
      usage('{ "cached_tokens" : 1, "x":1e2 }'),
      usage('{"cached_tokens":8}'),
    ],
    ["nothing cached", usage("null"), usage('{"cached_tokens":8}')],
  ])("have the prefill's usage: %s", (_, prefill, decode) => {
    expect(changed(vllmResponses, "{}", prefill, decode)).toBe(prefill);
  });

  it.each([
    ["usage without details", usage("null")],
    ["words of a text", '{"choices":[{"text":"\\"prompt_tokens_details\\":{}"}]}'],
    ["a tool's arguments", '{"choices":[{"x":{"usage":{"prompt_tokens_details":{"a":1}}}}]}'],
    ["no JSON", '"prompt_tokens_details":{}'],
    ["half of it", '{"usage":{"prompt_tokens_details":{"cached_tok'],
    ["no KV transfer", '{"kv_transfer_params":null}'],
  ])("stay as they are: %s", (_, decode) => {
    expect(changed(vllmResponses, "{}", usage('{"cached_tokens":1}'), decode)).toBe(decode);
  });

  it("name details that are null where decode names them, and only there", () => {
    const prefill = usage('{"cached_tokens":4,"multimodal_tokens":null}');
    const inOnePiece = usage('{"cached_tokens":8,"multimodal_tokens":null}');
    const streamed = usage('{"cached_tokens":8}');
    expect(changed(vllmResponses, "{}", prefill, inOnePiece)).toBe(prefill);
    expect(changed(vllmResponses, "{}", prefill, streamed)).toBe(usage('{"cached_tokens":4}'));
  });

  it("say nothing where prefill says nothing", () => {
    expect(changed(vllmResponses, "{}", "{}", usage('{"cached_tokens":8}'))).toBe(usage("null"));
  });

  it("tell no client where memory is", () => {
    expect(changed(vllmResponses, "{}", "{}", '{"a":1,"kv_transfer_params": {"h":1} }')).toBe(
      '{"a":1,"kv_transfer_params": null }',
    );
  });

  it.each([
    [
      '{"type":"response.completed","response":{"usage":{"input_tokens_details":{"cached_tokens":99}}}}',
      '{"usage":{"input_tokens_details":{"cached_tokens":4}}}',
      '{"type":"response.completed","response":{"usage":{"input_tokens_details":{"cached_tokens":4}}}}',
    ],
    [
      '{"type":"message_start","message":{"usage":{"input_tokens":9,"cache_read_input_tokens":8}}}',
      '{"usage":{"input_tokens":9,"cache_read_input_tokens":0}}',
      '{"type":"message_start","message":{"usage":{"input_tokens":9,"cache_read_input_tokens":0}}}',
    ],
    [
      '{"message":{"usage":{"input_tokens":9,"cache_read_input_tokens":8,"output_tokens":0}}}',
      '{"usage":{"input_tokens":9}}',
      '{"message":{"usage":{"input_tokens":9,"output_tokens":0}}}',
    ],
    // With the cached tokens they make up the prompt.
    [
      '{"type":"message_delta","usage":{"input_tokens":1,"cache_read_input_tokens":8,"output_tokens":3}}',
      '{"usage":{"input_tokens":7,"cache_read_input_tokens":2,"output_tokens":1}}',
      '{"type":"message_delta","usage":{"input_tokens":7,"cache_read_input_tokens":2,"output_tokens":3}}',
    ],
    [
      '{"usage":{"input_tokens":0,"cache_read_input_tokens":null}}',
      '{"usage":{"input_tokens":7,"cache_read_input_tokens":2}}',
      '{"usage":{"input_tokens":0,"cache_read_input_tokens":null}}',
    ],
  ])("of other endpoints: %s", (decode, prefill, expected) => {
    expect(changed(vllmResponses, "{}", prefill, decode)).toBe(expected);
  });

  it("keep the digits of log-probabilities", () => {
    const body = '{"prompt":"ab","echo":true,"logprobs":1}';
    const prefill =
      '{"choices":[{"index":0,"text":"ab c","logprobs":{"text_offset":[0,1,2],"token_logprobs":[null,-1e-05,-0.50],"tokens":["a","b"," c"],"top_logprobs":[null,{"b":-1e-05},{" c":-0.50}]}}]}';
    const decode =
      '{"choices":[{"index":0,"text":" c d","logprobs":{"text_offset":[0,2],"token_logprobs":[-0.50,-0.0],"tokens":[" c"," d"],"top_logprobs":[{" c":-0.50},{" d":-0.0}]}}]}';
    expect(changed(vllmResponses, body, prefill, decode)).toBe(
      '{"choices":[{"index":0,"text":"ab c d","logprobs":{"text_offset":[0,1,2,4],"token_logprobs":[null,-1e-05,-0.50,-0.0],"tokens":["a","b"," c"," d"],"top_logprobs":[null,{"b":-1e-05},{" c":-0.50},{" d":-0.0}]}}]}',
    );
  });
});

describe("SGLang's responses", () => {
  const one = (list: string, more = "") =>
    `{"text":"t"${more},"meta_info":{"id":"x","input_token_logprobs":${list}}}`;
  const asks = '{"text":"p","return_logprob":true}';

  it.each([
    [
      "[[-1.0,5,null]]",
      "[[-2.50,6,null],[-0.1,7,null]]",
      "[[-2.50,6,null],[-0.1,7,null],[-1.0,5,null]]",
    ],
    ["[]", "[[-2.50,6,null]]", "[[-2.50,6,null]]"],
    ["[[1,2,3]]", "[]", "[[1,2,3]]"],
  ])("have prefill's log-probabilities first: %s", (decode, prefill, expected) => {
    expect(changed(sglangResponses, asks, one(prefill), one(decode))).toBe(one(expected));
  });

  it("of a batch go by their place, and by their number in a stream", () => {
    const prefill = `[${one("[[1,1,null]]")},${one("[[2,2,null]]")}]`;
    expect(changed(sglangResponses, asks, prefill, `[${one("[]")},${one("[]")}]`)).toBe(prefill);
    const event = (list: string) => one(list, ',"index":1');
    expect(changed(sglangResponses, asks, prefill, event("[]"))).toBe(event("[[2,2,null]]"));
  });

  it("tell the prefill's cached tokens, in each event and of each prompt", () => {
    const of = (cached: number, more = "") =>
      `{"text":"t"${more},"meta_info":{"cached_tokens":${cached}}}`;
    expect(changed(sglangResponses, "{}", of(3), of(99))).toBe(of(3));
    const several = `[${of(3)},${of(4)}]`;
    expect(changed(sglangResponses, "{}", several, of(99, ',"index":1'))).toBe(of(4, ',"index":1'));
    expect(changed(sglangResponses, "{}", "{}", of(99))).toBe(of(99));
    const chat = "/v1/chat/completions";
    const usage = (cached: number) =>
      `{"usage":{"prompt_tokens_details":{"cached_tokens":${cached}}}}`;
    expect(changed(sglangResponses, "{}", usage(3), usage(99), chat)).toBe(usage(3));
  });

  it("stay as they are where nobody asks", () => {
    expect(changed(sglangResponses, '{"return_logprob":false}', one("[[1,1,1]]"), one("[]"))).toBe(
      one("[]"),
    );
  });
});
