/**
 * What TensorRT-LLM's servers need to be told, what is theirs alone, and what a client gets where there is nothing to
 * generate.
 */
import { describe, expect, it } from "vitest";
import type { FinalReply } from "../../../src/dialects/dialect.ts";
import { signatureLine } from "../../../src/dialects/trtllm/signature.ts";
import { trtllm, trtllmGenFirst } from "../../../src/dialects/trtllm/trtllm.ts";
import { Attempt, decodeBody, engines, prefillBody, requestOf, strippedBody } from "../legs.ts";

/** What the first number of the tests' mint, 2^53 + 2, becomes between 2^42 and 2^53. */
const id = `${2n ** 42n + ((2n ** 53n + 2n) % (2n ** 53n - 2n ** 42n))}`;
const opaque = `"encoded_opaque_state":"+/9\\/=="`;
const usage = `{"prompt_tokens": 5,"total_tokens":6,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":3}}`;

interface Context {
  readonly reason?: string;
  readonly params?: string;
  readonly choice?: string;
  readonly top?: string;
}

const usualParams = `{"request_type":"context_only","first_gen_tokens":[15043],"ctx_request_id":9223372036854775807,${opaque},"disagg_request_id":${id},"ctx_usage":null}`;

function contextResponse({ reason, params, choice, top }: Context = {}): string {
  const reported = params ?? usualParams;
  return (
    `{"id":"cmpl-1","object":"x","created":7,"model":"m","choices":[{"index":0,${choice ?? '"text":"Hé"'},` +
    `"finish_reason":${reason ?? '"not_finished"'},"stop_reason":null,"disaggregated_params":${reported}}],` +
    `"usage":${usage},${top ?? '"prompt_token_ids":[1, 9038,13]'}}`
  );
}

const generationParams = usualParams
  .replace("context_only", "generation_only")
  .replace('"ctx_usage":null', `"ctx_usage":${usage}`);

