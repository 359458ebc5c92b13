/**
 * `auto` says what it found and by what; engines that do not agree are named, and nothing is guessed from one side
 * alone.
 */
import { afterEach, describe, expect, it } from "vitest";
import { type Config, configSchema } from "../../../src/config/schema/schema.ts";
import { DialectFinder } from "../../../src/control/discovery/dialect-finder.ts";
import { probeTimeoutMs } from "../../../src/control/limits.ts";
import { detect } from "../../../src/dialects/detect.ts";

const finders: DialectFinder[] = [];
afterEach(() => {
  for (const finder of finders.splice(0)) finder.close();
});

function configOf(route = {}): Config {
  return configSchema.parse({
    pools: {
      p: { engines: [{ url: "p1:80" }, { url: "p2:80@0-1" }] },
      d: { engines: [{ url: "d:80" }] },
    },
    servers: [
      {
        listen: [{ port: 1 }],
        routes: [
          {
            match: { path: "/v1" },
            prefill: { pool: "p" },
            target: { pool: "d" },
            dialect: "auto",
            ...route,
          },
          { match: { path: "/" }, target: { pool: "d" } },
        ],
      },
    ],
  });
}

function finderOf() {
  const answers = new Map<string, string>();
  const lines: string[] = [];
  const asked: string[] = [];
  const timeoutsMs = new Map<string, number>();
  let found = 0;
  const finder = new DialectFinder({
    log: (level, message) => lines.push(`${level}: ${message}`),
    changed: () => {
      found += 1;
    },
    ask: ({ key }, path, { timeoutMs = 0 } = {}) => {
      asked.push(`${key}${path}`);
      timeoutsMs.set(`${key}${path}`, timeoutMs);
      const body = answers.get(`${key}${path}`);
      if (body !== undefined) return Promise.resolve({ status: 200, body: Buffer.from(body) });
      const isThere = [...answers.keys()].some((known) => known.startsWith(`${key}/`));
      return Promise.resolve(isThere ? { status: 404, body: Buffer.alloc(0) } : "refused");
    },
  });
  finders.push(finder);
  return { finder, answers, lines, asked, timeoutsMs, count: () => found };
}

it("waits long for what a busy engine says late, and not for one that says nothing", async () => {
  const { finder, answers, timeoutsMs } = finderOf();
  finder.use(configOf());
  answers.set("p2:80/v1/models", models("vllm"));
  await finder.round();
  expect(timeoutsMs.get("p1:80/v1/models")).toBe(probeTimeoutMs);
  expect(timeoutsMs.get("p2:80/v1/models")).toBe(probeTimeoutMs);
  // vLLM's first one took 14 s on a busy machine.
  expect(timeoutsMs.get("p2:80/server_info?config_format=json")).toBeGreaterThan(14_000);
});

const models = (owner: string) => `{"object":"list","data":[{"id":"m","owned_by":"${owner}"}]}`;

it("waits for an engine of each side, asks each address once, and then tells", async () => {
  const { finder, answers, lines, asked, count } = finderOf();
  const config = configOf();
  finder.use(config);
  answers.set("p2:80/v1/models", models("vllm"));
  await finder.round();
  expect(count()).toBe(0);
  expect(finder.resolve(config)).toBe(config);
  expect(asked.filter((where) => where === "p2:80/v1/models")).toHaveLength(1);
  answers.set("d:80/v1/models", models("vllm"));
  answers.set(
    "d:80/server_info?config_format=json",
    '{"vllm_config":{"kv_transfer_config":{"kv_connector":"NixlConnector"}}}',
  );
  await finder.round();
  expect(count()).toBe(1);
  const [route, other] = finder.resolve(config).servers[0]!.routes;
  expect(route!.dialect).toBe("vllm-nixl");
  expect(other).toEqual(config.servers[0]!.routes[1]);
  expect(lines).toEqual([
    'notice: dialect of pools p, d: "vllm-nixl", detected by NixlConnector in /server_info of d:80',
  ]);
});

it("says that it assumes, where the engines do not show their KV connector", async () => {
  const { finder, answers, lines } = finderOf();
  finder.use(configOf());
  for (const key of ["p1:80", "d:80"]) answers.set(`${key}/v1/models`, models("vllm"));
  await finder.round();
  expect(lines.join()).toMatch(/^warn: .*"vllm-nixl" is assumed/);
});

