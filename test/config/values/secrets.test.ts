/** What is dumped or logged ends in tickets and chats: a key in it has to be changed everywhere. */
import { describe, expect, it, test } from "vitest";
import { configSchema } from "../../../src/config/schema/schema.ts";
import { isSecretName, maskConfig, maskText } from "../../../src/config/values/secrets.ts";
import { toFullYaml, toYaml } from "../../../src/config/yaml/write-yaml.ts";

describe("in a line of text", () => {
  it.each([
    ["invalid URL http://user:hunter2@engine:80/", "invalid URL http://***@engine:80/"],
    ["http://hunter2@engine", "http://***@engine"],
    ["Authorization: Bearer hunter2-hunter2", "Authorization: Bearer ***"],
    ["basic aHVudGVyMg==", "basic ***"],
    ["key sk-hunter2hunter2 is", "key *** is"],
    ["10.0.0.1:80?auth_key=hunter2&dp_size=2", "10.0.0.1:80?auth_key=***&dp_size=2"],
    [
      'request: "GET /v1/models?api_key=hunter2 HTTP/1.1"',
      'request: "GET /v1/models?api_key=*** HTTP/1.1"',
    ],
    ["access_token=hunter2;x", "access_token=***;x"],
    ["http://collector/v1/traces?key=hunter2", "http://collector/v1/traces?key=***"],
  ])("%s", (text, masked) => {
    expect(maskText(text)).toBe(masked);
  });

  it.each([
    "http://engine:8000@2",
    "engine http://10.0.0.1:8000@0-3 is down",
    "http://engine:8000@3?dp_size=4",
    "Bearer $http_x_key",
    "api_key=$arg_key",
    "max_tokens=5 tokens=7",
    "hash_key=7&monkey=8",
    "task-force risk-assessment-of-all",
  ])("%s has no secret", (text) => {
    expect(maskText(text)).toBe(text);
  });

  test("a long line of a client's takes no minutes", () => {
    for (const part of ["a-", "://", "://a:", "Bearer ", "sk-", "token=", "Bearer Basic "]) {
      maskText(part.repeat(200_000 / part.length));
    }
  });
});

test("a configuration shows where its secrets are, and none of them", () => {
  const secret = "hunter2";
  const config = configSchema.parse({
    admin: { port: 9901, token: { file: "/run/admin-token" } },
    maps: [
      {
        source: "$http_authorization",
        variable: "tenant",
        entries: [{ match: `Bearer ${secret}`, value: "a" }],
      },
      {
        source: "$http_x_tenant",
        variable: "engine_api_key",
        default: secret,
        entries: [{ match: "a", value: secret }],
      },
    ],
    pools: {
      e: {
        engines: [
          { url: `http://10.0.0.1:80?auth_key=${secret}`, attributes: { auth_key: secret } },
        ],
      },
    },
    servers: [
      {
        listen: [{ port: 80 }],
        routes: [
          {
            match: { path: "/" },
            target: { pool: "e" },
            steps: [{ set: { name: "api_key", value: secret } }],
            setHeaders: {
              Authorization: `Bearer ${secret}`,
              "X-Api-Key": secret,
              Cookie: `s=${secret}`,
              "X-Forwarded-For": "$remote_addr",
              "X-Auth-Token": "$http_x_auth_token",
            },
          },
        ],
      },
    ],
  });
  const { config: masked, count } = maskConfig(config);
  expect(JSON.stringify(masked)).not.toContain(secret);
  expect(count).toBe(9);
  expect(masked.servers[0]!.routes[0]!.setHeaders).toEqual({
    Authorization: "Bearer ***",
    "X-Api-Key": "***",
    Cookie: "***",
    "X-Forwarded-For": "$remote_addr",
    "X-Auth-Token": "$http_x_auth_token",
  });
  expect(masked.admin).toEqual(config.admin);
  // What is left is a configuration still.
  expect(toYaml(masked)).toContain("***");
  expect(toFullYaml(masked)).not.toContain(secret);
  expect(JSON.stringify(config)).toContain(secret);
});

test("names of headers that carry a key are known, and others are not", () => {
  const secret = ["X-Engine-Key", "x-goog-api-key", "http_x_engine_key", "X-Vault-Token"];
  const open = ["hashKey", "modelSplitKey", "keyFile", "Idempotency-Key", "http_x_keyboard"];
  expect(secret.filter((name) => !isSecretName(name))).toEqual([]);
  expect(open.filter(isSecretName)).toEqual([]);
});

test("headers for a collector are hidden, whatever their names", () => {
  const headers = { "x-team": "a-key", authorization: "Bearer a-key" };
  const { config, count } = maskConfig(
    configSchema.parse({
      servers: [{ listen: [{ port: 80 }], routes: [] }],
      tracing: { endpoint: "http://c:4318", headers },
    }),
  );
  expect(config.tracing?.headers).toEqual({ "x-team": "***", authorization: "***" });
  expect(count).toBe(2);
});
