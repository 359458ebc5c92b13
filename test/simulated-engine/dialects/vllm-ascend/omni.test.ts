import { afterEach, describe, expect, it } from "vitest";
import { type EngineOptions, instantTiming } from "../../../../src/simulated-engine/options.ts";
import { type RunningEngine, startEngine } from "../../../../src/simulated-engine/server.ts";
import { eventually } from "../../../support/eventually.ts";
import { eventsOf, kvParamsOf, post, splice } from "../../http.ts";

const running: RunningEngine[] = [];

async function start(options: EngineOptions): Promise<RunningEngine> {
  const engine = await startEngine({ ...instantTiming, ...options });
  running.push(engine);
  return engine;
}

async function startPair(
  prefill: Partial<EngineOptions> = {},
  decode: Partial<EngineOptions> = {},
) {
  return {
    prefill: await start({ role: "prefill", ...prefill }),
    decode: await start({ role: "decode", ...decode }),
  };
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((engine) => engine.close()));
});

const id = { "x-request-id": "one" };
const completion = { model: "simulated", prompt: "Tell me of the sea", max_tokens: 20 };
const chat = {
  messages: [{ role: "user", content: "Tell me of the sea" }],
  tools: [{ type: "function", function: { name: "f", parameters: { b: 1, a: 2 } } }],
  max_tokens: 20,
};

/** The KV transfer as JSON text. */
async function prefilled(engine: RunningEngine, path: string, body: object): Promise<string> {
  const response = await post(engine.url, path, { ...body, max_tokens: 1, stream: false }, id);
  return kvParamsOf(await response.text());
}

describe.each([
  ["/v1/completions", completion],
  ["/v1/chat/completions", chat],
])("P/D by hand on %s", (path, body) => {
  it.each([true, false])(
    "gives the very bytes of one engine alone (stream: %s)",
    async (stream) => {
      const { prefill, decode } = await startPair();
      const alone = await start({ role: "mixed" });
      const request = {
        ...body,
        n: 2,
        stream,
        ...(stream ? { stream_options: { include_usage: true } } : {}),
      };
      const params = await prefilled(prefill, path, body);
      const response = await post(
        decode.url,
        path,
        splice(request, "kv_transfer_params", params),
        id,
      );
      const direct = await post(alone.url, path, request, id);
      expect(response.status).toBe(200);
      expect(await response.text()).toBe(await direct.text());
      expect(decode.state()).toMatchObject({ remotePrefills: 1, requestIds: ["one"] });
      expect(prefill.state()).toMatchObject({
        held: 0,
        stored: 1,
        fetched: 1,
        protocolViolations: 0,
      });
      expect(Object.values(decode.state().recomputed).every((count) => count === 0)).toBe(true);
    },
  );
});

describe("a prefill engine", () => {
  it("names itself, its blocks, and a number that no double holds", async () => {
    const { prefill } = await startPair();
    const text = await prefilled(prefill, "/v1/completions", {
      ...completion,
      prompt: "x".repeat(200),
    });
    expect(JSON.parse(text)).toMatchObject({
      do_remote_prefill: true,
      do_remote_decode: false,
      remote_engine_id: prefill.engineId,
      remote_host: "127.0.0.1",
      remote_block_ids: [[1, 2, 3, 4]],
      remote_num_tokens: 50,
      tp_size: 1,
    });
    expect(JSON.stringify(JSON.parse(text))).not.toBe(text);
    expect(prefill.state()).toMatchObject({ held: 1, heldBytes: 50 * 131_072 });
    expect(prefill.state().heldIds).toEqual([JSON.parse(text).remote_request_id]);
  });

  it("holds two prompts with the same request id apart", async () => {
    const { prefill } = await startPair();
    await prefilled(prefill, "/v1/completions", completion);
    await prefilled(prefill, "/v1/completions", completion);
    expect(new Set(prefill.state().heldIds).size).toBe(2);
  });

  it.each([{ stream: true, max_tokens: 1 }, { max_tokens: 2 }, { max_tokens: null }])(
    "answers %j, which is not for it, but counts it",
    async (changes) => {
      const { prefill } = await startPair();
      const response = await post(prefill.url, "/v1/completions", { ...completion, ...changes });
      expect(response.status).toBe(200);
      await response.text();
      expect(prefill.state()).toMatchObject({ protocolViolations: 1, held: 0 });
    },
  );

  it("frees KV that nobody fetches when its lease ends", async () => {
    const { prefill, decode } = await startPair({ kvLeaseMs: 20 });
    const params = await prefilled(prefill, "/v1/completions", completion);
    await eventually(() => prefill.state().expired === 1);
    expect(prefill.state().held).toBe(0);
    await post(decode.url, "/v1/completions", splice(completion, "kv_transfer_params", params));
    expect(decode.state().recomputed).toMatchObject({ unknown: 1 });
  });
});

