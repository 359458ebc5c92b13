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
  askEngine,
  type EngineResponse,
  type NoResponse,
} from "../../../src/control/polling/ask-engine.ts";
import type { EngineProbe } from "../../../src/dialects/dialect.ts";
import { sglangRoute, sglangServerInfo } from "../../../src/dialects/sglang/family.ts";
import { trtllmServerInfo } from "../../../src/dialects/trtllm/family.ts";
import { engineIdProbe } from "../../../src/dialects/vllm/mooncake.ts";
import { probeFailuresMax, probeResponseBytesMax } from "../../../src/limits.ts";
import type { DiscoveredByIdentity } from "../../../src/pool/discovered-attributes.ts";

const probers: Prober[] = [];
afterEach(() => {
  for (const prober of probers.splice(0)) prober.close();
});

function configOf(prefill: readonly string[], attributes = {}): Config {
  return configSchema.parse({
    pools: {
      p: { engines: prefill.map((url) => ({ url, attributes })) },
      d: { engines: [{ url: "d:1" }] },
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

describe("a response is bounded", () => {
  it.each([
    ["small", 10, 200],
    ["too large", probeResponseBytesMax + 1, "failed"],
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
