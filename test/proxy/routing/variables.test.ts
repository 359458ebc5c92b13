/** What the configuration takes as a variable has a value, in nginx's form. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { scanTopLevel, TopLevel } from "../../../src/body/json/top-level.ts";
import { isBuiltInVariable, variableNames } from "../../../src/config/values/variables.ts";
import { outcomes } from "../../../src/proxy/context/outcomes.ts";
import type { RequestContext } from "../../../src/proxy/context/request-context.ts";
import { VariableScope } from "../../../src/proxy/routing/template.ts";
import { builtIn } from "../../../src/proxy/routing/variables.ts";
import { systemClock } from "../../../src/transport/clock.ts";
import { contextOf, legRecord, request } from "./contexts.ts";

const read = (name: string, context: RequestContext) => new VariableScope().reader(name)(context);

/** One that went by two prefill engines and one decode engine. */
function finished(): RequestContext {
  const text = request("/v1/completions?a=b", "Cookie: c=d", "Content-Type: application/json");
  const context = contextOf(text);
  const at = (ms: number) => context.startMs + ms;
  context.encodes = [legRecord({ address: "e1:1", sentMs: at(0), status: 200 })];
  context.prefills = [
    legRecord({ address: "p1:1", sentMs: at(0), endMs: at(5) }),
    legRecord({ address: "p2:1", sentMs: at(5), connectedMs: at(6), endMs: at(17.5), status: 200 }),
  ];
  context.decodes = [
    legRecord({
      address: "d1:1",
      sentMs: at(20),
      connectedMs: at(21),
      headMs: at(40),
      endMs: at(1_020),
      status: 200,
      bytesReceived: 900,
      bytesSent: 300,
    }),
  ];
  Object.assign(context, {
    status: 200,
    tenant: { name: "acme" },
    bytesSent: 1_000,
    bodyBytesSent: 800,
    firstByteMs: at(41.25),
    heldMs: 3.25,
    endMs: at(1_021),
    outcome: outcomes.answered,
    sentHead: "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-A: 1\r\n\r\n",
    body: Buffer.from('{"model":"llama"}'),
    engineHead: "HTTP/1.1 200 OK\r\nserver: uvicorn\r\n\r\n",
    proxyHost: "decode",
    serverName: "a.example",
    files: { root: () => "/srv", realRoot: () => "/srv", nameOf: () => "/srv/a" },
  });
  return context;
}

const families = {
  arg_: "a",
  body_: "model",
  cookie_: "c",
  http_: "host",
  sent_http_: "x_a",
  upstream_http_: "server",
};

