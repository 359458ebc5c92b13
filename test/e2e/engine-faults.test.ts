/**
 * Whatever an engine does wrong, on either leg: the right status and an error in OpenAI's shape, never a hang, never a
 * lie.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { FaultInput } from "../../src/simulated-engine/faults/fault.ts";
import { type Answered, post } from "../support/http-client.ts";
import { pdYaml } from "../support/pd-yaml.ts";
import { bunAndOneNode } from "../support/runtimes.ts";
import { type Engine, Stack } from "../support/stack.ts";

const completions = "/v1/completions";
const chat = "/v1/chat/completions";
const headers = { "x-request-id": "same" };
const json = { prompt: "Hello", max_tokens: 12 };
const stream = { ...json, stream: true };

/** Faults after which the engine has given no response. */
const broken: readonly FaultInput[] = [
  { kind: "refuse" },
  { kind: "accept-then-close" },
  { kind: "accept-then-close", how: "fin" },
  { kind: "reset-before-headers" },
  { kind: "reset-before-headers", how: "fin" },
  { kind: "reset-after-headers" },
  { kind: "reset-after-headers", how: "fin" },
];
/** The same, but only where the response is in one piece. */
const halved: readonly FaultInput[] = [
  { kind: "reset-after-chunks" },
  { kind: "reset-after-chunks", how: "fin" },
];

function errorOf({ body }: Answered): { message: string; type: string; param: null; code: string } {
  return (JSON.parse(body) as { error: ReturnType<typeof errorOf> }).error;
}

