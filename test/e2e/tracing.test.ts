/** A request's trace reaches a collector as the tree that its legs were, and never costs a request anything. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { post } from "../support/http-client.ts";
import { type OtlpReceiver, startOtlpReceiver } from "../support/otlp-receiver.ts";
import { pdYaml } from "../support/pd-yaml.ts";
import { bunAndOneNode } from "../support/runtimes.ts";
import { sharedEngines } from "../support/shared-engines.ts";
import { Stack } from "../support/stack.ts";

const { prefills, decodes } = sharedEngines(2, 1);
const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const parentId = "00f067aa0ba902b7";
const secret = "A-PROMPT-THAT-NOBODY-MAY-READ";
const key = "sk-0123456789abcdef";
const body = { model: "simulated", prompt: secret, max_tokens: 4 };

describe.each(bunAndOneNode("tracing"))("on %s", (runtime) => {
  const stack = new Stack(runtime);
  let receiver: OtlpReceiver;
  beforeAll(async () => {
    receiver = await startOtlpReceiver();
  });
  afterAll(async () => {
    receiver.close();
    await stack.end();
  });

  async function serve(tracing: string) {
    const top = `tracing: { endpoint: "${receiver.url}", ${tracing} }`;
    const config = { prefill: { engines: prefills }, decode: { engines: decodes }, top };
    const { url, command } = await stack.serve((port) => pdYaml({ port, ...config }));
    return { url: `${url}/v1/completions?api_key=${key}`, command };
  }

  async function spansOf(id: string, isIt: (name: string) => boolean = () => true) {
    const found = () => receiver.spans.filter((span) => span.traceId === id && isIt(span.name));
    await eventually(() => found().length > 0);
    return found();
  }

  test("a request that generates nothing is not shown as one that does", async () => {
    const { url } = await serve("sampleRatio: 0");
    const id = "5bf92f3577b34da6a3ce929d0e0e4736";
    const headers = { traceparent: `00-${id}-${parentId}-01` };
    await fetch(url.replace(/completions.*/, "models"), { headers }).then((got) => got.text());
    const [root] = await spansOf(id, (name) => name.startsWith("GET"));
    expect(root!.attributes).not.toHaveProperty("gen_ai.operation.name");
  });

  test("a client's trace goes on through both legs, with tokens and decisions", async () => {
    const { url } = await serve("sampleRatio: 0, headers: { x-collector-key: mine }");
    const headers = {
      authorization: `Bearer ${key}`,
      traceparent: `00-${traceId}-${parentId}-01`,
      tracestate: "vendor=1",
    };
    await post(url, { ...body, stream: true }, { headers });
    const spans = await spansOf(traceId);
    const root = spans.find(({ name }) => name === "POST /v1")!;
    expect(root).toMatchObject({ parentId, kind: 2, status: 0 });
    expect(root.attributes).toMatchObject({
      "http.response.status_code": 200,
      "gen_ai.operation.name": "text_completion",
      "gen_ai.request.model": "simulated",
      "gen_ai.usage.output_tokens": 4,
      "global_proxy.outcome": "GP_OK",
    });
    const names = spans.map(({ name }) => name).sort();
    expect(names).toEqual(["POST /v1", "decode", "kv_transfer", "prefill"]);
    for (const span of spans) {
      if (span !== root) expect(span.parentId).toBe(root.spanId);
      expect(span.startMs).toBeGreaterThanOrEqual(root.startMs);
      expect(span.endMs).toBeGreaterThanOrEqual(span.startMs);
      expect(span.endMs).toBeLessThanOrEqual(root.endMs + 1);
    }
    const [prefill] = await spansOf(traceId, (name) => name === "prefill");
    expect(prefill!.attributes).toMatchObject({
      "server.address": "127.0.0.1",
      "global_proxy.pool": "prefill",
      "global_proxy.policy": "length_balance",
      "global_proxy.pool_size": 2,
      "global_proxy.candidates": expect.stringContaining(prefills[1]!.url.slice(7)),
    });
    expect(receiver.headers.at(-1)).toMatchObject({ "x-collector-key": "mine" });
    expect(Buffer.concat(receiver.bodies).toString("latin1")).not.toMatch(
      new RegExp(`${secret}|${key}`),
    );
    const [asked] = (await decodes[0]!.requests()).slice(-1);
    const decode = spans.find(({ name }) => name === "decode")!;
    expect(JSON.stringify(asked)).toContain(`00-${traceId}-${decode.spanId}-01`);
    expect(JSON.stringify(asked)).not.toContain(parentId);
  });

  test("with ratio 0 what fails and what is slow is exported, with each try, and nothing else", async () => {
    const { url, command } = await serve("sampleRatio: 0");
    const before = receiver.spans.length;
    await post(url, body);
    await decodes[0]!.setFault({ kind: "status", code: 500, times: 1 });
    const failing = "00-11111111111111111111111111111111-2222222222222222-00";
    await post(url, body, { headers: { traceparent: failing } });
    const spans = await spansOf("1".repeat(32));
    const root = spans.find(({ kind }) => kind === 2)!;
    expect(root).toMatchObject({ status: 2, parentId: "2".repeat(16) });
    expect(spans.filter(({ name }) => name === "decode")).toMatchObject([{ status: 2 }]);
    expect(new Set(receiver.spans.slice(before).map((span) => span.traceId)).size).toBe(1);
    command.signal("SIGTERM");
    const slow = await serve("sampleRatio: 0, slowMs: 1");
    const slowId = "3".repeat(32);
    const headers = { traceparent: `00-${slowId}-${parentId}-00` };
    for (const engine of prefills) {
      await engine.setFault({ kind: "status", code: 503, times: 1 });
      await decodes[0]!.setFault({ kind: "slow", delayMs: 20, times: 1 });
      await post(slow.url, body, { headers });
    }
    const tries = await spansOf(slowId, (name) => name === "prefill");
    expect(tries.map(({ status }) => status)).toContain(2);
    expect(tries.map(({ status }) => status)).toContain(0);
  });

  test("an invalid traceparent begins a new trace, and the end of the process loses nothing", async () => {
    const { url, command } = await serve("sampleRatio: 1");
    const before = receiver.spans.length;
    const headers = { traceparent: `00-${"0".repeat(32)}-${parentId}-01`, tracestate: "a=1" };
    await post(url, body, { headers });
    command.signal("SIGTERM");
    expect(await command.exited).toBe(0);
    const roots = receiver.spans.slice(before).filter(({ kind }) => kind === 2);
    expect(roots).toMatchObject([{ parentId: "" }]);
    const [asked] = (await decodes[0]!.requests()).slice(-1);
    expect(JSON.stringify(asked)).toContain(roots[0]!.traceId);
    expect(JSON.stringify(asked)).not.toContain("a=1");
  });

  test("a collector that is not there is said once, and costs no request", async () => {
    const command = await stack.startByFlags(
      prefills,
      decodes,
      "--otlp-traces-endpoint",
      "http://127.0.0.1:1",
    );
    for (let i = 0; i < 3; i += 1) {
      expect((await post(`${command.url}/v1/completions`, body)).status).toBe(200);
    }
    await command.command.saysError(/spans cannot be exported to http:\/\/127\.0\.0\.1:1: /);
    expect((await post(`${command.url}/v1/completions`, body)).status).toBe(200);
  });
});
