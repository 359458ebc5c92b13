/** An engine that hangs costs its own requests a time-out, and delays no other. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Answered, post } from "../support/http-client.ts";
import { pdYaml } from "../support/pd-yaml.ts";
import { bunAndOneNode } from "../support/runtimes.ts";
import { type Engine, Stack } from "../support/stack.ts";
import { scaled } from "../support/times.ts";

const completions = "/v1/completions";
const chat = "/v1/chat/completions";
const messages = [{ role: "user", content: "Hello" }];
const stream = { prompt: "Hello", stream: true };
const headers = { "x-request-id": "same" };

const errorOf = ({ body }: Answered) => (JSON.parse(body) as { error: object }).error;

describe.each(bunAndOneNode("engine-timeouts"))("on %s", (runtime) => {
  const stack = new Stack(runtime);
  let faulty: { prefill: Engine; decode: Engine };
  /** One engine per role; and one more per role, which is asked only when the first fails. */
  let alone: string;
  let backed: string;
  let oracle: string;

  beforeAll(async () => {
    const prefills = await stack.startEngines("prefill", 2);
    const decodes = await stack.startEngines("decode", 2);
    faulty = { prefill: prefills[0]!, decode: decodes[0]! };
    oracle = (await stack.startEngines("mixed", 1))[0]!.url;
    const keys = (index: number) => `, maxFails: 0, backup: ${index > 0}`;
    const serve = async (count: number) => {
      const prefill = { engines: prefills.slice(0, count), keys };
      const decode = { engines: decodes.slice(0, count), keys };
      const config = { prefill, decode, route: `, readTimeoutMs: ${scaled(2_500)}` };
      return (await stack.serve((port) => pdYaml({ port, ...config }))).url;
    };
    alone = await serve(1);
    backed = await serve(2);
  });
  afterAll(() => stack.end());

  const stall = (leg: "prefill" | "decode", path: string, more: object) =>
    faulty[leg].setFault({ kind: "stall", path, ...more });

  test("nothing comes: 504, and which side it was", async () => {
    await stall("prefill", completions, { times: 1 });
    await stall("decode", chat, { times: 1 });
    const [prefill, decode] = await Promise.all([
      post(alone + completions, stream),
      post(alone + chat, { messages }),
    ]);
    expect(prefill).toMatchObject({ status: 504, end: "whole" });
    expect(errorOf(prefill)).toMatchObject({ code: "GP_PREFILL_TIMEOUT", type: "timeout_error" });
    expect(decode).toMatchObject({ status: 504, end: "whole" });
    expect(errorOf(decode)).toMatchObject({ code: "GP_DECODE_TIMEOUT", type: "timeout_error" });
    expect((await post(alone + completions, stream)).status).toBe(200);
  });

  test("half of it comes: a stream is cut, and another engine is asked for a response in one piece", async () => {
    const { body: whole } = await post(oracle + completions, stream, { headers });
    await stall("decode", completions, { chunks: 2, times: 1 });
    await stall("prefill", chat, { chunks: 1, times: 2 });
    const [cut, half, other] = await Promise.all([
      post(alone + completions, stream, { headers }),
      post(alone + chat, { messages }),
      post(backed + chat, { messages }),
    ]);
    expect(cut).toMatchObject({ status: 200, end: "cut" });
    expect(whole.startsWith(cut.body)).toBe(true);
    expect([half.status, other.status]).toEqual([504, 200]);
  });
});
