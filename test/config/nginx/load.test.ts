/** Rules of nginx.conf that golden files do not show. */
import { describe, expect, it } from "vitest";
import { inLocation, inputOf, inServer, inUpstream, load, problemsOf } from "./in-memory.ts";
import { routeDefaults, serverDefaults } from "./nginx-defaults.ts";

const firstRoute = (text: string) => inputOf(text).servers[0]!.routes[0]!;
const noticesOf = (text: string) => problemsOf(text);

describe("nginx's defaults", () => {
  it("are explicit where ours differ", () => {
    const [server] = inputOf(inLocation("proxy_pass http://engines;")).servers;
    expect(server).toMatchObject({ ...serverDefaults, listen: [{ host: "0.0.0.0", port: 80 }] });
    expect(server!.routes[0]).toMatchObject({ ...routeDefaults, internal: false });
    expect(server!.routes[0]!.setHeaders).toEqual({ Host: "$proxy_host" });
  });

  it("of engines are the same as ours: max_fails=1 fail_timeout=10s weight=1", () => {
    const result = load(inUpstream("server 127.0.0.1:8000;"));
    expect(result.config?.pools["engines"]?.engines).toEqual([
      {
        url: "127.0.0.1:8000",
        weight: 1,
        maxFails: 1,
        failTimeoutMs: 10_000,
        maxConns: 0,
        slowStartMs: 0,
        backup: false,
        down: false,
        attributes: {},
      },
    ]);
  });

  it("close idle connections to engines before uvicorn's 5 s, unless the file gives a time", () => {
    const idleMs = (text: string) =>
      load(inUpstream(`server 127.0.0.1:8000; ${text}`)).config?.pools["engines"]?.keepAlive;
    expect(idleMs("")).toEqual({ connections: 256, idleMs: 4000, requests: 100_000 });
    expect(idleMs("keepalive 8;")).toMatchObject({ connections: 8, idleMs: 4000 });
    expect(idleMs("keepalive 8; keepalive_timeout 60s;")).toMatchObject({ idleMs: 60_000 });
  });
});