describe("context first", () => {
  it("tells the context server what it is to do, and leaves the limits to it", () => {
    const body = `{"prompt":"x","max_tokens":900,"max_completion_tokens":8,"min_tokens":7,"stream":true,"stream_options":{"include_usage":true}}`;
    expect(prefillBody(trtllm, body)).toBe(
      `{"prompt":"x","max_tokens":900,"max_completion_tokens":8,"min_tokens":7,"stream":false,"disaggregated_params":{"request_type":"context_only","disagg_request_id":${id}}}`,
    );
  });

  it("takes ids that no engine gives by itself, and that fit into a double", () => {
    const request = requestOf("{}");
    for (const integer of [0n, 1n, 2n ** 62n, 2n ** 63n - 1n]) {
      const ids = { ...request.ids, integer63: () => integer };
      const edits: string[] = [];
      trtllm.beginTransfer({ ...request, ids }).prefillEdits(
        {
          appendMember: (_key: unknown, value: Buffer) => edits.push(value.toString()),
        } as never,
        engines,
      );
      const reported = BigInt(/"disagg_request_id":(\d+)/.exec(edits[0]!)![1]!);
      expect(reported >= 2n ** 42n && reported < 2n ** 53n).toBe(true);
    }
  });

  it("gives the generation server what the context server said, digit by digit, and the prompt as ids", () => {
    const body = `{"prompt":"Hello","max_tokens":9,"stream":true}`;
    const round = new Attempt(trtllm, body, "/v1/completions");
    round.prefill();
    expect(round.transfer.prefillResponded(Buffer.from(contextResponse()))).toBeUndefined();
    expect(round.decode()).toBe(
      `{"prompt":[1, 9038,13],"max_tokens":9,"stream":true,"disaggregated_params":${generationParams}}`,
    );
  });

  it("adds the ids to a chat, whose messages stay", () => {
    const body = `{"messages":[{"role":"user","content":"x"}]}`;
    expect(decodeBody(trtllm, body, contextResponse())).toBe(
      `{"messages":[{"role":"user","content":"x"}],"disaggregated_params":${generationParams},"prompt_token_ids":[1, 9038,13]}`,
    );
  });

  it.each([
    [
      `"prompt_token_ids":null,"prompt_token_ids_b64":"AQAAAA=="`,
      `"prompt_token_ids_b64":"AQAAAA=="`,
    ],
    [`"prompt_token_ids":[7],"prompt_token_ids_b64":null`, `"prompt_token_ids":[7]`],
  ])("never gives a chat's prompt in both forms: %s", (top, expected) => {
    const body = `{"prompt_token_ids_b64":"b2xk","prompt_token_ids":[6],"messages":[]}`;
    const { disaggregated_params: _, ...rest } = JSON.parse(
      decodeBody(trtllm, body, contextResponse({ top })),
    );
    expect(rest).toEqual(JSON.parse(`{"messages":[],${expected}}`));
  });

  it("tells no usage to an engine that does not know the field: it would refuse it", () => {
    const params = usualParams.replace(',"ctx_usage":null', "");
    expect(decodeBody(trtllm, "{}", contextResponse({ params }))).not.toContain("ctx_usage");
  });

  it("begins a new id with each round: a context server has the old one still", () => {
    const request = requestOf(`{"prompt":"x"}`);
    const reported = [1, 2].map(() => {
      const parts: string[] = [];
      const edits = { appendMember: (_: unknown, value: Buffer) => parts.push(value.toString()) };
      trtllm.beginTransfer(request).prefillEdits(edits as never, engines);
      return parts[0];
    });
    expect(reported[0]).not.toBe(reported[1]);
  });

  it.each([
    ["no choice", `{"choices":[]}`],
    ["two choices", `{"choices":[{"finish_reason":"stop"},{"finish_reason":"stop"}]}`],
    ["no parameters", contextResponse({ params: "null" })],
    [
      "no id of the context",
      contextResponse({
        params: usualParams.replace(/"ctx_request_id":\d+/, '"ctx_request_id":null'),
      }),
    ],
    [
      "no id of the round",
      contextResponse({ params: usualParams.replace(/"disagg_request_id":\d+,/, "") }),
    ],
    ["no type", contextResponse({ params: `{"ctx_request_id":1,"disagg_request_id":2}` })],
    ["half an answer", contextResponse().slice(0, 150)],
  ])("fails rather than have the prompt computed twice in silence: %s", (_, response) => {
    const { transfer } = new Attempt(trtllm, "{}");
    expect(transfer.prefillResponded(Buffer.from(response))).toBe("no-transfer");
  });

  it.each(['"length"', '"not_finished"', "null"])("generates after %s", (reason) => {
    const { transfer } = new Attempt(trtllm, "{}");
    expect(transfer.prefillResponded(Buffer.from(contextResponse({ reason })))).toBeUndefined();
  });
});

