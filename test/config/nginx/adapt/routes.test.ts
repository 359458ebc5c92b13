/** What locations and upstreams of nginx.conf become. */
import { describe, expect, it } from "vitest";
import { inLocation, inputOf, inServer, inUpstream, problemsOf } from "../in-memory.ts";

const firstRoute = (text: string) => inputOf(text).servers[0]!.routes[0]!;

describe("headers to engines", () => {
  const headers = (text: string) =>
    firstRoute(inLocation(`${text} proxy_pass http://engines;`)).setHeaders;

  it("an empty value removes one", () => {
    expect(headers('proxy_set_header Accept-Encoding "";')).toEqual({
      Host: "$proxy_host",
      "Accept-Encoding": "",
    });
  });

  it("Host keeps the letter case of the configuration", () => {
    expect(headers("proxy_set_header HOST $host;")).toEqual({ HOST: "$host" });
  });

  it.each(["Keep-Alive", '""', "keep-alive"])("Connection %s is the default anyway", (value) => {
    const text = inLocation(`proxy_set_header Connection ${value}; proxy_pass http://engines;`);
    expect(firstRoute(text).setHeaders).toEqual({ Host: "$proxy_host" });
    expect(problemsOf(text)).toEqual([]);
  });

  it.each(["Connection close", "Upgrade $http_upgrade", "Content-Length 5"])(
    "%s has no effect, which is reported",
    (header) => {
      const text = inLocation(`proxy_set_header ${header}; proxy_pass http://engines;`);
      expect(firstRoute(text).setHeaders).toEqual({ Host: "$proxy_host" });
      expect(problemsOf(text).join()).toContain("the proxy sets it");
    },
  );

  it("engines behind a unix socket get the host localhost, as from nginx", () => {
    const text = inLocation("proxy_pass http://unix:/run/e.sock;");
    expect(firstRoute(text).setHeaders).toEqual({ Host: "localhost" });
  });
});

describe("prefill", () => {
  const routes = (text: string) =>
    inputOf(
      inServer(`${text} location /v1 { proxy_pass http://127.0.0.1:1; }
      location /p { internal; proxy_pass http://127.0.0.1:2; }
      location /health { return 200; }`),
    ).servers[0]!.routes!.map(({ prefill }) => prefill);

  it("is inherited by locations that forward, but not by its own location", () => {
    expect(routes("prefill /p;")).toEqual([{ location: "/p" }, undefined, undefined]);
    expect(routes("")).toEqual([undefined, undefined, undefined]);
  });

  it("gives requests an id only if the file says so", () => {
    const id = (text: string) =>
      firstRoute(inLocation(`prefill /p; ${text} proxy_pass http://engines;`)).requestId;
    expect(id("")).toBe(false);
    expect(id("set_request_id on;")).toBe(true);
    expect(id("set_request_id off;")).toBe(false);
  });
});

describe("requests that no location takes", () => {
  const last = (text: string) => inputOf(inServer(text)).servers[0]!.routes!.at(-1);

  it("run the server's own steps, as in nginx", () => {
    expect(last("return 301 https://$host$request_uri;")).toMatchObject({
      match: { kind: "exact", path: "@unmatched" },
    });
  });

  it("are logged by the server's access log", () => {
    expect(last("access_log a.log; location /v1 { return 200; }")).toMatchObject({
      match: { path: "@unmatched" },
      accessLogs: [{ file: "a.log" }],
      steps: [{ return: { status: 404 } }],
    });
  });

  it("have a route of their own only if needed, and none beside a location /", () => {
    expect(last("location /v1 { return 200; }")).toMatchObject({ match: { path: "/v1" } });
    expect(inputOf(inServer("access_log a.log; location / { return 200; }"))).toMatchObject({
      servers: [{ routes: [{ match: { path: "/" } }] }],
    });
  });
});

describe("a location that ends in a slash", () => {
  const paths = (text: string) =>
    inputOf(inServer(text)).servers[0]!.routes!.map(({ match }) => match.path);

  it("redirects requests without the slash, unless another location takes them", () => {
    const pass = "{ proxy_pass http://127.0.0.1:1; }";
    expect(paths(`location /v1/ ${pass}`)).toEqual(["/v1/", "/v1"]);
    expect(paths(`location /v1/ ${pass} location = /v1 ${pass}`)).toEqual(["/v1/", "/v1"]);
    expect(paths(`location /v1 ${pass} location /v1/ ${pass}`)).toEqual(["/v1", "/v1/"]);
    expect(paths(`location / ${pass}`)).toEqual(["/"]);
    expect(paths("location /v1/ { return 200; }")).toEqual(["/v1/"]);
  });
});