describe("heads that nginx accepts are accepted", () => {
  it.each([
    ["", 1024 + 4 * 8192],
    ["large_client_header_buffers 4 512k;", 1024 + 4 * 524_288],
    ["client_header_buffer_size 512k; large_client_header_buffers 4 512k;", 5 * 524_288],
  ])("%j", (text, bytes) => {
    expect(inputOf(inServer(text)).servers[0]!.headBytesMax).toBe(bytes);
  });
});

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
    expect(noticesOf(text)).toEqual([]);
  });

  it.each(["Connection close", "Upgrade $http_upgrade", "Content-Length 5"])(
    "%s has no effect, which is reported",
    (header) => {
      const text = inLocation(`proxy_set_header ${header}; proxy_pass http://engines;`);
      expect(firstRoute(text).setHeaders).toEqual({ Host: "$proxy_host" });
      expect(noticesOf(text).join()).toContain("the proxy sets it");
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
      match: { kind: "prefix", path: "/" },
    });
  });

  it("are logged by the server's access log", () => {
    expect(last("access_log a.log; location /v1 { return 200; }")).toMatchObject({
      match: { path: "/" },
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

  it("that are files are left out, so that the error is sent as it is", () => {
    const text = "error_page 500 502 /50x.html; location = /50x.html";
    expect(pages(`${text} { root html; }`)).toBeUndefined();
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

describe("notices", () => {
  it("come once per directive, at its first place", () => {
    const text =
      "gzip on;\nlocation /a { gzip off; return 200; }\nlocation /b { gzip on; return 200; }";
    expect(noticesOf(inServer(text))).toEqual([
      '[notice] "gzip" has no effect here: responses are passed on as engines send them:1:40',
    ]);
  });

  it("say what replaces a module of the original", () => {
    const text = "load_module /any/folder/ngx_http_prefill_refactor_module.so; ";
    expect(noticesOf(text + inServer("return 200;"))).toEqual([
      expect.stringMatching(/is not loaded: .* use prefill/),
    ]);
  });

  it.each([
    "set_request_id",
    "prefill",
    "upstream_length_balance",
    "upstream_pd_score_balance",
    "omni_proxy",
  ])("do not come for the built-in module %s, whatever its folder", (name) => {
    const text = `load_module /any/folder/ngx_http_${name}_module.so; ${inServer("return 200;")}`;
    expect(noticesOf(text)).toEqual([]);
  });

  it("warn of an engine that is the proxy itself", () => {
    const text = "location / { proxy_pass http://127.0.0.1:8080; }";
    expect(noticesOf(inServer(text)).join()).toContain("own address");
    expect(noticesOf(inServer(text.replace("8080", "8081"))).join()).toBe("");
  });
});

describe("directives from the command line", () => {
  it("come before those of the file", () => {
    const globalDirectives = "daemon off; worker_processes 3; pid /run/x.pid;";
    const input = inputOf(inServer("return 200;"), { globalDirectives });
    expect(input).toMatchObject({ workers: 3, pidFile: "/run/x.pid" });
  });

  it("are duplicates of the same in the file, as in nginx", () => {
    const text = `pid a; ${inServer("return 200;")}`;
    expect(problemsOf(text, { globalDirectives: "pid b;" })).toEqual([
      '[emerg] "pid" directive is duplicate:1:1',
    ]);
  });

  it.each([
    ["pid", '[emerg] unexpected end of parameter, expecting ";" in command line'],
    ["pids x;", '[emerg] unknown directive "pids" in command line (did you mean "pid"?)'],
  ])("%j is reported as an error of the command line", (globalDirectives, problem) => {
    expect(problemsOf(inServer("return 200;"), { globalDirectives })[0]).toContain(problem);
  });
});

describe("included files", () => {
  it("start in the folder of the configuration, also from another folder", () => {
    const files = {
      "/conf/a/one.conf": "include b/two.conf;",
      "/conf/b/two.conf": "worker_processes 7;",
    };
    const text = `include a/*.conf; include none/*.conf; ${inServer("return 200;")}`;
    expect(inputOf(text, { files }).workers).toBe(7);
  });

  it("that are missing are an error, except a list of content types", () => {
    expect(problemsOf("include x.conf;")[0]).toContain(
      'open() "/conf/x.conf" failed (2: No such file or directory):1:9',
    );
    expect(problemsOf(`include x/mime.types; ${inServer("return 200;")}`)).toEqual([
      '[notice] "/conf/x/mime.types" does not exist; it would have no effect:1:9',
    ]);
  });

  it("have a bound on depth and number", () => {
    const files = Object.fromEntries(
      Array.from({ length: 30 }, (_, i) => [
        `/conf/${i}.conf`,
        `include ${i + 1}.conf; include ${i + 1}.conf;`,
      ]),
    );
    expect(problemsOf("include 0.conf;", { files })[0]).toContain("deeper than 20");
    const wide = Object.fromEntries(
      Array.from({ length: 15 }, (_, i) => [
        `/conf/${i}.conf`,
        i === 14 ? "" : `include ${i + 1}.conf; include ${i + 1}.conf;`,
      ]),
    );
    expect(problemsOf("include 0.conf;", { files: wide })[0]).toContain("more than 1000 files");
  });
});

describe("bounds", () => {
  it("hold for nested blocks", () => {
    const text = "http { ".repeat(100);
    expect(problemsOf(text)[0]).toContain("blocks nest deeper than 50");
  });

  it("hold for times and workers, which are limited with a notice", () => {
    const text = `worker_processes 1000; ${inLocation("proxy_read_timeout 30d; proxy_pass http://engines;")}`;
    expect(inputOf(text)).toMatchObject({
      workers: 64,
      servers: [{ routes: [{ readTimeoutMs: 86_400_000 }] }],
    });
    expect(noticesOf(text)).toHaveLength(2);
  });
});

describe("faults that only the whole configuration shows", () => {
  it("are reported at the directive that caused them", () => {
    const result = load(
      inUpstream("server 127.0.0.1:1;\nserver 127.0.0.1:1;").replace("location", "\nlocation"),
    );
    if (result.config === undefined) throw new Error("rejected");
    const place = (path: (string | number)[]) => {
      const { line, column } = result.locate({ path, level: "warn", message: "" });
      return `${line}:${column}`;
    };
    expect(place(["pools", "engines", "engines", 1, "url"])).toBe("2:8");
    expect(place(["servers", 0, "routes", 0, "target"])).toBe("3:1");
    expect(place(["workers"])).toBe("0:0");
  });
});

describe("attributes and ranks of an engine", () => {
  const engines = (text: string) => inputOf(inUpstream(text)).pools!["engines"]!.engines;

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
    const locations = `location /p { internal; proxy_pass http://engines; } location / { prefill /p; ${text} proxy_pass http://engines; }`;
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