describe("a first token that is the last", () => {
  function final(body: string, context: Context, path = "/v1/completions"): FinalReply {
    const { transfer } = new Attempt(trtllm, body, path);
    const response = contextResponse({ reason: '"stop"', ...context });
    return transfer.prefillResponded(Buffer.from(response)) as FinalReply;
  }

  const eventsOf = ({ body }: FinalReply) => {
    const events = body.toString().split("\n\n");
    expect(events.slice(-2)).toEqual(["data: [DONE]", ""]);
    return events.slice(0, -2).map((event) => JSON.parse(event.replace(/^data: /, "")));
  };

  it("is the client's response, without what is the generation server's", () => {
    const { contentType, body } = final(`{"prompt":"x"}`, {
      top: `"prompt_token_ids":[1],"prompt_token_ids_b64":"AQAAAA=="`,
    });
    expect(contentType).toBe("application/json");
    expect(body.toString()).toBe(
      contextResponse({
        reason: '"stop"',
        params: "null",
        top: `"prompt_token_ids":null,"prompt_token_ids_b64":null`,
      }),
    );
  });

  it("also where nothing was transferred, as after a cancelled prefill", () => {
    const { body } = final("{}", { reason: '"cancelled"', params: "null" });
    expect(JSON.parse(body.toString()).choices[0]).toMatchObject({ finish_reason: "cancelled" });
  });

  it("comes as events to a client that wants a stream, with its text", () => {
    const response = final(`{"prompt":"x","stream":true}`, {});
    expect(response.contentType).toBe("text/event-stream; charset=utf-8");
    expect(eventsOf(response)).toEqual([
      {
        object: "text_completion",
        id: "cmpl-1",
        created: 7,
        model: "m",
        choices: [{ index: 0, text: "Hé", finish_reason: "stop", stop_reason: null }],
      },
    ]);
  });

  it("comes with its role in a chat, and with its calls numbered", () => {
    const calls = `"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}},{"id":"b"}]`;
    const choice = `"message":{"role":"assistant","content":"a\\nb",${calls},"reasoning_content":null}`;
    const [first, second] = eventsOf(
      final(`{"messages":[],"stream":true}`, { choice }, "/v1/chat/completions"),
    );
    expect(first.choices[0].delta).toEqual({ role: "assistant", content: "" });
    expect(first.choices[0].finish_reason).toBeNull();
    expect(second.object).toBe("chat.completion.chunk");
    expect(second.choices[0]).toMatchObject({ index: 0, finish_reason: "stop" });
    expect(second.choices[0].delta).toEqual({
      content: "a\nb",
      tool_calls: [
        { index: 0, id: "a", type: "function", function: { name: "f", arguments: "{}" } },
        { index: 1, id: "b" },
      ],
      reasoning_content: null,
    });
  });

  it.each([
    [`{"include_usage":true}`, true],
    [`{}`, true],
    [`{"include_usage":false}`, false],
    [`{"include_usage":null}`, false],
    ["null", false],
  ])("has usage in the end with stream_options %s: %s", (options, isTold) => {
    const events = eventsOf(final(`{"stream":true,"stream_options":${options}}`, {}));
    const last = events.at(-1);
    if (isTold) expect(last).toMatchObject({ choices: [], usage: JSON.parse(usage) });
    else expect(events).toHaveLength(1);
  });

  it("is one line for each event, however the engine lays out its JSON", () => {
    const choice = `"text":"a",\n  "logprobs":{\r\n"tokens":["a"]}`;
    const [event] = eventsOf(final(`{"stream":true}`, { choice }));
    expect(event.choices[0].logprobs).toEqual({ tokens: ["a"] });
  });
});

describe("generation first", () => {
  const withAttributes = (attributes: Record<string, string>) => ({
    ...engines,
    prefill: { ...engines.prefill, attributes },
  });

  it("has both engines meet by one id, where the context server says", () => {
    const body = `{"prompt":"x","max_tokens":9,"stream":true}`;
    const round = new Attempt(trtllmGenFirst, body);
    const ids = `"ctx_request_id":${id},"disagg_request_id":${id},"schedule_style":1`;
    const of = withAttributes({ ctx_info_endpoint: "tcp://10.0.0.1:5000", ctx_dp_rank: "0" });
    expect(round.decode(of)).toBe(
      `{"prompt":"x","max_tokens":9,"stream":true,"disaggregated_params":{"request_type":"generation_only",${ids},"ctx_dp_rank":0,"ctx_info_endpoint":"tcp://10.0.0.1:5000"}}`,
    );
    expect(round.prefill(of)).toBe(
      `{"prompt":"x","max_tokens":9,"stream":false,"disaggregated_params":{"request_type":"context_only","disagg_request_id":${id},"schedule_style":1}}`,
    );
  });

  it("leaves the rank out where the context server has several, and what is no rank", () => {
    for (const attributes of [{}, { ctx_dp_rank: '0,"x":1' }]) {
      const body = new Attempt(trtllmGenFirst, "{}").decode(withAttributes(attributes));
      expect(body).not.toContain("ctx_dp_rank");
    }
  });

  it("has generation end a response that ends with the first token: it is under way", () => {
    const { transfer } = new Attempt(trtllmGenFirst, "{}");
    const response = contextResponse({ reason: '"stop"' });
    expect(transfer.prefillResponded(Buffer.from(response))).toBeUndefined();
  });
});

