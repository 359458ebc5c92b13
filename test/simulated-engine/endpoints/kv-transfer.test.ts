/**
 * The strict KV transfer at each endpoint: an answer through prefill and decode that is not the one of one engine
 * alone.
 */
import { afterEach, describe, expect, it } from "vitest";
import { type EngineOptions, instantTiming } from "../../../src/simulated-engine/options.ts";
import { type RunningEngine, startEngine } from "../../../src/simulated-engine/server.ts";
import { eventually } from "../../support/eventually.ts";
import { kvParamsOf, post, splice } from "../http.ts";

const running: RunningEngine[] = [];

async function start(options: EngineOptions): Promise<RunningEngine> {
  const engine = await startEngine({ ...instantTiming, ...options });
  running.push(engine);
  return engine;
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((engine) => engine.close()));
});

/** Which prompt tokens were cached is the prefill engine's to tell; decode has computed none of them. */
async function withoutCached(response: Response): Promise<string> {
  return (await response.text()).replaceAll(/"cached_tokens":\d+/g, "");
}

const id = { "x-request-id": "one" };
const messages = [{ role: "user", content: "Tell me of the sea" }];
const input = [{ role: "user", content: [{ type: "input_text", text: "Tell me of the sea" }] }];

/** With the members that make a request one for a prefill. */
const endpoints: readonly [path: string, body: object, one: object][] = [
  ["/v1/responses", { input, max_output_tokens: 20 }, { max_output_tokens: 1, store: false }],
  [
    "/v1/messages",
    { model: "simulated", system: "Be short.", messages, max_tokens: 20 },
    { max_tokens: 1 },
  ],
  ["/invocations", { messages, max_tokens: 20 }, { max_tokens: 1 }],
  ["/invocations", { prompt: "Tell me of the sea", max_tokens: 20 }, { max_tokens: 1 }],
  [
    "/inference/v1/generate",
    { token_ids: [101, 7592, 2088], sampling_params: { max_tokens: 20, logprobs: 1 } },
    { sampling_params: { max_tokens: 1 } },
  ],
];

describe.each(endpoints)("P/D by hand on %s", (path, body, one) => {
  const hold = { do_remote_decode: true, do_remote_prefill: false };

  async function startPair() {
    const dialect = "vllm-nixl";
    const prefill = await start({ role: "prefill", dialect });
    const decode = await start({ role: "decode", dialect });
    const prefilled = { ...body, ...one, kv_transfer_params: hold };
    const response = await post(prefill.url, path, prefilled, id);
    return { prefill, decode, params: kvParamsOf(await response.text()) };
  }

  it.each([true, false])(
    "gives the very bytes of one engine alone (stream: %s)",
    async (stream) => {
      const { prefill, decode, params } = await startPair();
      const request = { ...body, stream };
      const handed = splice(request, "kv_transfer_params", params);
      const response = await post(decode.url, path, handed, id);
      const alone = await start({ role: "mixed", dialect: "vllm-nixl" });
      const own = await post(alone.url, path, request, id);
      expect(await withoutCached(response)).toBe(await withoutCached(own));
      expect(decode.state()).toMatchObject({ remotePrefills: 1, protocolViolations: 0 });
      expect(prefill.state()).toMatchObject({ fetched: 1, held: 0, protocolViolations: 0 });
    },
  );

  it("refuses the KV of another prompt, in the endpoint's own words", async () => {
    const { decode, params } = await startPair();
    const other = JSON.parse(JSON.stringify(body).replaceAll(/sea|7592/g, (was) => `${was}1`));
    const response = await post(decode.url, path, splice(other, "kv_transfer_params", params), id);
    expect(response.status).toBe(500);
    const error = { error: { message: expect.stringContaining("wrong_prompt") } };
    expect(await response.json()).toMatchObject(error);
  });

  it("counts a prompt without parameters as recomputed", async () => {
    const { decode } = await startPair();
    expect((await post(decode.url, path, body)).status).toBe(200);
    expect(decode.state().recomputed.missing_params).toBe(1);
  });

  it("lets go of KV whose client has gone", async () => {
    const prefill = await start({ role: "prefill", dialect: "omni" });
    const decode = await start({ role: "decode", dialect: "omni", kvTransferMs: 60_000 });
    const first = await post(prefill.url, path, { ...body, ...one }, id);
    const handed = splice(body, "kv_transfer_params", kvParamsOf(await first.text()));
    const gone = new AbortController();
    const headers = { "content-type": "application/json", ...id };
    const { signal } = gone;
    const response = fetch(decode.url + path, { method: "POST", headers, body: handed, signal });
    await eventually(() => decode.state().waiting === 1);
    gone.abort();
    await expect(response).rejects.toThrow();
    await eventually(() => prefill.state().released === 1);
    expect(decode.state().aborted.waiting).toBe(1);
  });
});

describe.each([
  ["a text", { text: "Tell me of the sea" }, "77"],
  ["ids", { input_ids: [1, 2, 3] }, "9223372036854775807"],
  ["a list of one", { input_ids: [[1, 2, 3]] }, ["5"]],
  ["texts with a length each", { text: ["one", "two"], sampling_params: [9, 4] }, ["5", "6"]],
  ["several answers", { text: "one", n: 3 }, ["1", "2", "3"]],
])("SGLang's two legs of %s", (_name, { n, sampling_params, ...body }: Legs, rooms) => {
  const params = (max_new_tokens: number) => ({ max_new_tokens, ...(n && { n }) });

  it.each([true, false])(
    "give the very answer of one engine alone (stream: %s)",
    async (stream) => {
      const dialect = "sglang";
      const prefill = await start({ role: "prefill", dialect });
      const decode = await start({ role: "decode", dialect });
      const alone = await start({ role: "mixed", dialect });
      const request = {
        ...body,
        sampling_params: sampling_params?.map(params) ?? params(12),
        return_logprob: true,
        stream,
      };
      const each = (value: string) =>
        Array.isArray(rooms) ? `[${rooms.map(() => value).join()}]` : value;
      const handed = (leg: object) =>
        `${JSON.stringify(leg).slice(0, -1)},"bootstrap_host":${each('"127.0.0.1"')},` +
        `"bootstrap_port":${each(`${prefill.sidePort}`)},` +
        `"bootstrap_room":${Array.isArray(rooms) ? `[${rooms.join()}]` : rooms}}`;
      const [response, first] = await Promise.all([
        post(decode.url, "/generate", handed(request), id),
        post(prefill.url, "/generate", handed({ ...request, stream: false }), id),
      ]);
      const own = await post(alone.url, "/generate", request, id);
      expect(await withoutCached(response)).toBe(await withoutCached(own));
      expect(decode.state()).toMatchObject({ remotePrefills: 1, protocolViolations: 0 });
      const reported = [await first.json()].flat() as {
        meta_info: { completion_tokens: number };
      }[];
      expect(reported.map(({ meta_info }) => meta_info.completion_tokens)).toEqual(
        reported.map(() => 1),
      );
    },
  );
});

interface Legs {
  readonly text?: string | readonly string[];
  readonly input_ids?: readonly unknown[];
  readonly n?: number;
  /** Tokens of each. */
  readonly sampling_params?: readonly number[];
}