describe("error pages", () => {
  const pages = (text: string) =>
    inputOf(
      inServer(`${text} location / { proxy_pass http://127.0.0.1:1; }`),
    ).servers[0]!.routes!.at(-1)!.errorPages;
  const page = [{ statuses: [500, 502], uri: "/50x.html" }];

  it("for which nothing responds are left out, so that the error is sent as it is", () => {
    const text = "error_page 500 502 /50x.html; location = /50x.html";
    expect(pages(`${text} { }`)).toBeUndefined();
    expect(pages(`${text} { root html; }`)).toEqual(page);
    expect(pages(`${text} { return 200 sorry; }`)).toEqual(page);
  });

  it("from engines stay", () => {
    expect(pages("error_page 500 502 /50x.html;")).toEqual(page);
  });

  it("keep the page's status only with a bare =", () => {
    expect(pages("error_page 502 = /page;")).toEqual([
      { statuses: [502], uri: "/page", keepPageStatus: true },
    ]);
    expect(pages("error_page 502 =200 /page;")).toEqual([
      { statuses: [502], uri: "/page", status: 200 },
    ]);
  });
});

describe("attributes and ranks of an engine", () => {
  const engines = (text: string) => inputOf(inUpstream(text)).pools!["engines"]!.engines!;

  it("attributes mix with nginx's own parameters", () => {
    expect(engines("server h:1 bootstrap_port=8998 weight=2 zmq_address=1.2.3.4:21001;")).toEqual([
      {
        url: "h:1",
        weight: 2,
        attributes: { bootstrap_port: "8998", zmq_address: "1.2.3.4:21001" },
      },
    ]);
  });

  it("ranks follow the port", () => {
    expect(engines("server h:1@0-7; server [::1]:2@3;").map(({ url }) => url)).toEqual([
      "h:1@0-7",
      "[::1]:2@3",
    ]);
  });

  it.each([
    ["server h:1 bootstrap_prt=1;", 'invalid parameter "bootstrap_prt=1"', "bootstrap_port"],
    ["server h:1 bootstrap_port=;", 'invalid parameter "bootstrap_port="', ""],
    ["server user@h:1;", "an engine has no user name", "host:port@0"],
    ["server h:1@9-2;", "an engine has no user name", "a range"],
  ])("%s is rejected", (text, message, hint) => {
    const [problem] = problemsOf(inUpstream(text));
    expect(problem).toContain(message);
    expect(problem).toContain(hint);
  });
});

describe("the KV transfer of a location", () => {
  const route = (text: string) => {
    const upstreams = "upstream engines { server 127.0.0.1:8000; }";
    const locations = `location /p { internal; proxy_pass http://engines; }
      location / { prefill /p; ${text} proxy_pass http://engines; }`;
    const http = (outer: string) =>
      `events {} http { ${outer} ${upstreams} server { ${locations} } }`;
    const find = (whole: string) =>
      inputOf(whole).servers[0]!.routes.find(({ prefill }) => prefill !== undefined)!;
    return { own: find(http("")), around: find(http("pd_dialect vllm-nixl;")) };
  };

  it("is set there or around it, or is our default", () => {
    const { own, around } = route("on_prefill_failure decode_only; prefill_min_tokens 300;");
    expect(own).toMatchObject({ onPrefillFailure: "decode_only", prefillMinTokens: 300 });
    expect(own).not.toHaveProperty("dialect");
    expect(around).toMatchObject({ dialect: "vllm-nixl" });
    expect(route("pd_dialect auto;").around).toMatchObject({ dialect: "auto" });
  });

  it("knows from the upstream how much decode engines cache", () => {
    const text = "upstream decodes { server 127.0.0.1:8000; kv_cache_tokens 400000; }";
    const http = `${text} server { location / { proxy_pass http://decodes; } }`;
    expect(inputOf(`events {} http { ${http} }`).pools).toMatchObject({
      decodes: { cacheTokens: 400_000 },
    });
  });

  it("an unknown dialect is reported with the valid names", () => {
    expect(problemsOf(inLocation("pd_dialect vllm-nix; proxy_pass http://engines;"))[0]).toContain(
      "vllm-nixl",
    );
  });
});

it("underscores in header names count only if the file says so, as in nginx", () => {
  const kept = (text: string) => inputOf(inServer(text)).servers[0]!.underscoresInHeaders;
  expect(kept("")).toBe(false);
  expect(kept("underscores_in_headers on;")).toBe(true);
  // Then nginx ignores no invalid name, and one with an underscore is such a name.
  const { servers } = inputOf(inServer("ignore_invalid_headers off;"));
  expect(servers[0]!.unusualHeaders).toBe(true);
});

it("locations forward what they take, as in nginx", () => {
  const route = firstRoute(inLocation("proxy_pass http://engines;"));
  expect(route).toMatchObject({ byEndpoint: false, engineControl: true });
});

it.each([
  ["", undefined],
  ["proxy_redirect default;", ["default"]],
  ["proxy_redirect off;", []],
  [
    "proxy_redirect http://a/ /b/; proxy_redirect default;",
    [{ from: "http://a/", to: "/b/" }, "default"],
  ],
  ["proxy_redirect ~*^http://a/(.*)$ /$1;", [{ from: "~*^http://a/(.*)$", to: "/$1" }]],
])("proxy_redirect: %s", (text, redirects) => {
  const route = firstRoute(inLocation(`${text} proxy_pass http://engines;`));
  expect(route.redirects).toEqual(redirects);
});

it("proxy_redirect with one word that is neither default nor off is an error", () => {
  const text = inLocation("proxy_redirect on; proxy_pass http://engines;");
  expect(problemsOf(text).join()).toContain('invalid parameter "on"');
});
