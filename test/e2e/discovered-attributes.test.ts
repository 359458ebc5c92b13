/**
 * What an engine says of itself while it runs decides whether it gets requests, and is in what other engines are told.
 */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { post } from "../support/http-client.ts";
import { pdYaml } from "../support/pd-yaml.ts";
import { freePorts } from "../support/ports.ts";
import { oneRuntime } from "../support/runtimes.ts";
import { instant, Stack } from "../support/stack.ts";

/** A server of a few paths. What is posted to it is kept. */
class FakeServer {
  readonly answers = new Map<string, { status: number; body: string }>();
  readonly posted: string[] = [];
  readonly #server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      if (request.method === "POST") this.posted.push(Buffer.concat(chunks).toString());
      const [path = ""] = (request.url ?? "").split("?");
      const { status, body } = this.answers.get(path) ?? { status: 404, body: "{}" };
      response.writeHead(status, { "content-type": "application/json" }).end(body);
    });
  });

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

const path = "/v1/completions";

describe.each(oneRuntime("discovered-attributes"))("on %s", (runtime) => {
  const stack = new Stack(runtime);
  const bootstrap = new FakeServer();
  const prefill = new FakeServer();
  const decode = new FakeServer();
  let bootstrapPort = 0;
  let url = "";

  beforeAll(async () => {
    bootstrapPort = await bootstrap.listen();
    const [prefillPort, decodePort] = [await prefill.listen(), await decode.listen()];
    for (const server of [prefill, decode]) {
      server.answers.set(path, { status: 200, body: '{"choices":[{"text":"x"}]}' });
    }
    // The port of the bootstrap server is found out as well.
    const info = JSON.stringify({ disaggregation_bootstrap_port: bootstrapPort });
    prefill.answers.set("/server_info", { status: 200, body: info });
    bootstrap.answers.set("/route", { status: 503, body: "{}" });
    const proxy = await stack.serve((port) =>
      pdYaml({
        port,
        prefill: { engines: [{ url: `http://127.0.0.1:${prefillPort}` }] },
        decode: { engines: [{ url: `http://127.0.0.1:${decodePort}` }] },
        route: ", dialect: sglang",
        top: "errorLog: { level: notice }",
      }),
    );
    url = proxy.url + path;
    await proxy.command.saysError(/engine prefill 127\.0\.0\.1:\d+ is not ready yet/);
  });
  afterAll(async () => {
    for (const server of [bootstrap, prefill, decode]) server.close();
    await stack.end();
  });

  const status = async () => (await post(url, { prompt: "a", max_tokens: 1 })).status;

  test("an engine that is not ready gets nothing; one that is gets requests, without a reload", async () => {
    await eventually(async () => (await status()) === 502);
    const before = prefill.posted.length;
    expect(await status()).toBe(502);
    expect(prefill.posted).toHaveLength(before);
    bootstrap.answers.set("/route", { status: 200, body: '{"dp_size":1}' });
    await eventually(async () => (await status()) === 200);
    expect(prefill.posted.length).toBeGreaterThan(before);
    // What was found stands in what decode is told.
    expect(decode.posted.at(-1)).toMatch(new RegExp(`"bootstrap_port":\\s*"?${bootstrapPort}`));
    bootstrap.answers.set("/route", { status: 503, body: "{}" });
    await eventually(async () => (await status()) === 502);
  });
});

describe.each(oneRuntime("discovered-context"))(
  "what vLLM's engines say of themselves, on %s",
  (runtime) => {
    const stack = new Stack(runtime, { ownProcesses: true });
    afterAll(() => stack.end());

    test("how long requests may be: decode's refusals cost no prefill, and a new length is noticed", async () => {
      const nixl = [...instant, "--dialect", "vllm-nixl"];
      const [prefill] = await stack.startEngines("prefill", 1, nixl);
      const [port] = (await freePorts(1)) as [number];
      const decodeOf = (tokens: number) =>
        stack.startEngine("decode", port, [...nixl, "--max-model-len", `${tokens}`]);
      const decode = await decodeOf(100);
      const proxy = await stack.startByFlags([prefill!], [decode], "--dialect", "vllm-nixl");
      const send = () => post(proxy.url + path, { prompt: "a", max_tokens: 200 });
      const prefills = async () => (await prefill!.state()).requestsSeen;

      const rejected = await send();
      expect(rejected.status).toBe(400);
      expect(rejected.body).toContain("max_tokens=200 cannot be greater than max_model_len=100.");
      expect(await prefills()).toBe(0);

      await decode.kill();
      await decodeOf(1_000);
      await eventually(async () => (await send()).status === 200);
      expect(await prefills()).toBeGreaterThan(0);
    });

    test("their version: a call that a client forces is not lost at an older prefill engine", async () => {
      const nixl = [...instant, "--dialect", "vllm-nixl"];
      const older = [...nixl, "--engine-version", "0.18.0"];
      const [[prefill], [decode]] = await Promise.all([
        stack.startEngines("prefill", 1, older),
        stack.startEngines("decode", 1, older),
      ]);
      const proxy = await stack.startByFlags([prefill!], [decode!], "--dialect", "vllm-nixl");
      const chat = { messages: [{ role: "user", content: "hi" }], max_tokens: 4 };
      const direct = await post(`${prefill!.url}/v1/chat/completions`, {
        ...chat,
        max_tokens: 1,
        tool_choice: "required",
      });
      expect(direct.status).toBe(500);
      const send = (more: object) => post(`${proxy.url}/v1/chat/completions`, { ...chat, ...more });
      expect((await send({ tool_choice: "required" })).status).toBe(200);
      const before = (await prefill!.state()).requestsSeen;
      expect((await send({})).status).toBe(200);
      expect((await prefill!.state()).requestsSeen).toBe(before + 1);
    });
  },
);
