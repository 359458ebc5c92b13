/** What a client may not do to engines: control them, steer KV transfers, or name itself another rank. */

import { gzipSync } from "node:zlib";
import { describe, expect, it, test } from "vitest";
import { allDialects } from "../../src/dialects/registry.ts";
import { transferHeaders } from "../../src/dialects/transfer-guard.ts";
import { unreadableLinesMax } from "../../src/limits.ts";
import { response } from "./engine.ts";
import type { Message } from "./http-reader.ts";
import { World, type WorldOptions } from "./world.ts";

interface Sent {
  readonly method?: string;
  readonly body?: string | Buffer;
  readonly lines?: string;
}

/** One request, and what engines got of it. */
function send(path: string, sent: Sent = {}, options: WorldOptions = {}) {
  const { method = "POST", body = "", lines = "" } = sent;
  const world = new World(options);
  for (const engine of world.engines) {
    engine.checksTransfer = false;
    engine.script = (_, connection) => connection.send(response(`{"kv_transfer_params":{"kv":1}}`));
  }
  const client = world.client();
  const bytes = Buffer.from(body as string);
  const head = `${method} ${path} HTTP/1.1\r\nHost: proxy\r\nContent-Length: ${bytes.length}\r\n`;
  client.send(Buffer.concat([Buffer.from(`${head}${lines}\r\n`), bytes]), method);
  const got = world.responseTo(client);
  world.expectNothingLeft();
  return {
    status: got.status,
    text: got.body.toString(),
    requests: world.engines.flatMap(({ requests }): readonly Message[] => requests),
    line: world.lines[0],
  };
}

/** With a prefill for all that generates, and without any. */
const routes: readonly (readonly [string, WorldOptions])[] = [
  [
    "P/D",
    {
      routes: [{ match: { path: "/" }, target: { pool: "decode" }, prefill: { pool: "prefill" } }],
    },
  ],
  ["plain", { routes: [{ match: { path: "/" }, target: { pool: "decode" }, dialect: "plain" }] }],
];