describe("a decode engine responds all the same, recomputes and counts why, when", () => {
  async function decodeWith(change: (params: string) => string, body: object = completion) {
    const { prefill, decode } = await startPair();
    const params = change(await prefilled(prefill, "/v1/completions", completion));
    const request =
      params === "" ? JSON.stringify(body) : splice(body, "kv_transfer_params", params);
    const response = await post(decode.url, "/v1/completions", request, id);
    const json = (await response.json()) as { choices: { text: string }[] };
    return { text: json.choices[0]!.text, prefill: prefill.state(), decode: decode.state() };
  }

  it("there are no params", async () => {
    const { decode, text } = await decodeWith(() => "");
    expect(decode.recomputed.missing_params).toBe(1);
    expect(text.split(" ")).toHaveLength(20);
  });

  it.each(["remote_engine_id", "remote_request_id", "remote_host", "remote_port"])(
    "%s is missing",
    async (key) => {
      const { decode } = await decodeWith((params) => params.replace(key, `${key}_`));
      expect(decode.recomputed.missing_params).toBe(1);
    },
  );

  it("a proxy has parsed and printed the params", async () => {
    const { decode, prefill } = await decodeWith((params) => JSON.stringify(JSON.parse(params)));
    expect(decode.recomputed.mangled_params).toBe(1);
    expect(prefill).toMatchObject({ held: 1, refused: { mangled_params: 1 } });
  });

  it.each([{ prompt: "Tell me of the sea!" }, { prompt: ["Tell me of the sea", "and more"] }])(
    "the KV is of another prompt (%j)",
    async (changes) => {
      const { decode, prefill } = await decodeWith((params) => params, {
        ...completion,
        ...changes,
      });
      expect(decode.recomputed.wrong_prompt).toBe(1);
      expect(prefill.refused.wrong_prompt).toBe(1);
    },
  );

  it("the engine has another life, the id is unknown, or nobody is there", async () => {
    const renamed = (key: string) => (params: string) =>
      params.replace(new RegExp(`"${key}":"[^"]*"`), `"${key}":"other"`);
    expect((await decodeWith(renamed("remote_engine_id"))).decode.recomputed.unknown).toBe(1);
    expect((await decodeWith(renamed("remote_request_id"))).decode.recomputed.unknown).toBe(1);
    const nobody = await decodeWith((params) =>
      params.replace(/"remote_port":\d+/, '"remote_port":1'),
    );
    expect(nobody.decode.recomputed.fetch_failed).toBe(1);
  });

  it("the KV was fetched before", async () => {
    const { prefill, decode } = await startPair();
    const params = await prefilled(prefill, "/v1/completions", completion);
    const request = splice(completion, "kv_transfer_params", params);
    const texts: string[] = [];
    for (let time = 0; time < 2; time++) {
      texts.push(await (await post(decode.url, "/v1/completions", request, id)).text());
    }
    expect(texts[0]).toBe(texts[1]);
    expect(decode.state()).toMatchObject({ remotePrefills: 1, recomputed: { unknown: 1 } });
  });

  it("the KV port of the prefill engine fails", async () => {
    const { prefill, decode } = await startPair();
    for (const kind of ["status", "reset-before-headers"] as const) {
      const params = await prefilled(prefill, "/v1/completions", completion);
      prefill.setFault({ kind, path: "/kv" });
      await post(decode.url, "/v1/completions", splice(completion, "kv_transfer_params", params));
      prefill.clearFaults();
    }
    expect(decode.state().recomputed.fetch_failed).toBe(2);
  });

  it("a fault keeps the params from it", async () => {
    const { prefill } = await startPair();
    prefill.setFault("no-kv-params");
    expect(await prefilled(prefill, "/v1/completions", completion)).toBe("null");
    expect(prefill.state().held).toBe(0);
  });

  it("a fault makes a text of the params, and the KV is there", async () => {
    const { prefill } = await startPair();
    prefill.setFault("wrong-kv-params");
    expect(await prefilled(prefill, "/v1/completions", completion)).toBe('"none"');
    expect(prefill.state().held).toBe(1);
  });
});

describe("a mixed engine", () => {
  it("holds KV only when asked to, and fetches when asked to", async () => {
    const first = await start({ role: "mixed" });
    const second = await start({ role: "mixed" });
    expect(await prefilled(first, "/v1/completions", completion)).toBe("null");
    const params = await prefilled(first, "/v1/completions", {
      ...completion,
      kv_transfer_params: { do_remote_decode: true, do_remote_prefill: false },
    });
    const request = splice({ ...completion, stream: true }, "kv_transfer_params", params);
    const events = eventsOf(await (await post(second.url, "/v1/completions", request)).text());
    expect(events.at(-1)).toBe("[DONE]");
    expect(second.state().remotePrefills).toBe(1);
    expect(first.state()).toMatchObject({ stored: 1, fetched: 1, protocolViolations: 0 });
  });
});

describe("what belongs to a prompt", () => {
  it("is every part of it, also the order of keys in tools", async () => {
    const { prefill, decode } = await startPair();
    const variants = [
      {
        ...chat,
        tools: [{ type: "function", function: { name: "f", parameters: { a: 2, b: 1 } } }],
      },
      { ...chat, tools: undefined },
      { ...chat, messages: [{ role: "system", content: "Tell me of the sea" }] },
    ];
    for (const variant of variants) {
      const params = await prefilled(prefill, "/v1/chat/completions", chat);
      await post(decode.url, "/v1/chat/completions", splice(variant, "kv_transfer_params", params));
    }
    expect(decode.state().recomputed.wrong_prompt).toBe(variants.length);
  });

  it("is not what only concerns sampling and the response's form", async () => {
    const { prefill, decode } = await startPair();
    const params = await prefilled(prefill, "/v1/completions", completion);
    const body = { ...completion, seed: 3, n: 3, temperature: 0, user: "u", stop: ["zzz"] };
    await post(decode.url, "/v1/completions", splice(body, "kv_transfer_params", params));
    expect(decode.state().remotePrefills).toBe(1);
  });
});
