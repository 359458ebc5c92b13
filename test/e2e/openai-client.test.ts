/** The `openai` package sees the same through the proxy as from one engine: answers, streams, usage, errors, aborts. */
import OpenAI, { APIError } from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bunAndOneNode } from "../support/runtimes.ts";
import { Stack, totals } from "../support/stack.ts";
import { patienceMs } from "../support/times.ts";

const model = "simulated";
const messages = [{ role: "user" as const, content: 'Say "東京 🚀"\n' }];

async function all<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const events: T[] = [];
  for await (const event of stream) events.push(event);
  return events;
}

describe.each(bunAndOneNode("openai-client"))("on %s", (runtime) => {
  const stack = new Stack(runtime);
  let throughProxy: OpenAI;
  let direct: OpenAI;

  beforeAll(async () => {
    const prefills = await stack.startEngines("prefill", 2);
    const decodes = await stack.startEngines("decode", 2);
    const [mixed] = await stack.startEngines("mixed", 1);
    const proxy = await stack.startByFlags(prefills, decodes);
    const options = { apiKey: "none", maxRetries: 0, timeout: patienceMs };
    throughProxy = new OpenAI({ ...options, baseURL: `${proxy.url}/v1` });
    direct = new OpenAI({ ...options, baseURL: `${mixed!.url}/v1` });
  });
  afterAll(() => stack.end());

  /** The same call at both; the same id, because answers carry it. */
  async function both<T>(call: (client: OpenAI, options: object) => Promise<T>) {
    const options = { headers: { "X-Request-Id": "same" } };
    return { proxied: await call(throughProxy, options), single: await call(direct, options) };
  }

  test("chat, in one piece and streamed", async () => {
    const whole = await both((client, options) =>
      client.chat.completions.create({ model, messages, n: 2, max_completion_tokens: 9 }, options),
    );
    expect(whole.proxied).toEqual(whole.single);
    expect(whole.proxied.usage?.completion_tokens).toBe(18);
    const streamed = await both(async (client, options) =>
      all(
        await client.chat.completions.create(
          { model, messages, stream: true, stream_options: { include_usage: true } },
          options,
        ),
      ),
    );
    expect(streamed.proxied).toEqual(streamed.single);
    expect(streamed.proxied.at(-1)!.usage?.total_tokens).toBeGreaterThan(0);
  });

  test("completions, in one piece and streamed", async () => {
    const whole = await both((client, options) =>
      client.completions.create({ model, prompt: ["a", "b"], stop: ["of"] }, options),
    );
    expect(whole.proxied).toEqual(whole.single);
    expect(whole.proxied.choices).toHaveLength(2);
    const streamed = await both(async (client, options) =>
      all(await client.completions.create({ model, prompt: "a", stream: true }, options)),
    );
    expect(streamed.proxied).toEqual(streamed.single);
  });

  test("the list of models", async () => {
    const { proxied, single } = await both((client) => client.models.list());
    expect(proxied.data).toEqual(single.data);
  });

  test("an engine's refusal is the same error", async () => {
    const failed = async (client: OpenAI, options: object) => {
      const call = client.chat.completions.create({ model: "none", messages }, options);
      return (await call.catch((error: unknown) => error)) as APIError;
    };
    const { proxied, single } = await both(failed);
    expect(proxied).toBeInstanceOf(APIError);
    expect(proxied.status).toBe(404);
    expect(proxied.error).toEqual(single.error);
  });

  test("an error of the proxy's own is an APIError with a code", async () => {
    const lonely = await stack.startProxy(
      ...["--prefill", "127.0.0.1:1", "--decode", "127.0.0.1:1", "--listen", "127.0.0.1:0"],
    );
    const client = new OpenAI({ apiKey: "x", maxRetries: 0, baseURL: `${lonely.url}/v1` });
    const call = client.completions.create({ model, prompt: "a" });
    const error = (await call.catch((reason: unknown) => reason)) as APIError;
    expect(error).toBeInstanceOf(APIError);
    expect(error).toMatchObject({ status: 502, code: "GP_PREFILL_FAILED", type: "api_error" });
    expect(error.requestID).toMatch(/^[0-9a-f-]{36}$/);
  });

  test("a stream that the client breaks off frees everything", async () => {
    const stream = await throughProxy.completions.create({ model, prompt: "a", stream: true });
    for await (const _event of stream) break;
    expect(totals(await stack.settled())).toMatchObject({ recomputed: 0, violations: 0 });
  });
});
