/** What needs no prefill goes to an engine as it came, and its response comes back as it was. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ask, post } from "../support/http-client.ts";
import { oneRuntime } from "../support/runtimes.ts";
import { seedConfig } from "../support/seed.ts";
import { sharedEngines } from "../support/shared-engines.ts";
import { Stack } from "../support/stack.ts";

const { prefills, decodes } = sharedEngines(4, 4);

describe.each(oneRuntime("pass-through"))("on %s", (runtime) => {
  const stack = new Stack(runtime);
  const urls = new Map<string, string>();

  beforeAll(async () => {
    const flags = await stack.startByFlags(prefills, decodes);
    urls.set("flags", flags.url);
    const server =
      "location /v1 { proxy_pass http://decode_servers; }\n" +
      "location / { proxy_pass http://decode_servers; proxy_set_header Host $host; }";
    const textFor = (port: number) => seedConfig({ port, prefills, decodes, server });
    urls.set("nginx.conf", (await stack.serve(textFor, "conf")).url);
  });
  afterAll(() => stack.end());

  describe.each(["flags", "nginx.conf"])("by %s", (way) => {
    test("GET /v1/models", async () => {
      const headers = { "X-Way": way };
      const response = await ask(`${urls.get(way)}/v1/models?a=b%20c`, { headers });
      const direct = await ask(`${decodes[0]!.url}/v1/models`);
      expect(response).toMatchObject({ status: 200, end: "whole", body: direct.body });
      // All engines are asked; in nginx.conf a path is what its location says.
      const logs = await Promise.all(decodes.map(({ url }) => ask(`${url}/debug/requests`)));
      const asked = logs.filter(({ body }) => body.includes(`"X-Way","${way}"`));
      expect(asked).toHaveLength(way === "nginx.conf" ? 1 : decodes.length);
    });

    test("POST /tokenize, with 1 MB", async () => {
      const body = { prompt: "é ".repeat(340_000) };
      const response = await post(`${urls.get(way)}/tokenize`, body);
      const direct = await post(`${decodes[0]!.url}/tokenize`, body);
      expect(direct).toMatchObject({ status: 200, end: "whole" });
      expect(response.body.length).toBe(direct.body.length);
      expect(response.body === direct.body).toBe(true);
    });

    test("the proxy passes on a body that is no JSON", async () => {
      const response = await post(`${urls.get(way)}/tokenize`, "{broken");
      const direct = await post(`${decodes[0]!.url}/tokenize`, "{broken");
      expect(response).toMatchObject({ status: 400, body: direct.body });
    });

    test("unknown paths, wrong methods and empty responses are the engine's own", async () => {
      const url = urls.get(way)!;
      const unknown = await ask(`${url}/v1/nothing`);
      expect(unknown).toMatchObject({ status: 404, body: '{"detail":"Not Found"}' });
      const wrong = await ask(`${url}/v1/completions`, { method: "DELETE" });
      expect(wrong).toMatchObject({ status: 405, body: '{"detail":"Method Not Allowed"}' });
      expect(await ask(`${url}/health`)).toMatchObject({ status: 200, body: "", end: "whole" });
      expect((await ask(`${url}/metrics`)).body).toContain("vllm:num_requests_running");
    });

    test("the engine gets path, query and headers as they were, without those of the hop", async () => {
      const target = "/ping?q=%E6%9D%B1&r=a+b&s";
      const headers = { "X-Own": "ä,b", Connection: "X-Hop, keep-alive", "X-Hop": "1", TE: "x" };
      await ask(`${urls.get(way)}${target}`, { headers });
      const all = await Promise.all(decodes.map((engine) => engine.requests()));
      const got = all.flat().find(({ rawHeaders }) => rawHeaders.includes("X-Own"));
      expect(got?.path).toBe("/ping");
      const names = got!.rawHeaders.filter((_, index) => index % 2 === 0);
      expect(names.map((name) => name.toLowerCase())).not.toContain("x-hop");
      expect(names.map((name) => name.toLowerCase())).not.toContain("te");
      expect(got!.rawHeaders[got!.rawHeaders.indexOf("X-Own") + 1]).toBe("ä,b");
      const hits = await Promise.all(prefills.map((engine) => engine.requests()));
      expect(hits.flat().filter(({ path }) => path === "/ping")).toEqual([]);
    });
  });
});
