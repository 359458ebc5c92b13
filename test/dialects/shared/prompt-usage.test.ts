/** What a prefill's answer tells of its prompt, at each endpoint; what it does not tell must not be made up. */
import { expect, it } from "vitest";
import { promptUsageOf } from "../../../src/dialects/shared/prompt-usage.ts";

it.each([
  [{ usage: { prompt_tokens: 7, prompt_tokens_details: { cached_tokens: 3 } } }, 7, 3],
  [{ usage: { prompt_tokens: 7, prompt_tokens_details: null } }, 7, undefined],
  [{ usage: { input_tokens: 9, input_tokens_details: { cached_tokens: 0 } } }, 9, 0],
  [{ usage: { input_tokens: 9, cache_read_input_tokens: 4 } }, 9, 4],
  [{ text: "x", meta_info: { prompt_tokens: 5, cached_tokens: 1 } }, 5, 1],
  [{ usage: null }, undefined, undefined],
  [{ usage: { prompt_tokens: -1 } }, undefined, undefined],
  [{ usage: { prompt_tokens: 1.5 } }, undefined, undefined],
  [{ choices: [{ text: '"usage":{"prompt_tokens":3}' }] }, undefined, undefined],
])("%j", (response, promptTokens, cachedTokens) => {
  expect(promptUsageOf(Buffer.from(JSON.stringify(response)))).toEqual({
    promptTokens,
    cachedTokens,
  });
});

it.each(["", "[1]", "{", '{"usage":[1,2]}', '{"usage":{"prompt_tokens":"7"}}', "nonsense"])(
  "tells nothing where there is nothing: %s",
  (text) => {
    expect(promptUsageOf(Buffer.from(text)).promptTokens).toBeUndefined();
  },
);
