/**
 * Each endpoint says in members of its own how much it wants: a prefill engine that misses one writes the whole
 * answer.
 */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isGenerating } from "../../../src/dialects/endpoints/endpoint.ts";
import { completions, endpoints } from "../../../src/dialects/endpoints/endpoints.ts";
import {
  endpointOf,
  generatingAt,
  storedResponseId,
} from "../../../src/dialects/endpoints/find-endpoint.ts";

import { vllmNixl } from "../../../src/dialects/vllm/nixl.ts";
import { omni } from "../../../src/dialects/vllm-ascend/omni.ts";
import { objectText } from "../../body/json-text.ts";
import { prefillBody, requestOf, transferring } from "../legs.ts";

/** What a client may say of lengths and streams, and what the prefill engine is to hear. */
const asked: readonly (readonly [path: string, client: object, prefill: object])[] = [
  [
    "/v1/completions",
    { max_tokens: 90, min_tokens: 7, n: 1, best_of: 1, stream: true, stream_options: {} },
    { max_tokens: 1, min_tokens: 1, n: 1, best_of: 1, stream: false },
  ],
  [
    "/v1/chat/completions",
    { max_completion_tokens: 90, min_tokens: 7, stream: true, stream_options: {} },
    { max_completion_tokens: 1, min_tokens: 1, stream: false, max_tokens: 1 },
  ],
  ["/invocations", { max_tokens: 90, stream: true }, { max_tokens: 1, stream: false }],
  [
    "/v1/responses",
    { max_output_tokens: 90, stream: true, background: true, store: true },
    { max_output_tokens: 1, stream: false, background: false, store: false },
  ],
  ["/v1/responses", {}, { max_output_tokens: 1, store: false }],
  ["/v1/messages", { max_tokens: 90, stream: true }, { max_tokens: 1, stream: false }],
  [
    "/inference/v1/generate",
    { sampling_params: { seed: 1, max_tokens: 90, min_tokens: 7, n: 1 }, stream: true },
    { sampling_params: { seed: 1, max_tokens: 1, min_tokens: 1, n: 1 }, stream: false },
  ],
  ["/inference/v1/generate", {}, { sampling_params: { max_tokens: 1 } }],
  ["/inference/v1/generate", { sampling_params: null }, { sampling_params: { max_tokens: 1 } }],
  ["/inference/v1/generate", { sampling_params: "x" }, { sampling_params: "x" }],
  [
    "/generate",
    { text: "a", sampling_params: { max_new_tokens: 90, min_new_tokens: 7 }, stream: true },
    { text: "a", sampling_params: { max_new_tokens: 1, min_new_tokens: 1 }, stream: false },
  ],
];

it.each(asked)("%s: a prefill of %j", (path, client, prefill) => {
  expect(JSON.parse(prefillBody(omni, JSON.stringify(client), path))).toEqual(prefill);
});

it("a first token that ends the text is kept from ending the prefill, where the endpoint can say so", () => {
  const of = (path: string) => JSON.parse(prefillBody(vllmNixl, "{}", path));
  expect(of("/v1/completions").min_tokens).toBe(1);
  expect(of("/inference/v1/generate").sampling_params).toEqual({ max_tokens: 1, min_tokens: 1 });
  // Their engines do not know the member, and TensorRT-LLM's refuse what they do not know.
  expect(of("/v1/responses")).not.toHaveProperty("min_tokens");
  expect(of("/v1/messages")).not.toHaveProperty("min_tokens");
});

const paths = endpoints.filter(isGenerating).flatMap((endpoint) => endpoint.paths);

describe.each(paths)("at %s", (path) => {
  it.each(transferring)("%s makes valid JSON of any object and keeps bystanders", (_, dialect) => {
    fc.assert(
      fc.property(objectText, ({ text, members }) => {
        const object = JSON.parse(prefillBody(dialect, text, path)) as Record<string, unknown>;
        for (const bystander of ["model", "7", "max_token", "Stream"]) {
          const last = members.findLast((member) => member.name === bystander);
          const expected = last === undefined ? undefined : JSON.parse(last.value);
          expect(object[bystander]).toEqual(expected);
        }
        // In a stream a prefill that fails would have its status already.
        expect([undefined, false]).toContain(object["stream"]);
      }),
      { numRuns: 50 },
    );
  });

  it("the bound is one for every spelling of the body, and nothing beside it changes", () => {
    const { limits } = generatingAt(path);
    const number = fc.integer({ min: 0, max: 1e6 });
    const others = fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 4 });
    fc.assert(
      fc.property(others, others, number, fc.boolean(), (outer, inner, most, isSpaced) => {
        const bounds = { ...inner, [limits.maxTokens.text]: most, other: '\\"}' };
        const { within } = limits;
        const body = within === undefined ? bounds : { ...outer, [within.text]: bounds };
        const text = JSON.stringify(body, null, isSpaced ? 2 : 0);
        const object = JSON.parse(prefillBody(omni, text, path)) as Record<string, unknown>;
        const bounded = within === undefined ? object : object[within.text];
        expect(bounded).toMatchObject({ [limits.maxTokens.text]: 1, other: '\\"}' });
      }),
    );
  });
});

it.each([
  ["/v1/chat/completions", "chat completions"],
  ["/llm/v1/completions", "completions"],
  ["/inference/v1/generate", "vLLM's generate"],
  ["/x/generate", "SGLang's generate"],
  ["/v1/responses", "responses"],
  ["/what/ever", completions.name],
])("what is prefilled at %s is %s", (path, name) => {
  expect(generatingAt(path).name).toBe(name);
});

it.each([
  ["/v1/models", "all-engines"],
  ["/tokenize", "any-engine"],
  ["/v1/messages/count_tokens", "any-engine"],
  ["/v1/responses/resp_1", "storing-engine"],
  ["/v1/responses/resp_1/cancel", "storing-engine"],
  ["/v1/embeddings", "one-engine"],
  ["/v1/chat/completions/batch", "one-engine"],
  ["/v1/responses/resp_1/other", undefined],
  ["/v1/audio/transcriptions", "one-engine"],
])("%s is served by %s", (path, servedBy) => {
  expect(endpointOf(path)?.servedBy).toBe(servedBy);
});

it("the id of a stored response is read from its paths alone", () => {
  expect(storedResponseId("/v1/responses/resp_1")).toBe("resp_1");
  expect(storedResponseId("/v1/responses/resp_1/cancel")).toBe("resp_1");
  expect(storedResponseId("/v1/responses")).toBe("");
  expect(storedResponseId(`/v1/responses/${"a".repeat(129)}`)).toBe("");
});

it.each([
  ["/inference/v1/generate", `{"sampling_params":{"n":2}}`, false],
  ["/inference/v1/generate", `{"n":2,"sampling_params":{"n":1}}`, true],
  ["/v1/responses", `{"input":["a","b"]}`, true],
  ["/v1/messages", `{"messages":[]}`, true],
  ["/v1/completions", `{"prompt":["a","b"]}`, false],
])("%s %s is carried by one KV transfer: %s", (path, body, isCarried) => {
  expect(vllmNixl.supports!(requestOf(body, path))).toBe(isCarried);
});