describe.each(routes)("%s", (_, options) => {
  it.each([
    ["POST", "/sleep?level=1"],
    ["POST", "/collective_rpc"],
    ["GET", "/flush_cache"],
    ["POST", "/abort_request"],
    ["POST", "/v1/load_lora_adapter"],
    ["GET", "/server_info"],
    ["POST", "/v1/../sleep"],
    ["POST", "/%73leep"],
    ["POST", "//sleep/"],
    ["OPTIONS", "/debug/vars"],
    ["POST", "/busy_threshold"],
  ])("%s %s reaches no engine", (method, path) => {
    const { status, text, requests } = send(path, { method }, options);
    expect(status).toBe(403);
    expect(JSON.parse(text)).toEqual({
      error: {
        message: expect.stringContaining("operators"),
        type: "permission_error",
        param: null,
        code: "GP_ENGINE_CONTROL",
      },
    });
    expect(requests).toEqual([]);
  });

  it.each([
    '[{"prompt":"x","kv_transfer_params":{}}]',
    ' \n[1,{"a":[]},{"prompt":"x","bootstrap\\u005froom":1}]',
    '\ufeff[{"vllm_xargs":{"kv_transfer_params":{}}}]',
    '[{"request_id":"___prefill_addr_1"}, oh no',
  ])("a list of requests with a transfer field reaches no engine: %s", (body) => {
    const { status, text, requests } = send("/v1/score", { body }, options);
    expect({ status, code: JSON.parse(text).error.code }).toEqual({
      status: 400,
      code: "GP_TRANSFER_FIELD",
    });
    expect(requests).toEqual([]);
  });

  it.each(["[]", "[", '[{"a":1},2,"kv_transfer_params"]', '[{"a":{"kv_transfer_params":1}}]'])(
    "any other list goes on as it came: %s",
    (body) => {
      const { status, requests } = send("/v1/score", { body }, options);
      expect(status).toBe(200);
      expect(requests.map((one) => one.body.toString())).toEqual([body]);
    },
  );

  test("engineControl lets them through", () => {
    const route = { ...options.routes![0]!, engineControl: true };
    const { status, requests } = send("/sleep", {}, { routes: [route] });
    expect(status).toBe(200);
    expect(requests).toHaveLength(1);
  });

  const fields = [
    ...new Set(allDialects.flatMap(({ transferFields }): readonly string[] => transferFields)),
    "ec_transfer_params",
  ];
  const paths = ["/v1/embeddings", "/tokenize", "/v1/score", "/v1/batches", "/a/new/one"];
  it.each(paths)(
    "%s: a client's transfer fields reach no engine, however they are written",
    (path) => {
      for (const field of fields) {
        const escaped = field.replaceAll("_", "\\u005f");
        const allEscaped = [...field].map(
          (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
        );
        const body =
          `{"a":1,"${field}":{"evil":1},"input":"x","${escaped}":"evil","${field}":["evil"],` +
          `"${allEscaped.join("")}":"evil"}`;
        for (const text of [body, `\ufeff ${body}`]) {
          const { status, requests } = send(path, { body: text }, options);
          expect(status).toBe(200);
          expect(requests).toHaveLength(1);
          expect(requests[0]!.body.toString()).not.toContain("evil");
          expect(JSON.parse(requests[0]!.body.toString().replace("\ufeff", ""))).toEqual({
            a: 1,
            input: "x",
          });
        }
      }
    },
  );

  test("what generates loses the fields of every dialect, not of its route's alone", () => {
    for (const field of fields) {
      const body = `{"prompt":"x","${field}":{"evil":1}}`;
      const { requests } = send("/v1/completions", { body }, options);
      expect(requests.length).toBeGreaterThan(0);
      for (const request of requests) expect(request.body.toString()).not.toContain("evil");
    }
  });

  it.each([
    `{"prompt":"x","vllm_xargs":{"kv_transfer_params":"evil"}}`,
    `{"prompt":"x","sampling_params":{"extra_args":{"kv_transfer_params":{"evil":1}}}}`,
    `{"prompt":"x","sampling_params":{},"sampling_params":{"extra_args":{"kv\\u005ftransfer_params":{"evil":1}}}}`,
    `{"prompt":"x","nvext":{"backend_instance_id":"evil"}}`,
    `{"prompt":"x","nvext":{},"nvext":{"prefill\\u005fworker_id":"evil"}}`,
    `{"prompt":"x","request_id":"___prefill_addr_evil:1___decode_addr_evil:2_0"}`,
    `{"prompt":"x","request_id":"_\\u005f_decode_addr_evil:2"}`,
  ])("%s is refused: the field cannot be taken out", (body) => {
    for (const path of ["/v1/completions", "/v1/embeddings"]) {
      const { status, text, requests } = send(path, { body }, options);
      expect([status, JSON.parse(text).error.code]).toEqual([400, "GP_TRANSFER_FIELD"]);
      expect(requests).toEqual([]);
    }
  });

  it.each([
    [
      "a number that only some parsers know",
      Buffer.from(`{"kv_transfer_params":{"evil":1},"a":NaN}`),
    ],
    ["UTF-16", Buffer.from(`{"kv_transfer_params":{"evil":1}}`, "utf16le")],
    ["UTF-16, big endian", Buffer.from(`{"kv_transfer_params":{"evil":1}}`, "utf16le").swap16()],
    ["UTF-16 with its mark", Buffer.from(`\ufeff{"kv_transfer_params":{"evil":1}}`, "utf16le")],
  ])("JSON that cannot be looked through is refused: %s", (_what, body) => {
    const { status, requests } = send("/v1/embeddings", { body }, options);
    expect(status).toBe(400);
    expect(requests).toEqual([]);
  });

  it.each([
    [
      "multipart/form-data; boundary=x",
      `--x\r\n\r\n"kv_transfer_params" {"a":{"bootstrap_room":1}}\r\n--x--`,
    ],
    [
      "multipart/form-data; boundary=x",
      `--x\r\n\r\n{"a":1}\n{"body":{"prompt":"x"}}\n{{NaN\r\n--x--`,
    ],
    ["application/jsonl", `{"body":{"prompt":"x","a":{"kv_transfer_params":1}}}\n`],
    ["application/json", `["kv_transfer_params"]`],
    ["application/octet-stream", "\0\u0001\u0002"],
  ])("a body of type %s that is no object goes on as it came", (type, body) => {
    const { status, requests } = send(
      "/v1/audio/transcriptions",
      { body, lines: `Content-Type: ${type}\r\n` },
      options,
    );
    expect(status).toBe(200);
    expect(requests[0]!.body.toString()).toBe(body);
  });

  const batch = (body: string) => `{"custom_id":"1","url":"/v1/completions","body":${body}}`;
  const deep = "[".repeat(2_000) + "]".repeat(2_000);
  it.each([
    ["of its own", `{"prompt":"x","bootstrap_room":1}`],
    ["of a batch", batch(`{"prompt":"x","kv_transfer_params":{"evil":1}}`)],
    ["escaped", batch(`{"kv\\u005ftransfer_params":1}`)],
    ["in one of two bodies", `{"body":{"kv_transfer_params":1},"body":{}}`],
    ["hidden", batch(`{"vllm_xargs":{"kv_transfer_params":1}}`)],
    ["of Dynamo's", batch(`{"nvext":{"decode_worker_id":1}}`)],
    ["with an id that names engines", batch(`{"request_id":"___prefill_addr_evil:1"}`)],
    ["behind a number that only some parsers know", `{"a":NaN,"kv_transfer_params":1}`],
    ["behind such a number in its body", batch(`{"a":-Infinity,"kv_transfer_params":1}`)],
    ["too deep to be looked through", `{"a":${deep},"kv_transfer_params":1}`],
  ])("a file of requests with a transfer field reaches no engine: %s", (_what, line) => {
    const files = [
      `--x\r\nContent-Disposition: form-data; name="file"\r\n\r\n{"a":1}\n \t${line}\r\n--x--`,
      `--x\r\n\r\n\ufeff${line}\r\n--x--`,
      `--x\r${line}\r--x--`,
      `{"a":1}\n${line}`,
      `\n\n${line}\n{"a":1}`,
      `[]\n${line}\n`,
      `{"a":1}\n\u00a0${line}\u00a0\v\n`,
      `{"a":1}\u2028${line}`,
    ];
    for (const body of files) {
      for (const type of ["multipart/form-data; boundary=x", "application/json"]) {
        const lines = `Content-Type: ${type}\r\n`;
        const { status, text, requests } = send("/v1/files", { body, lines }, options);
        expect(status, body).toBe(400);
        expect(JSON.parse(text).error.code).toMatch(/GP_TRANSFER_FIELD|GP_BAD_JSON/);
        expect(requests).toEqual([]);
      }
    }
  });

  test("more broken lines than a file can have are refused, since each costs time", () => {
    const linesOf = (count: number) => '{"}\n'.repeat(count);
    const post = (body: string) => send("/v1/files", { body }, options);
    expect(post(linesOf(unreadableLinesMax - 1)).status).toBe(200);
    expect(post(linesOf(unreadableLinesMax))).toMatchObject({ status: 400, requests: [] });
  });

  it.each([
    `[{"a":NaN,"kv_transfer_params":1}]`,
    `[NaN,{"kv_transfer_params":1}]`,
    `[${deep},{"kv_transfer_params":1}]`,
  ])("a list that cannot be looked through is refused", (body) => {
    const { status, text, requests } = send("/v1/score", { body }, options);
    expect([status, JSON.parse(text).error.code]).toEqual([400, "GP_BAD_JSON"]);
    expect(requests).toEqual([]);
  });

  it.each(transferHeaders)("%s of a client reaches no engine, with underscores neither", (name) => {
    const lines = `${name}: evil\r\n${name.replaceAll("-", "_").toLowerCase()}: evil\r\nX-Kept: 1\r\n`;
    for (const path of ["/v1/completions", "/v1/embeddings"]) {
      const { requests } = send(path, { body: "{}", lines }, options);
      expect(requests.length).toBeGreaterThan(0);
      for (const { head } of requests.map((request) => ({
        head: [...request.fields].join("\n"),
      }))) {
        expect(head).not.toContain("evil");
        expect(head.toLowerCase()).toContain("x-kept");
      }
    }
  });

  it.each([
    "Content-Encoding: gzip",
    "content-encoding: identity, zstd",
    "Content-Encoding: identity\r\nContent-Encoding: br",
    "X-Body-Compressed: zstd",
  ])("a body that only an engine can unpack reaches none: %s", (line) => {
    for (const path of ["/v1/completions", "/v1/embeddings", "/v1/files", "/v1/unknown"]) {
      const body = gzipSync('{"prompt":"x","kv_transfer_params":{}}');
      const { status, text, requests } = send(path, { body, lines: `${line}\r\n` }, options);
      expect({ status, code: JSON.parse(text).error.code }).toEqual({
        status: 415,
        code: "GP_BODY_ENCODED",
      });
      expect(requests).toEqual([]);
    }
  });

  it.each([
    ["Content-Encoding: identity", "{}"],
    ["Content-Encoding: Identity", "{}"],
    ["Content-Encoding: ", "{}"],
    ["Content-Encoding: gzip", ""],
  ])("one that is not compressed goes on: %s", (line, body) => {
    const { status } = send("/v1/embeddings", { body, lines: `${line}\r\n` }, options);
    expect(status).toBe(200);
  });

  test("a request id that names engines is replaced", () => {
    const lines = "X-Request-Id: ___prefill_addr_evil:1___decode_addr_evil:2_0\r\n";
    for (const path of ["/v1/completions", "/v1/embeddings"]) {
      const { requests } = send(path, { body: "{}", lines }, options);
      for (const request of requests) {
        const head = [...request.fields].join("\n");
        expect(head).not.toContain("evil");
        expect(head.toLowerCase()).toContain("x-request-id");
      }
    }
  });
});

test("as in nginx.conf, a route that does not look at endpoints forwards bodies and paths as they come", () => {
  const route = { match: { path: "/" }, target: { pool: "decode" }, byEndpoint: false };
  const body = `{"kv_transfer_params":{"a":1}}`;
  const { requests } = send("/sleep", { body }, { routes: [{ ...route, engineControl: true }] });
  expect(requests[0]!.body.toString()).toBe(body);
});

test("names with an underscore are kept where the server says so", () => {
  const lines = "x_kept: 1\r\n";
  const { requests } = send(
    "/v1/embeddings",
    { body: "{}", lines },
    { server: { underscoresInHeaders: true } },
  );
  expect([...requests[0]!.fields].join("\n")).toContain("x_kept");
});
