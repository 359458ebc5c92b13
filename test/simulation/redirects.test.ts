/** A redirect of an engine that names the engine leads clients nowhere, or past the proxy. */
import { describe, expect, it } from "vitest";
import { World, type WorldOptions } from "./world.ts";

type Route = NonNullable<WorldOptions["routes"]>[number];

/** The header lines that a client gets of an engine's redirect. */
function redirected(lines: string, route: Partial<Route> = {}, path = "/v1/models/") {
  const world = new World({
    prefill: 0,
    decode: 1,
    routes: [{ match: { path: "/" }, target: { pool: "decode" }, ...route }],
  });
  for (const engine of world.engines) {
    engine.checksTransfer = false;
    engine.script = (_, connection) =>
      connection.send(`HTTP/1.1 307 Temporary Redirect\r\n${lines}\r\nContent-Length: 0\r\n\r\n`);
  }
  const client = world.client();
  client.send(`POST ${path} HTTP/1.1\r\nHost: gw.example:8080\r\nContent-Length: 0\r\n\r\n`);
  const { status, fields } = world.responseTo(client);
  expect(status).toBe(307);
  world.expectNothingLeft();
  const of = (name: string) => fields.get(name)?.join(" | ");
  return {
    location: of("location"),
    refresh: of("refresh"),
    content: of("content-location"),
    link: of("link"),
  };
}

describe("of flags and YAML", () => {
  it.each([
    ["http://decode1:9000/v1/models", "/v1/models"],
    ["http://DECODE1:9000/v1/models?a=b#c", "/v1/models?a=b#c"],
    ["//decode1:9000/v1/models", "/v1/models"],
    ["http://user@decode1:9000/v1", "/v1"],
    ["https://decode1:9000", "/"],
    ["http://decode/v1", "/v1"],
    ["http://decode1:9000//evil.example/", "/evil.example/"],
  ])("Location: %s → %s", (from, to) => {
    expect(redirected(`Location: ${from}`).location).toBe(to);
  });

  it.each([
    "/v1/models",
    "http://elsewhere.example/v1",
    "http://decode1:9001/v1",
    "http://decode1/v1",
    "http://decode1:9000.evil.example/v1",
    "",
  ])("Location: %s names no engine, and stays", (value) => {
    expect(redirected(`Location: ${value}`).location).toBe(value);
  });

  it("Refresh and Content-Location, too", () => {
    const got = redirected(
      "Refresh: 5; url=http://decode1:9000/a\r\nContent-Location: http://decode1:9000/b",
    );
    expect(got).toMatchObject({ refresh: "5; url=/a", content: "/b" });
  });

  it.each([
    ["<http://decode1:9000/a>; rel=next", "</a>; rel=next"],
    [
      '<http://decode1:9000/a>; rel="next", <http://elsewhere.example/b>; rel=help, <//decode/c>',
      '</a>; rel="next", <http://elsewhere.example/b>; rel=help, </c>',
    ],
  ])("Link: %s → %s", (from, to) => {
    expect(redirected(`Link: ${from}`).link).toBe(to);
  });

  it.each([
    [`0;URL='http://decode1:9000/a'`, `0;URL='/a'`],
    [`0; url = "http://decode1:9000/a?b=c" `, `0; url = "/a?b=c"`],
    [`0; url='http://elsewhere.example/a'`, `0; url='http://elsewhere.example/a'`],
  ])("Refresh: %s, as browsers read it → %s", (from, to) => {
    expect(redirected(`Refresh: ${from}`).refresh).toBe(to);
  });

  it("the part of the path that the route replaced comes back", () => {
    const route = { match: { path: "/llm/" }, target: { pool: "decode", uri: "/v1/" } };
    const got = redirected("Location: http://decode1:9000/v1/models", route, "/llm/models/");
    expect(got.location).toBe("/llm/models");
  });

  it("none = as it is", () => {
    const { location } = redirected("Location: http://decode1:9000/v1", { redirects: [] });
    expect(location).toBe("http://decode1:9000/v1");
  });
});

describe("as in nginx.conf", () => {
  const absoluteRedirects = { host: "request", port: false } as const;
  const route: Partial<Route> = { byEndpoint: false, engineControl: true, absoluteRedirects };

  it("the text of proxy_pass becomes the location, as an absolute URL", () => {
    expect(redirected("Location: http://decode/v1/models", route).location).toBe(
      "http://gw.example/v1/models",
    );
    const under = { ...route, match: { path: "/llm/" }, target: { pool: "decode", uri: "/v1/" } };
    expect(redirected("Location: http://decode/v1/models", under, "/llm/x").location).toBe(
      "http://gw.example/llm/models",
    );
    expect(redirected("Refresh: 1; url=http://decode/a", route).refresh).toBe("1; url=/a");
  });

  it("an engine's own address is left alone, and so are other headers", () => {
    const lines =
      "Location: http://decode1:9000/v1\r\nContent-Location: http://decode/b\r\nLink: <http://decode/c>";
    expect(redirected(lines, route)).toMatchObject({
      location: "http://decode1:9000/v1",
      content: "http://decode/b",
      link: "<http://decode/c>",
    });
  });

  it("rules of the configuration are tried in their order", () => {
    const redirects: Route["redirects"] = [
      { from: "http://$host/a/", to: "/b/" },
      { from: "~*^http://x(\\d+)/(.*)$", to: "http://y.example/$1/$2" },
      "default",
    ];
    const of = (value: string) =>
      redirected(`Location: ${value}`, { ...route, redirects }).location;
    expect(of("http://gw.example/a/1")).toBe("http://gw.example/b/1");
    expect(of("HTTP://X12/c")).toBe("http://y.example/12/c");
    expect(of("http://decode/d")).toBe("http://gw.example/d");
    expect(of("http://other/")).toBe("http://other/");
  });
});