describe("a key of the generation server's", () => {
  const keyed = {
    ...engines,
    prefill: { ...engines.prefill, attributes: { ctx_info_endpoint: "tcp://10.0.0.1:5000" } },
    decode: { ...engines.decode!, attributes: { internal_request_auth_key: "secret" } },
  };

  it("signs what names memory, as Python's json and hmac do", () => {
    const contextFirst = new Attempt(trtllm, "{}").transfer;
    contextFirst.prefillResponded(Buffer.from(contextResponse()));
    // python3: hmac.new(b"secret", json.dumps({...}, sort_keys=True, separators=(",", ":")).encode(),
    // sha256).hexdigest()
    expect(contextFirst.headerLines!("decode", keyed)).toBe(
      "x-trtllm-disagg-auth: sha256=51b2d159ae71003967ee5484849354ab4a3c114f52aacab1df796571760663d3\r\n",
    );
    expect(new Attempt(trtllmGenFirst, "{}").transfer.headerLines!("decode", keyed)).toBe(
      "x-trtllm-disagg-auth: sha256=9f231f1556947f2cc0d68b742964cb16e8662f6b41262d536be4f2692f786130\r\n",
    );
    expect(signatureLine("secret", Buffer.from(`{"ctx_info_endpoint":"é\\u00e9\\/😀"}`))).toBe(
      "x-trtllm-disagg-auth: sha256=43cd1ac5cce847eb613d6006376d69d807563ee63f11096d33f150724b677d34\r\n",
    );
  });

  it("is for generation alone, and for what has something to sign", () => {
    const { transfer } = new Attempt(trtllmGenFirst, "{}");
    expect(transfer.headerLines!("prefill", keyed)).toBe("");
    expect(transfer.headerLines!("decode", engines)).toBe("");
    expect(signatureLine("secret", Buffer.from(`{"ctx_info_endpoint":null}`))).toBe("");
  });
});

it.each([trtllm, trtllmGenFirst])("$name transfers what a context server can", (dialect) => {
  const supports = (body: string, path?: string) => dialect.supports!(requestOf(body, path));
  expect(supports(`{"messages":[]}`)).toBe(true);
  expect(supports(`{"prompt":[1,2]}`, "/v1/completions")).toBe(true);
  expect(supports(`{"prompt":["a"]}`, "/v1/completions")).toBe(true);
  expect(supports(`{"prompt":["a","b"]}`, "/v1/completions")).toBe(false);
  expect(supports(`{"messages":[],"n":2}`)).toBe(false);
  // Refused there: the field is of completions alone.
  expect(supports(`{"input":"x"}`, "/v1/responses")).toBe(false);
  expect(strippedBody(dialect, `{"prompt":"x","disaggregated_params":{}}`)).toBe(`{"prompt":"x"}`);
});

describe("a generation server's response", () => {
  const changed = (json: string) =>
    trtllm
      .merge!.begin(requestOf("{}"), { whole: Buffer.from(contextResponse()) }, undefined)!
      .change(Buffer.from(json))
      ?.toString();

  it("tells which of the prompt was cached before the prefill, which only the context server knows", () => {
    const reported = (details: string) =>
      `{"usage":{"prompt_tokens":5,"prompt_tokens_details":${details}}}`;
    expect(changed(reported(`{"cached_tokens":4}`))).toBe(reported(`{"cached_tokens":3}`));
    expect(changed(reported("null"))).toBeUndefined();
  });

  it("does not name memory to clients", () => {
    expect(changed(`{"choices":[{"text":"a","disaggregated_params":{"x":1}}]}`)).toBe(
      `{"choices":[{"text":"a","disaggregated_params":null}]}`,
    );
    expect(changed(`{"choices":[{"text":"a","disaggregated_params":null}]}`)).toBeUndefined();
  });
});
