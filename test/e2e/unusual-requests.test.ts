/** Unusual requests are served as well: pipelined ones, odd chunks, an old version. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openRaw, postBytes } from "../simulated-engine/raw-client.ts";
import { post } from "../support/http-client.ts";
import { bunAndOneNode } from "../support/runtimes.ts";
import { type ServingProxy, Stack } from "../support/stack.ts";

const path = "/v1/completions";
const body = { prompt: "Hello", max_tokens: 4 };
const json = JSON.stringify(body);
const head = (lines: string) =>
  `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n${lines}\r\n`;
const chunked = (parts: readonly string[]) =>
  parts.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join("");

describe.each(bunAndOneNode("unusual-requests"))("on %s", (runtime) => {
  const stack = new Stack(runtime);
  let proxy: ServingProxy;
  let oracle: string;

  beforeAll(async () => {
    const prefills = await stack.startEngines("prefill", 1);
    const decodes = await stack.startEngines("decode", 1);
    oracle = (await stack.startEngines("mixed", 1))[0]!.url;
    proxy = await stack.startByFlags(prefills, decodes);
  });
  afterAll(() => stack.end());

  test("pipelined requests get their responses in order, also behind a stream", async () => {
    const ids = ["one", "two", "three", "four"];
    const requests = ids.map((id, index) =>
      postBytes(path, { ...body, stream: index % 2 === 0 }, `X-Request-Id: ${id}\r\n`),
    );
    const last = "GET /version HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    const client = await openRaw(proxy.url);
    client.socket.write(requests.join("") + last);
    expect(await client.ended).toBe("end");
    const text = client.text();
    const minted = expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    const reported = text.match(/^X-Request-Id: .*$/gim)?.map((line) => line.slice(14));
    expect(reported).toEqual([...ids, minted]);
    expect(text.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(5);
    expect(text.endsWith('{"version":"0.0.0+simulated"}')).toBe(true);
  });

  test("chunks of any size, with extensions and trailers, byte by byte", async () => {
    const expected = await post(oracle + path, body, { headers: { "x-request-id": "same" } });
    const parts = [json.slice(0, 1), json.slice(1, 20), json.slice(20)];
    const framed = chunked(parts).replace("\r\n", ";name=value\r\n");
    const bytes = `${head("X-Request-Id: same\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n")}${framed}0\r\nX-Trailer: a\r\n\r\n`;
    const client = await openRaw(proxy.url);
    client.socket.setNoDelay(true);
    for (const byte of bytes) {
      client.socket.write(byte);
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    expect(await client.ended).toBe("end");
    expect(client.text().endsWith(expected.body)).toBe(true);
  });

  test("HTTP/1.0 without a Host is served, and closed", async () => {
    const client = await openRaw(proxy.url);
    const length = `Content-Type: application/json\r\nContent-Length: ${json.length}\r\n`;
    client.socket.write(`POST ${path} HTTP/1.0\r\n${length}\r\n${json}`);
    expect(await client.ended).toBe("end");
    expect(client.text()).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*"text_completion"/);
  });
});