it("says which engines are in a pool that their kv_role cannot serve, and what else to change", async () => {
  const { finder, answers, lines, count } = finderOf();
  finder.use(configOf());
  const says = (key: string, role: string) => {
    answers.set(`${key}/v1/models`, models("vllm"));
    answers.set(
      `${key}/server_info?config_format=json`,
      `{"vllm_config":{"kv_transfer_config":{"kv_connector":"NixlConnector","kv_role":"${role}"}}}`,
    );
  };
  says("p1:80", "kv_consumer");
  says("p2:80", "kv_both");
  says("d:80", "kv_both");
  await finder.round();
  expect(count()).toBe(1);
  expect(lines.slice(1)).toEqual([
    expect.stringMatching(
      /^error: engine p1:80: it is a "kv_consumer".*"kv_producer".*\(kv-consumer-prefills\)$/,
    ),
    expect.stringMatching(/^warn: engine p2:80, d:80: it has .*"kv_both".*\(kv-both-deprecated\)$/),
  ]);
});

it("says nothing of engines whose kv_role is that of their pool", async () => {
  const { finder, answers, lines } = finderOf();
  finder.use(configOf());
  for (const [key, role] of [
    ["p1:80", "kv_producer"],
    ["d:80", "kv_consumer"],
  ]) {
    answers.set(`${key}/v1/models`, models("vllm"));
    answers.set(
      `${key}/server_info?config_format=json`,
      `{"vllm_config":"KVTransferConfig(kv_connector='NixlConnector', kv_role='${role}')"}`,
    );
  }
  await finder.round();
  expect(lines).toHaveLength(1);
});

it("names the engines of a mixed fleet, once, and takes none of their dialects", async () => {
  const { finder, answers, lines, count } = finderOf();
  const config = configOf();
  finder.use(config);
  answers.set("p1:80/v1/models", models("vllm"));
  answers.set("p2:80/v1/models", models("sglang"));
  answers.set("d:80/v1/models", models("vllm"));
  await finder.round();
  await finder.round();
  expect(lines).toEqual([
    "error: the engines of one route speak several dialects: p1:80 vllm, p2:80 sglang, d:80 vllm; set its dialect",
  ]);
  expect(count()).toBe(0);
  expect(finder.resolve(config).servers[0]!.routes[0]!.dialect).toBe("auto");
});

it("asks nobody where the dialect is said, or nothing is prefilled", async () => {
  const { finder, asked } = finderOf();
  finder.use(configOf({ dialect: "omni" }));
  await finder.round();
  finder.use(configOf({ prefill: undefined }));
  await finder.round();
  expect(asked).toEqual([]);
});

describe("what shows a dialect", () => {
  it.each([
    ["/query", '{"0":{"engine_id":"e","worker_addr":{}}}', "vllm-mooncake"],
    ["/server_info?config_format=json", '{"disaggregation_mode":"prefill"}', "sglang"],
    ["/get_server_info", '{"disaggregation_mode":"null"}', "sglang"],
    ["/server_info?config_format=json", '{"disaggregated_params":{}}', "trtllm"],
    ["/server_info?config_format=json", '{"kv_connector":"P2pNcclConnector"}', "vllm-p2p-nccl"],
    [
      "/server_info?config_format=json",
      '{"vllm_config":"kv_connector=\'MooncakeConnector\', x"}',
      "vllm-mooncake",
    ],
    ["/server_info?config_format=json", '{"kv_connector":"NixlPullConnector"}', "vllm-nixl"],
    [
      "/server_info?config_format=json",
      '{"kv_connector":"MooncakeStoreConnector"}',
      "shared-storage",
    ],
    ["/server_info?config_format=json", '{"kv_connector":"LMCacheMPConnector"}', "shared-storage"],
    ["/server_info?config_format=json", '{"kv_connector":"LMCacheConnectorV1"}', "shared-storage"],
    ["/server_info?config_format=json", '{"kv_connector":"MoRIIOConnector"}', "moriio-write"],
    [
      "/server_info?config_format=json",
      '{"kv_connector":"MoRIIOConnector","kv_connector_extra_config":{"read_mode":"True"}}',
      "moriio-read",
    ],
    [
      "/server_info?config_format=json",
      "kv_connector='MoRIIOConnector', kv_connector_extra_config={'read_mode': false}",
      "moriio-write",
    ],
    ["/v1/models", models("sglang"), "sglang"],
    ["/v1/models", models("tensorrt_llm"), "trtllm"],
    ["/v1/models", models("vllm"), "vllm-nixl", true],
  ])("%s %s", (path, body, dialect, isAssumed = false) => {
    expect(detect(new Map([[path, body]]))).toMatchObject({ dialect, isAssumed });
  });

  it("is not what nobody knows", () => {
    expect(detect(new Map([["/v1/models", models("somebody")]]))).toBeUndefined();
    expect(detect(new Map([["/version", '{"version":"1"}']]))).toBeUndefined();
  });
});
