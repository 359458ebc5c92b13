/** Clients that speak HTTP/2, with TLS and without: what they get, and what they cannot do to others. */
import { readFileSync } from "node:fs";
import http2, { type ClientHttp2Session, type ClientHttp2Stream } from "node:http2";
import tls from "node:tls";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { Authority } from "../support/certificates.ts";
import { eventually } from "../support/eventually.ts";
import { post } from "../support/http-client.ts";
import {
  endHeaders,
  endStream,
  FrameClient,
  fieldBlock,
  frame,
  frameTypes,
} from "../support/http2-frames.ts";
import { freePorts } from "../support/ports.ts";
import { runtimes } from "../support/runtimes.ts";
import { type Engine, type ServingProxy, Stack, totals } from "../support/stack.ts";

const authority = Authority.create();
const own = authority.issue("proxy.test");
const ca = readFileSync(authority.files.certificate);
const path = "/v1/completions";
const noPrefillTime = ["--prefill-tokens-per-second", "0", "--batch-penalty-ms", "0"];

interface Got {
  status: number;
  text: string;
  code: number;
}

function open(session: ClientHttp2Session, body?: object | string): ClientHttp2Stream {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const method = body === undefined ? "GET" : "POST";
  const head = { ":path": path, ":method": method, "content-type": "application/json" };
  const stream = session.request(head, { endStream: body === undefined });
  stream.on("error", () => {});
  if (body !== undefined) stream.end(text);
  return stream;
}

function whole(stream: ClientHttp2Stream): Promise<Got> {
  return new Promise((resolve) => {
    const got: Got = { status: 0, text: "", code: 0 };
    stream.on("response", (head) => {
      got.status = Number(head[":status"]);
    });
    stream.setEncoding("utf8");
    stream.on("data", (part) => {
      got.text += part;
    });
    stream.on("close", () => resolve({ ...got, code: stream.rstCode ?? 0 }));
  });
}

/** Bun is refused: see `checkHttp2`. */
const capable = runtimes.filter((name) => name !== "bun");

