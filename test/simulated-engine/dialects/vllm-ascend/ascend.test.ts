import { afterEach, describe, expect, it } from "vitest";
import { type EngineOptions, instantTiming } from "../../../../src/simulated-engine/options.ts";
import { type RunningEngine, startEngine } from "../../../../src/simulated-engine/server.ts";
import { FakeClock } from "../../fake-clock.ts";
import { eventsOf, kvParamsOf, post, splice } from "../../http.ts";

const running: RunningEngine[] = [];

async function start(options: EngineOptions): Promise<RunningEngine> {
  const engine = await startEngine({ dialect: "vllm-ascend", ...instantTiming, ...options });
  running.push(engine);
  return engine;
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((engine) => engine.close()));
});

const path = "/v1/completions";
const id = { "x-request-id": "one" };
const completion = { model: "simulated", prompt: "Tell me of the sea. ", max_tokens: 20 };
const messages = [{ role: "user", content: "Tell me of the sea" }];
const hold = { do_remote_decode: true, do_remote_prefill: false };

async function prefilled(engine: RunningEngine, changes: object = {}, at = path): Promise<string> {
  const body = { ...completion, max_tokens: 1, kv_transfer_params: hold, ...changes };
  return kvParamsOf(await (await post(engine.url, at, body, id)).text());
}

async function decoded(
  { url }: RunningEngine,
  params: string,
  body: object = completion,
  at = path,
) {
  const response = await post(url, at, splice(body, "kv_transfer_params", params), id);
  return { status: response.status, text: await response.text() };
}

const reasonsOf = (engine: RunningEngine) =>
  Object.entries(engine.state().recomputed).filter(([, count]) => count > 0);