describe("each name of the configuration", () => {
  it.each(variableNames)("%s has a value", (name) => {
    const member = name.endsWith("_") ? name + families[name as keyof typeof families] : name;
    expect(isBuiltInVariable(member)).toBe(true);
    const value = read(member, finished());
    expect(typeof value).toBe("string");
    expect(value).not.toMatch(/undefined|NaN|\[object|null/);
    const mayBeEmpty = [
      "content_length",
      "http2",
      "limit_conn_status",
      "limit_req_status",
      "nginx_version",
      "proxy_port",
      "remote_user",
      "retry_refused",
    ];
    const isOfTls = name === "https" || name.startsWith("ssl_");

    if (!isOfTls && !mayBeEmpty.includes(name)) expect(value).not.toBe("");
  });

  it.each(variableNames)("%s can be read before anything has happened", (name) => {
    const value = read(name.endsWith("_") ? `${name}x` : name, contextOf(request("/")));
    expect(value).not.toMatch(/undefined|NaN|\[object|null/);
  });

  it("is known by the proxy, and no other name is", () => {
    const others = ["", "constructor", "toString", "__proto__", "hasOwnProperty", "x"];
    for (const name of others) {
      expect(isBuiltInVariable(name), name).toBe(false);
      expect(builtIn(name), name).toBeUndefined();
    }
  });
});

describe("a member of the body", () => {
  const of = (body: string, name: string) => {
    const context = contextOf(request("/"));
    context.body = Buffer.from(body);
    return read(`body_${name}`, context);
  };

  it.each([
    ['{"user":"ann","prompt_cache_key":"k 1"}', "prompt_cache_key", "k 1"],
    ['{"user":"ann","user":"bob"}', "user", "bob"],
    ['{"\\u0075ser":"ann"}', "user", "ann"],
    ['{"nested":{"user":"ann"}}', "user", ""],
    ['{"user":"a\\"\\n"}', "user", 'a\\"\\n'],
    ['{"user":"\u010a"}', "user", "\xc4\x8a"],
    ['{"seed": 12345678901234567890 }', "seed", "12345678901234567890"],
    ['{"user":null}', "user", ""],
    ['{"user":"null"}', "user", "null"],
    ['{"stop":["a", "b"]}', "stop", '["a", "b"]'],
    [`{"user":"${"x".repeat(1_025)}"}`, "user", ""],
    ['["user"]', "user", ""],
    ['{"user":', "user", ""],
    ["", "user", ""],
  ])("in %j is found as it stands", (body, name, value) => {
    expect(of(body, name)).toBe(value);
  });

  it("is read from the scan that the request has, where it has one", () => {
    const context = contextOf(request("/"));
    const body = Buffer.from('{"user":"ann"}');
    const members = new TopLevel();
    scanTopLevel(body, 0, body.length, members);
    context.members = members;
    expect(read("body_user", context)).toBe("ann");
  });
});

describe("the time", () => {
  const zone = process.env["TZ"];
  beforeEach(() => {
    process.env["TZ"] = "Asia/Kolkata";
  });
  afterEach(() => {
    if (zone === undefined) delete process.env["TZ"];
    else process.env["TZ"] = zone;
  });

  it("has nginx's formats", () => {
    const wallMs = () => Date.UTC(2026, 0, 4, 20, 3, 9, 7);
    const context = contextOf(request("/"), { ...systemClock, nowMs: () => 1_000, wallMs });
    expect(read("time_local", context)).toBe("05/Jan/2026:01:33:09 +0530");
    expect(read("time_iso8601", context)).toBe("2026-01-05T01:33:09+05:30");
    expect(read("msec", context)).toBe("1767556989.007");
    process.env["TZ"] = "America/St_Johns";
    expect(read("time_local", context)).toBe("04/Jan/2026:16:33:09 -0330");
    context.endMs = 250;
    expect(read("msec", context)).toBe("1767556988.257");
  });
});

describe("of a finished request", () => {
  it.each([
    ["request_time", "1.021"],
    ["status", "200"],
    ["bytes_sent", "1000"],
    ["body_bytes_sent", "800"],
    ["request_completion", "OK"],
    ["outcome", "GP_OK"],
    ["upstream_addr", "d1:1"],
    ["upstream_status", "200"],
    ["upstream_connect_time", "0.001"],
    ["upstream_header_time", "0.020"],
    ["upstream_response_time", "1.000"],
    ["upstream_bytes_sent", "300"],
    ["upstream_bytes_received", "900"],
    ["encode_addr", "e1:1"],
    ["prefill_addr", "p1:1, p2:1"],
    ["prefill_status", "200"],
    ["prefill_time_ms", "12.500"],
    ["held_ms", "3.250"],
    ["queue_ms", "3.250"],
    ["decode_addr", "d1:1"],
    ["ttft_ms", "41.250"],
    ["sent_http_content_type", "text/event-stream"],
    ["upstream_http_server", "uvicorn"],
  ])("$%s is %s", (name, value) => {
    expect(read(name, finished())).toBe(value);
  });

  it("each try has its place in a list, with a dash for what did not happen", () => {
    const context = finished();
    context.decodes = [legRecord({ address: "d0:1", sentMs: 0, endMs: 250 }), ...context.decodes];
    expect(read("upstream_addr", context)).toBe("d0:1, d1:1");
    expect(read("upstream_status", context)).toBe("-, 200");
    expect(read("upstream_connect_time", context)).toBe("-, 0.001");
    expect(read("upstream_response_time", context)).toBe("0.250, 1.000");
  });

  it("a response of the configuration is complete, too", () => {
    const context = finished();
    context.outcome = outcomes.returned;
    expect(read("request_completion", context)).toBe("OK");
    context.outcome = outcomes.truncated;
    expect(read("request_completion", context)).toBe("");
  });
});

it("an id is the same each time it is read, and another for another request", () => {
  const [one, two] = [contextOf(request("/")), contextOf(request("/"))];
  const id = read("request_id", one);
  expect(id).toMatch(/^[0-9a-f]{32}$/);
  expect(read("request_id", one)).toBe(id);
  expect(read("request_id", two)).not.toBe(id);
});

it("a capture cannot hide a built-in variable: its text comes from a client", () => {
  const scope = new VariableScope();
  scope.indexOf("host");
  const context = contextOf(request("/", "Host: a.example"));
  context.variables[scope.indexOf("host")] = "evil";
  expect(scope.compile("$host")(context)).toBe("a.example");
});