describe.each(capable)("on %s", (runtime) => {
  const stack = new Stack(runtime);
  let prefill: Engine;
  let decode: Engine;
  let proxy: ServingProxy;
  let securePort: number;
  const sessions: ClientHttp2Session[] = [];

  beforeAll(async () => {
    [prefill] = (await stack.startEngines("prefill", 1)) as [Engine];
    [decode] = (await stack.startEngines("decode", 1, [...noPrefillTime, "--itl-ms", "1"])) as [
      Engine,
    ];
    [securePort] = (await freePorts(1)) as [number];
    const server = { host: "127.0.0.1", http2: true };
    proxy = await stack.serve((port) =>
      JSON.stringify({
        logFormats: { protocols: { format: "$server_protocol $http2 $status" } },
        pools: {
          prefill: { engines: [{ url: prefill.url }] },
          decode: { engines: [{ url: decode.url }] },
        },
        servers: [
          {
            listen: [
              { ...server, port },
              { ...server, port: securePort, tls: true },
            ],
            tls: { certificates: [{ file: own.certificate, keyFile: own.key }] },
            routes: [
              {
                match: { path: "/v1" },
                dialect: "omni",
                prefill: { pool: "prefill" },
                target: { pool: "decode" },
                accessLogs: [{ file: "access.log", format: "protocols" }],
              },
            ],
          },
        ],
      }),
    );
  });
  afterEach(async () => {
    for (const session of sessions.splice(0)) session.destroy();
    expect(totals(await stack.settled())).toMatchObject({ expired: 0 });
    expect(proxy.command.stderr).not.toMatch(/worker \d+ died/);
  });
  afterAll(() => stack.end());

  const connect = (): ClientHttp2Session => {
    const session = http2.connect(proxy.url);
    session.on("error", () => {});
    sessions.push(session);
    return session;
  };
  const lastLine = () =>
    readFileSync(`${stack.folder}/access.log`, "utf8").trimEnd().split("\n").at(-1);

  test("a stream by prior knowledge, and HTTP/1.1 at the same port", async () => {
    const got = await whole(open(connect(), { prompt: "Hello", stream: true, max_tokens: 5 }));
    expect(got).toMatchObject({ status: 200, code: 0 });
    expect(got.text).toMatch(/^data: \{.*data: \[DONE\]\n\n$/s);
    await eventually(() => lastLine() === "HTTP/2.0 h2c 200");
    expect(await post(proxy.url + path, { prompt: "Hello" })).toMatchObject({ status: 200 });
    await eventually(() => lastLine() === "HTTP/1.1 - 200");
  });

  test("a stream over TLS, by what the handshake agrees on", async () => {
    const url = `https://127.0.0.1:${securePort}`;
    const session = http2.connect(url, { ca, servername: "proxy.test" });
    sessions.push(session);
    const got = await whole(open(session, { prompt: "Hello", stream: true, max_tokens: 5 }));
    expect(session.alpnProtocol).toBe("h2");
    expect(got).toMatchObject({ status: 200, code: 0 });
    expect(got.text).toContain("data: [DONE]");
    await eventually(() => lastLine() === "HTTP/2.0 h2 200");
  });

  test("many streams of one connection at a time, and a large body", async () => {
    const session = connect();
    const requests = Array.from({ length: 100 }, (_, i) =>
      whole(open(session, { prompt: `Number ${i} `.repeat(i === 0 ? 40_000 : 1), max_tokens: 3 })),
    );
    for (const got of await Promise.all(requests)) {
      expect(got).toMatchObject({ status: 200, code: 0 });
      expect(JSON.parse(got.text)).toHaveProperty("choices");
    }
  });

  test("a stream that is taken back ends its decode, and no other", async () => {
    const session = connect();
    const other = whole(open(session, { prompt: "Stay", stream: true, max_tokens: 400 }));
    const before = (await decode.state()).aborted.streaming;
    const gone = open(session, { prompt: "Go", stream: true, max_tokens: 50_000 });
    await new Promise((resolve) => gone.once("data", resolve));
    gone.close(http2.constants.NGHTTP2_CANCEL);
    await eventually(async () => (await decode.state()).aborted.streaming === before + 1);
    expect(await other).toMatchObject({ status: 200, code: 0 });
  });

  test("a stream that is not read delays no other of its connection", async () => {
    const session = http2.connect(proxy.url, { settings: { initialWindowSize: 20_000 } });
    session.on("error", () => {});
    sessions.push(session);
    const unread = open(session, { prompt: "Wait", stream: true, max_tokens: 5_000 });
    unread.pause();
    await new Promise((resolve) => unread.once("response", resolve));
    for (let others = 0; others < 5; others += 1) {
      const got = await whole(open(session, { prompt: "Next", stream: true, max_tokens: 50 }));
      expect(got).toMatchObject({ status: 200, code: 0 });
    }
    const rest = whole(unread);
    unread.resume();
    const got = await rest;
    expect(got.code).toBe(0);
    expect(got.text).toMatch(/data: \[DONE\]\n\n$/);
  });

  test("an error of the proxy's own is a whole response", async () => {
    const got = await whole(open(connect(), "not json"));
    expect(got).toMatchObject({ status: 400, code: 0 });
    expect(JSON.parse(got.text)).toHaveProperty("error.code");
  });

  const fields = (...more: string[]) => [
    ...[":method", "POST", ":scheme", "http", ":path", path, ":authority", "a.test"],
    ...more,
  ];
  const request = (flags: number, ...more: string[]) =>
    frame(frameTypes.headers, flags | endHeaders, 1, fieldBlock(fields(...more)));

  test.each([
    ["more", "2"],
    ["less", "400"],
  ])("a body with %s bytes than announced reaches no engine", async (_name, length) => {
    const { requestsSeen } = await prefill.state();
    const client = new FrameClient(proxy.port);
    client.socket.write(request(0, "content-length", length));
    const body = '{"prompt":"a"}POST /v1/completions HTTP/1.1\r\n\r\n';
    client.socket.write(frame(frameTypes.data, endStream, 1, body));
    await eventually(() => client.of(frameTypes.reset).length > 0 || client.isClosed);
    expect(client.of(frameTypes.headers)).toEqual([]);
    expect((await prefill.state()).requestsSeen).toBe(requestsSeen);
    client.socket.destroy();
  });

  test.each([
    ["an upper-case name", ["X-A", "1"]],
    ["a field about the connection", ["connection", "close"]],
    ["a second path", [":path", "/other"]],
  ])("%s is refused", async (_name, more) => {
    const { requestsSeen } = await prefill.state();
    const client = new FrameClient(proxy.port);
    client.socket.write(request(endStream, ...more));
    await eventually(() => client.of(frameTypes.reset, 1).length > 0 || client.isClosed);
    expect((await prefill.state()).requestsSeen).toBe(requestsSeen);
    client.socket.destroy();
  });

  test("streams that are taken back at once end their connection, and others are served", async () => {
    const client = new FrameClient(proxy.port);
    const cancel = Buffer.from([0, 0, 0, 8]);
    for (let id = 1; id < 6_000 && !client.isClosed; id += 2) {
      const block = fieldBlock(fields());
      const begin = frame(frameTypes.headers, endHeaders, id, block);
      client.socket.write(Buffer.concat([begin, frame(frameTypes.reset, 0, id, cancel)]));
      if (id % 200 === 1) await new Promise((resolve) => setImmediate(resolve));
    }
    await eventually(() => client.isClosed);
    expect(await whole(open(connect(), { prompt: "Hello" }))).toMatchObject({ status: 200 });
  });

  test("frames that ask for nothing end their connection", async () => {
    const client = new FrameClient(proxy.port);
    const pings = Buffer.concat(
      Array.from({ length: 10_000 }, () => frame(frameTypes.ping, 0, 0, Buffer.alloc(8))),
    );
    for (let i = 0; i < 60 && !client.isClosed; i += 1) {
      client.socket.write(pings);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await eventually(() => client.isClosed);
  });

  test("a proxy that drains says so, and streams in flight end whole", async () => {
    const session = connect();
    const goaway = new Promise((resolve) => session.once("goaway", resolve));
    const last = open(session, { prompt: "Hello", stream: true, max_tokens: 300 });
    await new Promise((resolve) => last.once("response", resolve));
    const idle = new FrameClient(proxy.port);
    await eventually(() => idle.of(frameTypes.settings).length > 0);
    const rest = whole(last);
    proxy.command.signal("SIGQUIT");
    await goaway;
    expect((await rest).text).toMatch(/data: \[DONE\]\n\n$/);
    await eventually(() => idle.isClosed);
    expect(idle.of(frameTypes.goaway).length).toBeGreaterThan(0);
    expect(await proxy.command.exited).toBe(0);
  });
});

test("on Bun clients of an address with TLS are offered HTTP/1.1", async () => {
  const stack = new Stack("bun");
  const decodes = await stack.startEngines("decode", 1, noPrefillTime);
  const { certificate, key } = own;
  const [port] = (await freePorts(1)) as [number];
  const conf = `
    events {}
    http {
      server {
        listen 127.0.0.1:${port} ssl http2;
        ssl_certificate ${certificate};
        ssl_certificate_key ${key};
        location / { proxy_pass ${decodes[0]!.url}; }
      }
    }`;
  const proxy = await stack.serve(() => conf, "conf");
  const socket = tls.connect({
    port,
    host: "127.0.0.1",
    servername: "proxy.test",
    ca,
    ALPNProtocols: ["h2", "http/1.1"],
  });
  await new Promise((resolve) => socket.once("secureConnect", resolve));
  expect(socket.alpnProtocol).toBe("http/1.1");
  socket.destroy();
  await proxy.command.saysError(/clients are offered HTTP\/1\.1 only/);
  await stack.end();
});