describe("the fetch", () => {
  it("gives the very bytes of one engine alone", async () => {
    const prefill = await start({ role: "prefill" });
    const decode = await start({ role: "decode" });
    const { text } = await decoded(decode, await prefilled(prefill, { min_tokens: 1 }));
    const alone = await start({ role: "mixed" });
    expect(text).toBe(await (await post(alone.url, path, completion, id)).text());
    expect(decode.state()).toMatchObject({ remotePrefills: 1, protocolViolations: 0 });
    expect(prefill.state()).toMatchObject({ held: 0, fetched: 1, protocolViolations: 0 });
  });

  it.each([
    [{}, "null", [["missing_params", 1]]],
    [{ min_tokens: 1 }, expect.stringContaining("num_prompt_blocks"), []],
  ])(
    "with a first token that ends the text, of a prefill with %j",
    async (changes, params, reasons) => {
      const prefill = await start({ role: "prefill", eosAfterTokens: 1 });
      const decode = await start({ role: "decode", eosAfterTokens: 1 });
      const reported = await prefilled(prefill, changes);
      expect(reported).toEqual(params);
      expect((await decoded(decode, reported)).status).toBe(200);
      expect(reasonsOf(decode)).toEqual(reasons);
    },
  );

  it.each(["remote_ptp_size", "last_token_id", "num_prompt_blocks", "remote_block_size"])(
    "fails where %s has changed on the way, or is recomputed in silence",
    async (key) => {
      const prefill = await start({ role: "prefill" });
      const strict = await start({ role: "decode" });
      const lenient = await start({
        role: "decode",
        dialect: "vllm-ascend:loadFailure=recompute",
      });
      for (const [engine, status] of [
        [strict, 500],
        [lenient, 200],
      ] as const) {
        const params = JSON.parse(await prefilled(prefill)) as Record<string, unknown>;
        delete params[key];
        expect((await decoded(engine, JSON.stringify(params))).status).toBe(status);
      }
      expect(reasonsOf(lenient)).toEqual([["mangled_params", 1]]);
    },
  );

  it("holds what nobody fetches for 480 s, also when its decode has gone", async () => {
    const clock = new FakeClock();
    const prefill = await start({ role: "prefill", clock });
    const body = { ...completion, max_tokens: 1, kv_transfer_params: hold };
    const response = post(prefill.url, path, body, id);
    while (prefill.state().held === 0) {
      clock.advance(1);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await response;
    clock.advance(479_000);
    expect(prefill.state().held).toBe(1);
    clock.advance(1_001);
    expect(prefill.state()).toMatchObject({ held: 0, expired: 1 });
  });
});

interface Told {
  readonly choices: readonly {
    readonly text: string;
    readonly stop_reason: string | null;
    readonly token_ids: number[];
    readonly prompt_token_ids: number[];
    readonly message: { readonly content: string };
  }[];
  readonly usage: { readonly completion_tokens: number };
}

describe("a decode that gives requests up", () => {
  const dialect = "vllm-ascend:recomputeAfter=4";
  const whole = async (body: object, at = path) =>
    (await (await post((await start({ role: "mixed" })).url, at, body, id)).json()) as Told;

  it("ends a stream with an event without a token, and says so", async () => {
    const decode = await start({ role: "decode", dialect });
    const body = { ...completion, stream: true, return_token_ids: true };
    const events = eventsOf((await decoded(decode, "null", body)).text);
    const choices = events.slice(0, -1).map((event) => (JSON.parse(event) as Told).choices[0]!);
    expect(choices).toHaveLength(5);
    expect(choices.at(-1)).toMatchObject({
      text: "",
      finish_reason: "stop",
      stop_reason: "recomputed",
      token_ids: [],
    });
    expect(choices.flatMap(({ token_ids }) => token_ids)).toHaveLength(4);
  });

  it("gives up one request in so many, and none that ends before", async () => {
    const decode = await start({ role: "decode", dialect: `${dialect},recomputeEvery=2` });
    const reasons: unknown[] = [];
    for (const max_tokens of [20, 20, 20, 4]) {
      const { text } = await decoded(decode, "null", { ...completion, max_tokens });
      reasons.push((JSON.parse(text) as Told).choices[0]!.stop_reason);
    }
    expect(reasons).toEqual([null, "recomputed", null, null]);
  });

  it.each(["ids", "text"])(
    "goes on where it was when the prompt comes back with %s",
    async (form) => {
      const decode = await start({ role: "decode", dialect });
      const wanted = await whole({ ...completion, return_token_ids: true });
      let { prompt }: { prompt: string | number[] } = completion;
      let reported = "";
      let generated: number[] = [];
      for (let left = 20; left > 0; left -= 4) {
        const body = { ...completion, prompt, max_tokens: left, return_token_ids: true };
        const [choice] = (JSON.parse((await decoded(decode, "null", body)).text) as Told).choices;
        reported += choice!.text;
        generated = [...generated, ...choice!.token_ids];
        prompt =
          form === "ids"
            ? [...wanted.choices[0]!.prompt_token_ids, ...generated]
            : completion.prompt + reported;
      }
      expect(reported).toBe(wanted.choices[0]!.text);
      expect(generated).toEqual(wanted.choices[0]!.token_ids);
    },
  );

  it("goes on with a last message of the assistant's", async () => {
    const at = "/v1/chat/completions";
    const decode = await start({ role: "decode", dialect });
    const wanted = await whole({ messages, max_tokens: 8 }, at);
    const ask = async (body: object) =>
      (JSON.parse((await decoded(decode, "null", body, at)).text) as Told).choices[0]!.message;
    const { content } = await ask({ messages, max_tokens: 8 });
    const rest = await ask({
      messages: [...messages, { role: "assistant", content }],
      max_tokens: 4,
      continue_final_message: true,
      add_generation_prompt: false,
    });
    expect(content + rest.content).toBe(wanted.choices[0]!.message.content);
  });

  it("refuses to go on with a message and to begin a new one", async () => {
    const decode = await start({ role: "decode", dialect });
    const body = { messages, continue_final_message: true };
    expect((await decoded(decode, "null", body, "/v1/chat/completions")).status).toBe(400);
  });
});