describe.each(bunAndOneNode("engine-faults"))("on %s", (runtime) => {
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
    alone = await serve(prefills.slice(0, 1), decodes.slice(0, 1));
    backed = await serve(prefills, decodes);
  });
  afterEach(async () => {
    await Promise.all([faulty.prefill.clearFaults(), faulty.decode.clearFaults()]);
    // An engine alone in its pool never rests, so that the next request is served at once.
    expect((await post(alone + completions, json)).status).toBe(200);
  });
  afterAll(() => stack.end());

  async function serve(prefill: readonly Engine[], decode: readonly Engine[]): Promise<string> {
    const keys = (index: number) => `, maxFails: 0, backup: ${index > 0}`;
    const pools = { prefill: { engines: prefill, keys }, decode: { engines: decode, keys } };
    return (await stack.serve((port) => pdYaml({ port, ...pools }))).url;
  }

  const legs = ["prefill", "decode"] as const;
  const cases = legs.flatMap((leg) => [
    ...broken.flatMap((fault) => [json, stream].map((body) => ({ leg, fault, body }))),
    ...halved.map((fault) => ({ leg, fault, body: json })),
  ]);

  test.each(cases)(
    "$leg: $fault.kind $fault.how, streamed: $body.stream",
    async ({ leg, fault, body }) => {
      // The second time over a connection that has been used before.
      for (const _ of [1, 2]) {
        await faulty[leg].setFault(fault);
        const failed = await post(alone + completions, body, { headers });
        expect(failed).toMatchObject({ status: 502, end: "whole" });
        expect(failed.headers["content-type"]).toBe("application/json");
        expect(failed.headers["x-request-id"]).toBe("same");
        const code = leg === "prefill" ? "GP_PREFILL_FAILED" : "GP_DECODE_FAILED";
        expect(errorOf(failed)).toMatchObject({ type: "api_error", param: null, code });
        const expected = await post(oracle + completions, body, { headers });
        const saved = await post(backed + completions, body, { headers });
        expect(saved).toMatchObject({ status: 200, end: "whole", body: expected.body });
        await faulty[leg].clearFaults();
        expect((await post(alone + completions, body, { headers })).body).toBe(expected.body);
      }
    },
  );

  test.each([429, 500, 503])(
    "an engine's own %s passes if it is alone; else another serves the request",
    async (code) => {
      for (const leg of legs) {
        await faulty[leg].setFault({ kind: "status", code });
        const direct = await post(faulty[leg].url + completions, json);
        const response = await post(alone + completions, json);
        expect(response).toMatchObject({ status: code, end: "whole", body: direct.body });
        expect(response.headers["server"]).toBe("uvicorn");
        const expected = await post(oracle + completions, stream, { headers });
        const saved = await post(backed + completions, stream, { headers });
        expect(saved).toMatchObject({ status: 200, end: "whole", body: expected.body });
        await faulty[leg].clearFaults();
      }
    },
  );

  test("an engine's error about a request reaches the client as it is", async () => {
    const requests = [
      { path: completions, body: { ...json, model: "none" }, status: 404 },
      { path: chat, body: { messages: [] }, status: 400 },
      { path: completions, body: { ...json, min_tokens: 50 }, status: 400 },
      { path: completions, body: { prompt: 7 }, status: 400 },
      { path: completions, body: { ...json, n: 0 }, status: 400 },
    ];
    for (const { path, body, status } of requests) {
      const direct = await post(oracle + path, body);
      const response = await post(alone + path, body);
      expect(direct.status).toBe(status);
      expect(response).toMatchObject({ status, end: "whole", body: direct.body });
    }
  });

  test("a stream that breaks in its midst looks broken; the engine's own last words pass", async () => {
    const { body: whole } = await post(oracle + completions, stream, { headers });
    for (const how of ["rst", "fin"] as const) {
      await faulty.decode.setFault({ kind: "reset-after-chunks", chunks: 3, how, times: 1 });
      const cut = await post(alone + completions, stream, { headers });
      expect(cut).toMatchObject({ status: 200, end: "cut" });
      expect(whole.startsWith(cut.body)).toBe(true);
      expect(cut.body.split("data: ")).toHaveLength(4);
    }
    await faulty.decode.setFault({ kind: "error-after-chunks", chunks: 2, times: 1 });
    const error = await post(alone + completions, stream, { headers });
    expect(error.end).toBe("whole");
    expect(error.body).toMatch(/data: \{"error":.*"code":500\}\}\n\ndata: \[DONE\]\n\n$/);
    await faulty.decode.setFault({ kind: "wrong-json", times: 1 });
    const wrong = await post(alone + completions, json, { headers });
    expect(wrong).toMatchObject({ status: 200, end: "whole" });
    expect(() => JSON.parse(wrong.body)).toThrow();
    // An end without [DONE] is passed on as it is: nothing is invented. The request that frees the last KV cache, which
    // that response has left, may come first.
    await faulty.decode.setFault({ kind: "end-after-chunks", chunks: 2, times: 2 });
    const ended = await post(alone + completions, stream, { headers });
    await faulty.decode.clearFaults();
    expect(ended.body).not.toContain("data: [DONE]");
    expect(whole.startsWith(ended.body)).toBe(true);
  });

  test("a prefill without KV transfer parameters costs time, not the response", async () => {
    const faults = [{ kind: "no-kv-params" }, { kind: "slow", delayMs: 50 }] as const;
    for (const body of [json, stream]) {
      const expected = await post(oracle + completions, body, { headers });
      for (const fault of faults) {
        await faulty.prefill.setFault({ ...fault, times: 1 });
        const response = await post(alone + completions, body, { headers });
        expect(response).toMatchObject({ status: 200, end: "whole", body: expected.body });
      }
    }
    const { recomputed } = await faulty.decode.state();
    expect(recomputed).toMatchObject({ missing_params: 2, mangled_params: 0, wrong_prompt: 0 });
  });

  test("a prefill that responds with junk is another engine's, or an error", async () => {
    const faults = [{ kind: "wrong-json" }, { kind: "wrong-json", variant: "text" }] as const;
    for (const fault of faults) {
      await faulty.prefill.setFault({ ...fault, times: 2 });
      const failed = await post(alone + completions, json, { headers });
      expect(failed.status).toBe(502);
      expect(errorOf(failed)).toMatchObject({ code: "GP_PREFILL_INVALID" });
      const expected = await post(oracle + completions, json, { headers });
      const saved = await post(backed + completions, json, { headers });
      expect(saved).toMatchObject({ status: 200, end: "whole", body: expected.body });
    }
  });
});
