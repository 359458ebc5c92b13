/** A request reaches the server that nginx would choose by its name. */
import { describe, expect, it } from "vitest";
import { describeWithNginx } from "../../nginx/harness/nginx.ts";
import { compile, configOf, see } from "./compiled.ts";
import { request } from "./contexts.ts";
import { get } from "./nginx-oracle.ts";
import { Both } from "./same-as-nginx.ts";

const names = [
  "default.example",
  "a.example www.a.example",
  "*.example",
  "*.a.example",
  ".dot.example",
  "mail.*",
  "mail.a.*",
  "~^(?<sub>.+)\\.regex\\.(test|org)$",
  "~^late\\.",
  '""',
  "UPPER.Test",
  "10.0.0.1",
  "twice.example a.example",
];

const http = names
  .map(
    (name, i) =>
      `server { listen unix:%dir%/main.sock; server_name ${name};
        location / { return 200 "${i} [$server_name] [$sub] [$2] $host"; } }`,
  )
  .join("\n");

const hosts = `
  default.example a.example A.EXAMPLE a.example:8080 a.example. www.a.example b.example x.b.example
  x.a.example x.y.a.example example dot.example x.dot.example x.y.dot.example xdot.example
  mail.com mail.co.uk mail.a.com mail.a.b.com mail.a.example mail.example mail
  x.regex.test x.y.regex.org x.regex.example regex.test late.x late upper.test 10.0.0.1 10.0.0.1:80
  10.0.0.2 [::1] [::1]:80 twice.example unknown
`
  .trim()
  .split(/\s+/);

describeWithNginx("server names as nginx takes them", () => {
  const both = Both.forTests(http);

  it.each(hosts)("%s", async (host) => {
    expect(both.ours(get("/", host))).toEqual(await both.theirs(get("/", host)));
  });

  it("a request without a host", async () => {
    const text = "GET / HTTP/1.0\r\n\r\n";
    expect(both.ours(text)).toEqual(await both.theirs(text));
  });
});

describe("a server that is alone", () => {
  it("takes all hosts, and leaves the captures of its name", () => {
    const alone = compile(
      configOf(
        `server { server_name ~^(?<sub>\\w+)\\.a$; location / { return 200 "[$sub] $server_name"; } }`,
      ),
    );
    expect(see(alone, request("/", "Host: x.a")).body).toBe("[x] ~^(?<sub>\\w+)\\.a$");
    expect(see(alone, request("/", "Host: other")).body).toMatch(/^\[\] /);
  });

  it("responds by its steps alone, without a location", () => {
    const alone = compile(configOf("server { return 301 http://b.example$request_uri; }"));
    const { servers } = configOf("server { return 204; }");
    expect(see(alone, request("/x?y"))).toMatchObject({
      status: 301,
      location: "http://b.example/x?y",
    });
    const bare = servers.map((server) => ({ ...server, routes: [] }));
    const config = { ...configOf("server { return 204; }"), servers: bare };
    expect(see(compile(config), request("/"))).toMatchObject({ status: 204 });
  });
});
