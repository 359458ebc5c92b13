/** Loading nginx.conf: defaults, notices, included files, bounds and places of faults. */
import { describe, expect, it } from "vitest";
import { inLocation, inputOf, inServer, inUpstream, load, problemsOf } from "./in-memory.ts";
import { routeDefaults, serverDefaults } from "./nginx-defaults.ts";

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
        draining: false,
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

describe("notices", () => {
  it("come once per directive, at its first place", () => {
    const text =
      "gzip on;\nlocation /a { gzip off; return 200; }\nlocation /b { gzip on; return 200; }";
    expect(problemsOf(inServer(text))).toEqual([
      '[notice] "gzip" has no effect here: responses are passed on as engines send them:1:40',
    ]);
  });

  it("say what replaces a module of the original", () => {
    const text = "load_module /any/folder/ngx_http_prefill_refactor_module.so; ";
    expect(problemsOf(text + inServer("return 200;"))).toEqual([
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
    expect(problemsOf(text)).toEqual([]);
  });

  it("warn of an engine that is the proxy itself", () => {
    const text = "location / { proxy_pass http://127.0.0.1:8080; }";
    expect(problemsOf(inServer(text)).join()).toContain("own address");
    expect(problemsOf(inServer(text.replace("8080", "8081"))).join()).toBe("");
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
      '[notice] "/conf/x/mime.types" does not exist: the types of files are those of a short list:1:9',
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
    expect(problemsOf(text)).toHaveLength(2);
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
