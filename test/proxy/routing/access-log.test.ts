/** A line of an access log cannot be forged by a client, and is the one that nginx writes. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LogFormatConfig } from "../../../src/config/schema/schema.ts";
import { AccessLog, combined } from "../../../src/proxy/routing/access-log.ts";
import { VariableScope } from "../../../src/proxy/routing/template.ts";
import { describeWithNginx } from "../../nginx/harness/nginx.ts";
import { contextOf, request } from "./contexts.ts";
import { ask, type Nginx, startNginx } from "./nginx-oracle.ts";

type Escaping = LogFormatConfig["escape"];

function lineOf(
  format: string,
  escaping: Escaping,
  text: string,
  path?: string,
  masks = false,
): string {
  let written = "";
  const scope = new VariableScope();
  scope.indexOf("mine");
  const sink = { write: (line: string) => (written += line) };
  const log = new AccessLog({ format, escape: escaping }, scope, sink, masks);
  const context = contextOf(text);
  context.status = 200;
  if (path !== undefined) context.path = path;
  log.write(context);
  return written;
}

const agent = (value: string) => request("/", `User-Agent: ${value}`);

it("writes nginx's combined line", () => {
  const text = request(
    "/v1/models?x=1",
    "Referer: http://r/",
    "User-Agent: curl/8",
    `Authorization: Basic ${Buffer.from("me:pw").toString("base64")}`,
  );
  const time = String.raw`\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}`;
  expect(lineOf(combined.format, combined.escape, text)).toMatch(
    new RegExp(
      String.raw`^127\.0\.0\.1 - me \[${time}\] "GET /v1/models\?x=1 HTTP/1\.1" 200 0 "http://r/" "curl/8"\n$`,
    ),
  );
  expect(lineOf(combined.format, combined.escape, request("/"))).toMatch(
    /^127\.0\.0\.1 - - \[.*\] "GET \/ HTTP\/1\.1" 200 0 "-" "-"\n$/,
  );
});

describe("a value", () => {
  it.each([
    ['q"uote', "q\\x22uote"],
    ["back\\slash", "back\\x5Cslash"],
    ["tab\there", "tab\\x09here"],
    ["\xc3\xa9", "\\xC3\\xA9"],
    ["\xff", "\\xFF"],
    ["all other ~!#[]^ of ASCII", "all other ~!#[]^ of ASCII"],
  ])("%j is escaped as nginx does", (value, expected) => {
    expect(lineOf("$http_user_agent", "default", agent(value))).toBe(`${expected}\n`);
  });

  it("of a decoded path is escaped byte by byte, not cut to half a character", () => {
    expect(lineOf("$uri", "default", request("/"), "/\u4f60\u{1f600}\u00e9")).toBe(
      "/\\xE4\\xBD\\xA0\\xF0\\x9F\\x98\\x80\\xC3\\xA9\n",
    );
  });

  it.each([
    ['q"uote\\\ttab', 'q"uote\\\ttab'],
    ["\xc3\xa9\xe4\xbd\xa0", "\u00e9\u4f60"],
    ["\xff", "\u00ff"],
  ])("%j is text in JSON", (value, text) => {
    const line = lineOf('{"a":"$http_user_agent"}', "json", agent(value));
    expect(JSON.parse(line)).toEqual({ a: text });
    expect(line.match(/\n/g)).toHaveLength(1);
  });
});

it("what a request does not have is a dash, in the default escape alone", () => {
  const format = "$http_none|$upstream_addr|$arg_x|$is_args|$mine|$server_name|";
  expect(lineOf(format, "default", request("/"))).toBe("-|-|-||||\n");
  expect(lineOf(format, "json", request("/"))).toBe("||||||\n");
  expect(lineOf(format, "none", request("/"))).toBe("||||||\n");
});

describeWithNginx("a line by nginx's word", () => {
  const format = '"$request" $status "$http_user_agent" [$http_x_a] $uri$is_args$args $cookie_a';
  const requests = [
    request("/"),
    request("/a%22b%5Cc?x=%22"),
    request("/a%20b//c?"),
    request("/%e4%bd%a0/%c3%a9"),
    request("/", 'User-Agent: "a" \\ \x80\xff', "X-A: z\t~"),
    request("/", "User-Agent: \xc3\xa9", "Cookie: a=b"),
  ].map((text) => text.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"));
  let nginx: Nginx;
  beforeAll(async () => {
    nginx = await startNginx(`
      log_format escaped escape=default '${format}';
      log_format bare escape=none '${format}';
      server { listen unix:%dir%/main.sock; return 200;
        access_log %dir%/escaped.log escaped; access_log %dir%/bare.log bare; }`);
  });
  afterAll(() => nginx.stop());

  it("is the same, escaped and bare", async () => {
    for (const text of requests) await ask({ path: `${nginx.dir}/main.sock` }, text);
    const ours = (escaping: Escaping) =>
      requests.map((text) => lineOf(format, escaping, text)).join("");
    expect(ours("default")).toBe(nginx.read("escaped.log"));
    const bytes = Buffer.from(nginx.read("bare.log"), "latin1");
    expect(ours("none").replace("\x80\xff", "\ufffd\ufffd")).toBe(bytes.toString("utf8"));
  });
});

describe("secrets of clients", () => {
  const lines = [
    "Authorization: Bearer abc-123-def",
    "X-Api-Key: abc-123-def",
    "Cookie: session=$abc-123-def",
    "X-Forwarded-Uri: http://abc-123-def@host/",
    "User-Agent: curl with Bearer abc-123-def, and sk-abc-123-def",
  ].join("\r\n");
  const text = request("/v1/models?api_key=abc-123-def&max_tokens=5", lines);

  it.each([
    ["$request", "GET /v1/models?api_key=***&max_tokens=5 HTTP/1.1"],
    ["$request_uri", "/v1/models?api_key=***&max_tokens=5"],
    ["$args", "api_key=***&max_tokens=5"],
    ["$arg_api_key", "***"],
    ["$http_authorization", "Bearer ***"],
    ["$http_x_api_key", "***"],
    ["$http_cookie", "***"],
    ["$http_x_forwarded_uri", "http://***@host/"],
    ["$http_user_agent", "curl with Bearer ***, and ***"],
    ["$arg_max_tokens $uri $status", "5 /v1/models 200"],
    ["$http_x_token", "-"],
  ])("%s is written without them, and as it is where nginx is followed", (format, masked) => {
    expect(lineOf(format, "default", text, undefined, true)).toBe(`${masked}\n`);
    expect(lineOf(format, "default", text)).not.toContain("***");
  });
});
