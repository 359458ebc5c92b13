/** A variable says what it says in nginx, for the same request. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { VariableScope } from "../../../src/proxy/routing/template.ts";
import { describeWithNginx } from "../../nginx/harness/nginx.ts";
import { contextOf } from "./contexts.ts";
import { ask, type Nginx, startNginx } from "./nginx-oracle.ts";

/** Those that depend on the request alone. */
const names = [
  "arg_a",
  "arg_long_name",
  "args",
  "content_length",
  "content_type",
  "cookie_a",
  "cookie_SessionId",
  "document_uri",
  "host",
  "http_host",
  "http_user_agent",
  "http_x_a",
  "http_x_none",
  "is_args",
  "query_string",
  "remote_user",
  "request",
  "request_method",
  "request_uri",
  "scheme",
  "server_protocol",
  "uri",
  "proxy_add_x_forwarded_for",
];

const basic = (text: string) => `Authorization: Basic ${Buffer.from(text).toString("base64")}`;

const requests: readonly (readonly [line: string, ...fields: string[]])[] = [
  ["GET / HTTP/1.1", "Host: a"],
  ["GET /v1/models?a=1&b=2 HTTP/1.1", "Host: A.Example:8080"],
  ["GET /?A=upper HTTP/1.1", "Host: a.example."],
  ["GET /?a&a=2 HTTP/1.1", "Host: a.example.:80"],
  ["GET /?xa=1&a=b=c& HTTP/1.1", "Host: [::1]:80"],
  ["GET /?a=%20+ HTTP/1.1", "Host: [::1]"],
  ["GET /? HTTP/1.1", "Host: a_b"],
  ["GET /?long_name=x&long-name=y HTTP/1.1", "Host: 10.0.0.1"],
  ["GET /a%20b//c/./d/../e HTTP/1.1", "Host: a"],
  ["GET /%c3%a9?a=%c3%a9 HTTP/1.1", "Host: a"],
  ["GET http://abs.example/p?q HTTP/1.1", "Host: abs.example"],
  ["GET http://abs.example HTTP/1.1", "Host: abs.example"],
  ["HEAD /x HTTP/1.1", "Host: a"],
  ["GET /x HTTP/1.0"],
  ["GET /x HTTP/1.0", "Host: Old.Example"],
  ["POST /x HTTP/1.1", "Host: a", "Content-Length: 0", "Content-Type: application/json"],
  ["GET / HTTP/1.1", "Host: a", "Cookie: a=1; SessionId=Abc; sessionid=no"],
  ["GET / HTTP/1.1", "Host: a", "Cookie: b=1;a=2 "],
  ["GET / HTTP/1.1", "Host: a", "Cookie: xa=1; A = 3 ;b"],
  ["GET / HTTP/1.1", "Host: a", "Cookie: aa=1; a"],
  ["GET / HTTP/1.1", "Host: a", "Cookie: x=1,a=2; a=3"],
  ["GET / HTTP/1.1", "Host: a", "Cookie: a=q=r,s"],
  ["GET / HTTP/1.1", "Host: a", "Cookie: =1; a="],
  ["GET / HTTP/1.1", "Host: a", basic("user:secret")],
  ["GET / HTTP/1.1", "Host: a", basic("user:se:cret").replace("Basic ", "bASIC   ")],
  ["GET / HTTP/1.1", "Host: a", basic("nocolon")],
  ["GET / HTTP/1.1", "Host: a", basic(":x")],
  ["GET / HTTP/1.1", "Host: a", "Authorization: Basic !!!"],
  ["GET / HTTP/1.1", "Host: a", "Authorization: Bearer abc"],
  ["GET / HTTP/1.1", "Host: a", "X-Forwarded-For: 10.1.1.1"],
  ["GET / HTTP/1.1", "Host: a", "X-Forwarded-For: 10.1.1.1", "X-Forwarded-For: 10.2.2.2"],
  ["GET / HTTP/1.1", "Host: a", "X-A:  padded  ", 'User-Agent: x/1 "q" \\'],
];

describeWithNginx("variables of nginx", () => {
  let nginx: Nginx;
  beforeAll(async () => {
    const line = names.map((name) => `${name}=$${name}`).join("|");
    nginx = await startNginx(`
      server { listen unix:%dir%/main.sock; server_name fallback.example; set_real_ip_from unix:;
        real_ip_header X-Real; return 200 "${line}"; }`);
  });
  afterAll(() => nginx.stop());

  it.each(requests.map((lines) => ({ lines })))("$lines", async ({ lines }) => {
    const text = `${[...lines, "Connection: close", "X-Real: 127.0.0.1"].join("\r\n")}\r\n\r\n`;
    // An answer to HEAD has no body: what matters is the method, which a variable of its own has.
    if (text.startsWith("HEAD")) return;
    const { body } = await ask({ path: `${nginx.dir}/main.sock` }, text);
    const context = contextOf(text);
    context.serverName = "fallback.example";
    const scope = new VariableScope();
    const ours = names.map((name) => {
      const value = scope.reader(name)(context);
      // The path is text here and bytes there.
      const bytes = name === "uri" || name === "document_uri" ? Buffer.from(value) : undefined;
      return `${name}=${bytes?.toString("latin1") ?? value}`;
    });
    expect(ours).toEqual(body.split("|"));
  });
});
