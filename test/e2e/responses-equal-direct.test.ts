/**
 * For every field of a request: the response through prefill and decode is byte for byte that of one engine, its usage
 * included.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { post } from "../support/http-client.ts";
import { oneRuntime } from "../support/runtimes.ts";
import { type Engine, instant, type ServingProxy, Stack, totals } from "../support/stack.ts";

const completions = "/v1/completions";
const chat = "/v1/chat/completions";

/** Long enough for whole blocks of it to be cached when it comes again. */
const prompt =
  "Where does the KV cache of this very prompt go once prefill is done with it? ".repeat(4);
const messages = [
  { role: "system", content: "Be brief." },
  { role: "user", content: prompt },
];
const tool = {
  type: "function",
  function: {
    name: "f",
    parameters: { type: "object", properties: { stream: { type: "string" } } },
  },
};
const schema = { type: "json_schema", json_schema: { name: "s", schema: { type: "object" } } };

/** What both endpoints know. */
const common: readonly object[] = [
  {},
  { max_tokens: 5 },
  { max_tokens: 5, min_tokens: 5 },
  { max_tokens: 40, stop: "the" },
  { max_tokens: 40, stop: ["a", "of"], include_stop_str_in_output: true },
  { max_tokens: 9, stop_token_ids: [7, 4_294_967_295], ignore_eos: true },
  { max_tokens: 6, seed: 11, temperature: 0.5, top_p: 0.9, top_k: 5, min_p: 0.1 },
  { max_tokens: 6, presence_penalty: 0.5, frequency_penalty: -0.5, repetition_penalty: 1.1 },
  { max_tokens: 6, logit_bias: { "1234": -100 }, user: "u", priority: 1, cache_salt: "s" },
  { max_tokens: 6, skip_special_tokens: false, spaces_between_special_tokens: false },
  { max_tokens: 6, response_format: schema },
  { max_tokens: 6, structured_outputs: { regex: '"max_tokens"' } },
  { max_tokens: 6, return_token_ids: true },
  { max_tokens: 6, truncate_prompt_tokens: -1, allowed_token_ids: [1, 2], bad_words: ["x"] },
  { max_tokens: 6, request_id: "mine", extra_args: { kv: null } },
];
const ofCompletions: readonly object[] = [
  { max_tokens: 4, echo: true },
  { max_tokens: 4, logprobs: 0 },
  { max_tokens: 4, logprobs: 5 },
  { max_tokens: 0, echo: true, logprobs: 1 },
  { max_tokens: 0, echo: true },
  { max_tokens: 1, echo: true, logprobs: 1 },
  { max_tokens: 4, echo: true, logprobs: 3 },
  { max_tokens: 30, echo: true, logprobs: 3, stop: "the" },
  { max_tokens: 4, echo: true, logprobs: 0, return_token_ids: true },
  { max_tokens: 4, suffix: "end", best_of: 1, n: 1 },
  { max_tokens: 4, prompt: ["One prompt", "Another"], echo: true, logprobs: 2 },
  { max_tokens: 4, prompt: [11, 22, 33, 44], echo: true, logprobs: 2 },
  { max_tokens: 4, prompt: 'quoted "x" é 東京 🚀 \\ \n', echo: true, logprobs: 2 },
];
const ofChat: readonly object[] = [
  { max_completion_tokens: 4, max_tokens: 9 },
  { max_tokens: 4, logprobs: true },
  { max_tokens: 4, logprobs: true, top_logprobs: 3 },
  { max_tokens: 4, tools: [tool], tool_choice: "auto", parallel_tool_calls: false },
  { max_tokens: 4, tools: [tool], tool_choice: { type: "function", function: { name: "f" } } },
  { max_tokens: 4, chat_template_kwargs: { enable_thinking: false }, reasoning_effort: "low" },
  { max_tokens: 4, echo: true, add_generation_prompt: false, continue_final_message: true },
];
/** Refused in a stream, by engine and proxy alike. */
const promptLogprobs: readonly object[] = [
  { max_tokens: 3, prompt_logprobs: 0 },
  { max_tokens: 3, prompt_logprobs: 4, logprobs: null },
];

