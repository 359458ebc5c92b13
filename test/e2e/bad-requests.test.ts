/** A bad request is rejected with the right status, and reaches no engine. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { openRaw, postBytes } from "../simulated-engine/raw-client.ts";
import { eventually } from "../support/eventually.ts";
import { ask, post } from "../support/http-client.ts";
import { pdYaml } from "../support/pd-yaml.ts";
import { bunAndOneNode } from "../support/runtimes.ts";
import { type Engine, type ServingProxy, Stack, totals } from "../support/stack.ts";
import { scaled } from "../support/times.ts";

const path = "/v1/completions";
const body = { prompt: "Hello", max_tokens: 4 };
const head = (lines: string, method = "POST") =>
  `${method} ${path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n${lines}\r\n`;
const json = JSON.stringify(body);
const chunked = (parts: readonly string[]) =>
  parts.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join("");
const smuggled = `GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n`;

/** Bytes that are rejected, the status, and the code in the error. After each the connection is closed. */
const refused: readonly (readonly [string, string, number, string])[] = [
  ["no HTTP at all", "\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400, "GP_BAD_REQUEST_LINE"],
  ["another version", "GET / HTTP/2.0\r\n\r\n", 505, "GP_BAD_VERSION"],
  ["no Host", "GET / HTTP/1.1\r\n\r\n", 400, "GP_BAD_HOST"],
  ["an unknown method", head("", "TRACE"), 501, "GP_METHOD_NOT_IMPLEMENTED"],
  ["a space before a colon", head("A : b\r\n"), 400, "GP_BAD_FIELD_NAME"],
  ["a bare LF", "GET / HTTP/1.1\nHost: a\n\n", 400, "GP_BAD_HEAD"],
  ["a head that is too large", head(`X: ${"x".repeat(40_000)}\r\n`), 431, "GP_HEAD_TOO_LARGE"],
  ["too many fields", head("X: y\r\n".repeat(300)), 431, "GP_TOO_MANY_FIELDS"],
  ["a bad length", head("Content-Length: +5\r\n") + smuggled, 400, "GP_BAD_CONTENT_LENGTH"],
  [
    "two lengths",
    head("Content-Length: 0\r\nContent-Length: 41\r\n") + smuggled,
    400,
    "GP_BAD_CONTENT_LENGTH",
  ],
  [
    "length and coding",
    `${head("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n")}0\r\n\r\n${smuggled}`,
    400,
    "GP_LENGTH_AND_CODING",
  ],
  [
    "a coding that is not chunked",
    head("Transfer-Encoding: xchunked\r\n") + smuggled,
    400,
    "GP_BAD_TRANSFER_ENCODING",
  ],
  [
    "a chunk that is too long",
    `${head("Transfer-Encoding: chunked\r\n")}1\r\nab\r\n0\r\n\r\n${smuggled}`,
    400,
    "GP_BAD_CHUNK",
  ],
  ["an expectation of its own", head("Expect: tea\r\n"), 417, "GP_BAD_EXPECT"],
  [
    "a body that is announced too large",
    head(`Content-Length: ${2 ** 27}\r\n`),
    413,
    "GP_BODY_TOO_LARGE",
  ],
];

/** Bodies that are no JSON object. After each the connection is good. */
const notJson = [
  "",
  "{",
  '{"prompt":"a"',
  '{"prompt":"a"}}',
  "[]",
  '"a"',
  "7",
  '{"a":01}',
  "{'a':1}",
  `${json}x`,
];

describe.each(bunAndOneNode("bad-requests"))("on %s", (runtime) => {
  const stack = new Stack(runtime);
  let engines: Engine[];
  let proxy: ServingProxy;

  beforeAll(async () => {
    const prefills = await stack.startEngines("prefill", 1);
    const decodes = await stack.startEngines("decode", 1);
    engines = [...prefills, ...decodes];
    proxy = await stack.startByFlags(prefills, decodes);
  });
  afterEach(async () => {
    expect((await post(proxy.url + path, body)).status).toBe(200);
    expect(totals(await stack.settled(engines))).toMatchObject({ recomputed: 0, violations: 0 });
  });
  afterAll(() => stack.end());

  const requestsOfAll = async () => {
    const all = await Promise.all(engines.map((engine) => engine.requests()));
    return all.flat();
  };

  test.each(refused)("%s", async (_name, bytes, status, code) => {
    const before = await requestsOfAll();
    const client = await openRaw(proxy.url);
    client.socket.write(bytes, "latin1");
    expect(await client.ended).toBe("end");
    const text = client.text();
    expect(text).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(text).toMatch(/\r\nconnection: close\r\n/i);
    const { error } = JSON.parse(text.slice(text.indexOf("\r\n\r\n")));
    expect(error).toMatchObject({ param: null, code });
    expect(text.match(/^HTTP\/1\.1 \d/gm)).toHaveLength(1);
    expect(await requestsOfAll()).toEqual(before);
  });

  test("bodies that are no JSON object get 400, and the connection goes on", async () => {
    const before = await requestsOfAll();
    const client = await openRaw(proxy.url);
    for (const [index, text] of notJson.entries()) {
      client.socket.write(`${head(`Content-Length: ${text.length}\r\n`)}${text}`);
      await eventually(
        () =>
          client.text().match(/HTTP\/1\.1 400 [^{]*{"error"[^}]*"GP_BAD_JSON"/g)?.length ===
          index + 1,
      );
    }
    expect(await requestsOfAll()).toEqual(before);
    client.socket.write(postBytes(path, body));
    await client.until("HTTP/1.1 200 OK");
    client.socket.destroy();
  });

  test("a body that grows too large in chunks gets 413", async () => {
    const small = await stack.serve((port) =>
      pdYaml({
        port,
        prefill: { engines: engines.slice(0, 1) },
        decode: { engines: engines.slice(1) },
        route: ", bodyBytesMax: 1000",
      }),
    );
    const client = await openRaw(small.url);
    client.socket.write(head("Transfer-Encoding: chunked\r\n"));
    for (let sent = 0; sent < 20; sent += 1) client.socket.write(chunked(["x".repeat(100)]));
    expect(await client.ended).toBe("end");
    expect(client.text()).toMatch(/^HTTP\/1\.1 413 [\s\S]*GP_BODY_TOO_LARGE/);
    expect((await post(small.url + path, { prompt: "x".repeat(1_000) })).status).toBe(413);
    expect((await post(small.url + path, { prompt: "x".repeat(900) })).status).toBe(200);
  });

  test("heads and bodies that do not come get 408 or a closed connection", async () => {
    // Longer than it takes to connect four clients.
    const timeoutMs = scaled(1_000);
    const hasty = await stack.serve((port) =>
      pdYaml({
        port,
        prefill: { engines: engines.slice(0, 1) },
        decode: { engines: engines.slice(1) },
        route: `, bodyTimeoutMs: ${timeoutMs}`,
      }).replace(
        "    routes:",
        `    headerTimeoutMs: ${timeoutMs}\n    keepAliveTimeoutMs: ${timeoutMs}\n    routes:`,
      ),
    );
    const starts = [
      "",
      "POST / HT",
      postBytes(path, body).slice(0, -3),
      `${postBytes(path, body)}`,
    ];
    const clients = await Promise.all(starts.map(() => openRaw(hasty.url)));
    starts.forEach((start, index) => {
      clients[index]!.socket.write(start);
    });
    await Promise.all(clients.map(({ ended }) => ended));
    const firstLines = clients.map((client) => client.text().split("\r\n")[0]);
    const timeout = "HTTP/1.1 408 Request Time-out";
    expect(firstLines).toEqual(["", timeout, timeout, "HTTP/1.1 200 OK"]);
  });

  test("unknown paths and wrong methods go to the engine", async () => {
    expect(await ask(`${proxy.url}/nowhere`)).toMatchObject({ status: 404, end: "whole" });
    expect(await ask(proxy.url + path)).toMatchObject({ status: 405, end: "whole" });
    expect(await ask(`${proxy.url}/../../etc/passwd`)).toMatchObject({ end: "whole" });
  });
});
