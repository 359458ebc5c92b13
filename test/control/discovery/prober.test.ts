/**
 * What is known of an engine is what it last said itself; an engine that is not ready, or whose id is not known, gets
 * nothing.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { type Config, configSchema } from "../../../src/config/schema/schema.ts";
import { Prober } from "../../../src/control/discovery/prober.ts";
import {
  optionalProbeRounds,
  probeFailuresMax,
  probeResponseBytesMax,
} from "../../../src/control/limits.ts";
import {
  askEngine,
  type EngineResponse,
  type NoResponse,
} from "../../../src/control/polling/ask-engine.ts";
import type { EngineProbe } from "../../../src/dialects/dialect.ts";
import { sglangRoute, sglangServerInfo } from "../../../src/dialects/sglang/family.ts";
import { trtllmServerInfo } from "../../../src/dialects/trtllm/family.ts";
import { modelList } from "../../../src/dialects/vllm/model-list.ts";
import { engineIdProbe } from "../../../src/dialects/vllm/mooncake.ts";
import type { DiscoveredByIdentity } from "../../../src/pool/discovered-attributes.ts";
import { PoolEngine } from "../../../src/pool/engine.ts";
import { enginesOf } from "../../../src/pool/engines.ts";

const probers: Prober[] = [];
afterEach(() => {
  for (const prober of probers.splice(0)) prober.close();
});

function configOf(prefill: readonly string[], attributes = {}, decode = "d:1"): Config {
  return configSchema.parse({
    pools: {
      p: { engines: prefill.map((url) => ({ url, attributes })) },
      d: { engines: [{ url: decode }] },
    },
    servers: [
      {
        listen: [{ port: 1 }],
        routes: [{ match: { path: "/" }, prefill: { pool: "p" }, target: { pool: "d" } }],
      },
    ],
  });
}

function proberOf(probes: readonly EngineProbe[]) {
  const answers = new Map<string, EngineResponse | NoResponse>();
  const asked: string[] = [];
  const reported: DiscoveredByIdentity[] = [];
  const prober = new Prober({
    log: () => {},
    changed: (discovered) => reported.push(discovered),
    probesOf: () => probes,
    ask: (address, path) => {
      asked.push(`${address.key}${path}`);
      return Promise.resolve(answers.get(`${address.key}${path}`) ?? "failed");
    },
  });
  probers.push(prober);
  const says = (key: string, body: string | NoResponse, status = 200) => {
    const isNone = body === "refused" || body === "failed";
    answers.set(key, isNone ? body : { status, body: Buffer.from(body) });
  };
  return { prober, says, reported, asked };
}

const query = (id: string, other = "x") =>
  `{"0":{"engine_id":"${id}","worker_addr":{}},"1":{"engine_id":"${other}","worker_addr":{}}}`;

describe("an engine whose id must be known", () => {
  it("gets nothing until it has told it, and a new id counts after a new start", async () => {
    const { prober, says, reported } = proberOf([engineIdProbe]);
    prober.use(configOf(["a:80"]));
    expect(prober.discovered["p a:80"]).toEqual({ isReady: false, attributes: {} });
    says("a:8998/query", query("one"));
    await prober.round();
    expect(prober.discovered["p a:80"]).toEqual({
      isReady: true,
      attributes: { engine_id: "one" },
    });
    says("a:8998/query", "refused");
    await prober.round();
    expect(prober.discovered["p a:80"]).toEqual({ isReady: false, attributes: {} });
    says("a:8998/query", query("two"));
    await prober.round();
    expect(prober.discovered["p a:80"]!.attributes).toEqual({ engine_id: "two" });
    const count = reported.length;
    await prober.round();
    expect(reported).toHaveLength(count);
  });

  it("keeps it while it is too busy to respond, for some rounds", async () => {
    const { prober, says } = proberOf([engineIdProbe]);
    prober.use(configOf(["a:80"]));
    says("a:8998/query", query("one"));
    await prober.round();
    says("a:8998/query", "failed");
    for (let i = 1; i < probeFailuresMax; i += 1) await prober.round();
    expect(prober.discovered["p a:80"]!.isReady).toBe(true);
    await prober.round();
    expect(prober.discovered["p a:80"]!.isReady).toBe(false);
  });

  it("is used as configured when the configuration says it", async () => {
    const { prober } = proberOf([engineIdProbe]);
    prober.use(configOf(["a:80"], { engine_id: "said" }));
    await prober.round();
    expect(prober.discovered["p a:80"]!.isReady).toBe(true);
  });

  it("has one for each rank", async () => {
    const { prober, says, asked } = proberOf([engineIdProbe]);
    says("a:8998/query", query("zero", "one"));
    // What a configuration names is known when it is put in force.
    await prober.use(configOf(["a:80@0-1"]));
    expect(asked).toEqual(["a:8998/query"]);
    expect(prober.discovered["p a:80@0"]!.attributes).toEqual({ engine_id: "zero" });
    expect(prober.discovered["p a:80@1"]!.attributes).toEqual({ engine_id: "one" });
  });
});

describe("an engine that says whether it is ready", () => {
  it("is not with a 503, is with a 200, and is used while nothing is known", async () => {
    const { prober, says } = proberOf([sglangRoute]);
    const key = `a:9000${sglangRoute.path}`;
    prober.use(configOf(["a:80?bootstrap_port=9000"]));
    await prober.round();
    expect(prober.discovered["p a:80"]!.isReady).toBe(true);
    says(key, "{}", 503);
    await prober.round();
    expect(prober.discovered["p a:80"]!.isReady).toBe(false);
    says(key, '{"dp_size": 9007199254740993, "page_size": 1}');
    await prober.round();
    expect(prober.discovered["p a:80"]).toEqual({
      isReady: true,
      attributes: { dp_size: "9007199254740993" },
    });
    says(key, "<html>");
    await prober.round();
    expect(prober.discovered["p a:80"]).toEqual({ isReady: true, attributes: {} });
  });

  it("is asked on the port that another probe has found", async () => {
    const { prober, says, asked } = proberOf([sglangServerInfo, sglangRoute]);
    prober.use(configOf(["a:80"]));
    says("a:80/server_info", '{"disaggregation_bootstrap_port": 9100}');
    await prober.round();
    await prober.round();
    expect(asked).toContain(`a:9100${sglangRoute.path}`);
  });
});

it("of several places where a context engine can be asked the first is taken", () => {
  const info = { host: "a", port: 1, dpRank: -1, attributes: {} };
  const discovered = (value: string) =>
    trtllmServerInfo.discovered(
      Buffer.from(`{"disaggregated_params":{"ctx_info_endpoint":${value}}}`),
      info,
    );
  expect(discovered('["tcp://a:1", "tcp://b:2"]')).toEqual({ ctx_info_endpoint: "tcp://a:1" });
  expect(discovered('"tcp://a:1"')).toEqual({ ctx_info_endpoint: "tcp://a:1" });
  expect(discovered("null")).toEqual({});
  expect(discovered("[]")).toEqual({});
});

it("nothing is kept of engines that a reload takes out, all of those that stay", async () => {
  const { prober, says } = proberOf([engineIdProbe]);
  says("a:8998/query", query("one"));
  says("b:8998/query", query("two"));
  prober.use(configOf(["a:80", "b:80"]));
  await prober.round();
  prober.use(configOf(["b:80"]));
  expect(prober.discovered).toEqual({
    "p b:80": { isReady: true, attributes: { engine_id: "two" } },
  });
});

describe("how long requests may be at an engine", () => {
  const model = (length: number | null, parent: string | null = null) => ({
    id: "m",
    parent,
    max_model_len: length,
  });
  const list = (...models: object[]) => JSON.stringify({ object: "list", data: models });
  const known = (prober: Prober) => prober.discovered["d d:1"];
  const rounds = async (prober: Prober, count: number) => {
    for (let i = 0; i < count; i += 1) await prober.round();
  };

  it.each<[string, string, string | undefined]>([
    ["one model", list(model(4_096)), "4096"],
    ["the longest of several models", list(model(4_096), model(8_192)), "8192"],
    ["an adapter has none of its own", list(model(4_096), model(null, "m")), "4096"],
    ["a model that says none", list(model(4_096), model(null)), undefined],
    ["no number", list({ id: "m", max_model_len: "long" }), undefined],
    ["a fraction", list({ id: "m", max_model_len: 0.5 }), undefined],
    ["no model", list(), undefined],
    ["no list", "<html>", undefined],
  ])("%s", async (_, response, tokens) => {
    const { prober, says } = proberOf([modelList]);
    says("d:1/v1/models", response);
    await prober.use(configOf(["a:80"]));
    const attributes = tokens === undefined ? {} : { max_model_len: tokens };
    expect(known(prober)).toEqual({ isReady: true, attributes });
  });

  it("is asked of vLLM's decode engines, and where something reads it", async () => {
    const asked: string[] = [];
    const ask = (address: { key: string }, path: string) => {
      asked.push(address.key + path);
      return Promise.resolve("failed" as const);
    };
    for (const [dialect, byEndpoint] of [
      ["vllm-nixl", true],
      ["omni", false],
      ["sglang", true],
      ["plain", true],
    ] as const) {
      const config = configOf(["a:80"]);
      for (const route of config.servers[0]!.routes) Object.assign(route, { dialect, byEndpoint });
      const prober = new Prober({ log: () => {}, changed: () => {}, ask });
      probers.push(prober);
      await prober.use(config);
    }
    expect(asked.filter((path) => path.endsWith("/v1/models"))).toEqual(["d:1/v1/models"]);
  });

  it("is asked again seldom, and at once when the engine has gone", async () => {
    const { prober, says, asked } = proberOf([modelList]);
    says("d:1/v1/models", list(model(4_096)));
    await prober.use(configOf(["a:80"]));
    await rounds(prober, optionalProbeRounds - 1);
    expect(asked).toHaveLength(1);
    says("d:1/v1/models", "refused");
    await rounds(prober, 2);
    expect(asked).toHaveLength(3);
    expect(known(prober)?.attributes).toEqual({});
    says("d:1/v1/models", list(model(1_024)));
    await prober.round();
    expect(known(prober)?.attributes).toEqual({ max_model_len: "1024" });
  });

  it("is noticed of an engine that was restarted between two questions", async () => {
    const { prober, says } = proberOf([modelList]);
    says("d:1/v1/models", list(model(4_096)));
    await prober.use(configOf(["a:80"]));
    says("d:1/v1/models", list(model(1_024)));
    await rounds(prober, optionalProbeRounds);
    expect(known(prober)?.attributes).toEqual({ max_model_len: "1024" });
  });

  it("is not known of an engine that does not say it, which serves all the same", async () => {
    for (const status of [401, 404, 500, 503]) {
      const { prober, says } = proberOf([modelList]);
      says("d:1/v1/models", list(model(4_096)), status);
      await prober.use(configOf(["a:80"]));
      expect(known(prober)).toEqual({ isReady: true, attributes: {} });
    }
  });

  it("is what the configuration says, if it says anything", () => {
    const contextTokens = (url: string) => {
      const [, pool] = Object.values(configOf(["a:80"], {}, url).pools);
      const [configured] = enginesOf(pool!);
      const engine = new PoolEngine(configured!, 0, 0);
      engine.applyDiscovered({ isReady: true, attributes: { max_model_len: "4096" } });
      return engine.contextTokens;
    };
    expect(contextTokens("d:1")).toBe(4_096);
    expect(contextTokens("d:1?max_model_len=512")).toBe(512);
  });
});

describe("a response is bounded", () => {
  it.each([
    ["small", 10, 200],
    ["too large", probeResponseBytesMax + 1, "too-large"],
  ])("%s", async (_name, bytes, expected) => {
    const server = createServer((_request, response) => response.end("x".repeat(bytes)));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const response = await askEngine({ key: "", host: "127.0.0.1", port }, "/");
    server.close();
    expect(typeof response === "string" ? response : response.status).toBe(expected);
    expect(await askEngine({ key: "", host: "127.0.0.1", port }, "/")).toBe("refused");
  });
});