const ways = [
  ["in one piece", {}],
  ["streamed", { stream: true }],
  ["streamed with usage", { stream: true, stream_options: { include_usage: true } }],
  [
    "streamed with usage in each event",
    { stream: true, stream_options: { include_usage: true, continuous_usage_stats: true } },
  ],
] as const;

function casesOf(fields: readonly object[], path: string, base: object) {
  return fields.flatMap((some) =>
    ways.map(([way, more]) => {
      const { prompt: own, ...shown } = some as { prompt?: unknown };
      const name = `${path} ${JSON.stringify(shown)} ${own === undefined ? "" : JSON.stringify(own)}`;
      return [`${name} ${way}`, path, { ...base, ...some, ...more }] as const;
    }),
  );
}

const cases = [
  ...casesOf([...common, ...ofCompletions, ...promptLogprobs], completions, { prompt }),
  ...casesOf([...common, ...ofChat, ...promptLogprobs], chat, { messages }),
];
const reported = [...instant, "--prompt-tokens-details", "--prefix-cache"];

/** Log-probabilities of a prompt are vLLM's: TensorRT-LLM has no such field. */
function asksOfPrompt([, , body]: (typeof cases)[number]): boolean {
  return "prompt_logprobs" in body || ("echo" in body && "logprobs" in body);
}

const dialects = [
  { dialect: "omni" },
  { dialect: "vllm-nixl", carriesOne: true },
  { dialect: "trtllm", carriesOne: true, asked: cases.filter((one) => !asksOfPrompt(one)) },
  {
    dialect: "trtllm-gen-first",
    engines: "trtllm",
    carriesOne: true,
    asked: cases.filter((one) => !asksOfPrompt(one)),
  },
];
const fleets = dialects.flatMap((fleet) =>
  oneRuntime(fleet.dialect).map((runtime) => ({ runtime, ...fleet })),
);

describe.each(fleets)("on $runtime, $dialect", (fleet) => {
  const { runtime, dialect, engines = dialect, carriesOne = false, asked = cases } = fleet;
  const stack = new Stack(runtime);
  let pair: readonly [Engine, Engine];
  let direct: Engine;
  let proxy: ServingProxy;

  beforeAll(async () => {
    const switches = [...reported, "--dialect", engines];
    const [prefills, decodes, mixed] = await Promise.all([
      stack.startEngines("prefill", 1, switches),
      stack.startEngines("decode", 1, switches),
      stack.startEngines("mixed", 1, switches),
    ]);
    pair = [prefills[0]!, decodes[0]!];
    direct = mixed[0]!;
    proxy = await stack.startByFlags(prefills, decodes, "--dialect", dialect);
  });
  afterAll(() => stack.end());

  test.each(asked)("%s", async (name, path, body) => {
    const headers = { "x-request-id": "same" };
    for (let time = 0; time < 2; time += 1) {
      const expected = await post(direct.url + path, body, { headers });
      const response = await post(proxy.url + path, body, { headers });
      expect(response.body, name).toBe(expected.body);
      expect(response).toMatchObject({ status: expected.status, end: "whole" });
      for (const field of ["content-type", "content-length", "transfer-encoding"]) {
        expect(response.headers[field], field).toBe(expected.headers[field]);
      }
      const refused = "stream" in body && "prompt_logprobs" in body && body.prompt_logprobs !== 0;
      expect(expected.status).toBe(refused ? 400 : 200);
    }
  });

  test("all of them with a KV transfer: nothing was computed twice, and cached tokens were reported", async () => {
    const [prefill, decode] = await Promise.all(pair.map((engine) => engine.state()));
    // Decode alone computes an echo of nothing else, and lists where one prompt is carried.
    const ofOne = asked.filter(([, , body]) => {
      const { prompt: list, max_tokens: cap } = body as { prompt?: unknown; max_tokens?: number };
      return cap === 0 || (carriesOne && Array.isArray(list) && typeof list[0] === "string");
    });
    const recomputed = 2 * ofOne.length;
    expect(totals([prefill!, decode!])).toMatchObject({ recomputed, violations: 0 });
    expect(decode!.remotePrefills).toBeGreaterThan(asked.length);
    const body = { prompt, max_tokens: 2 };
    const { usage } = JSON.parse((await post(proxy.url + completions, body)).body);
    // 77 tokens, of which the last block of 16 is not whole.
    expect(usage.prompt_tokens_details.cached_tokens).toBe(64);
  });
});
