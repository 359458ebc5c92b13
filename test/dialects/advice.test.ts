/** Advice that is wrong costs an operator an hour: each rule applies to what it is about, and to nothing else. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { engineAdvice, pairAdvice } from "../../src/dialects/advice/advice.ts";
import { type EngineFacts, readFacts } from "../../src/dialects/advice/facts.ts";
import { serverInfo } from "../../src/dialects/definition.ts";

/** As vLLM 0.32 prints it with `config_format=json`, cut down to what is read. */
const vllmInfo = {
  vllm_config: {
    model_config: { model: "/models/a", dtype: "torch.float32", max_model_len: 2048 },
    cache_config: { block_size: 128, cache_dtype: "auto", enable_prefix_caching: true },
    parallel_config: { tensor_parallel_size: 1 },
    kv_transfer_config: { kv_connector: "NixlConnector", kv_role: "kv_producer" },
    kv_events_config: {
      enable_kv_cache_events: true,
      publisher: "zmq",
      endpoint: "tcp://*:5557",
      replay_endpoint: "tcp://*:5558",
    },
  },
  vllm_env: { VLLM_NIXL_SIDE_CHANNEL_HOST: "10.0.0.1", VLLM_MOONCAKE_BOOTSTRAP_PORT: 8998 },
};
const facts = readFacts(
  new Map([
    [serverInfo.path, JSON.stringify(vllmInfo)],
    ["/version", '{"version":"0.32.0"}'],
  ]),
);

const codesOf = (
  changes: Partial<EngineFacts>,
  role: "prefill" | "decode" | "engine" = "prefill",
  isLoopback = false,
) =>
  engineAdvice
    .filter(
      (rule) =>
        rule.finds({ facts: { ...facts, ...changes }, role, isLoopback, attributes: {} }) !==
        undefined,
    )
    .map(({ code }) => code);

const pairCodesOf = (changes: Partial<EngineFacts>) =>
  pairAdvice
    .filter(
      (rule) => rule.finds({ prefill: facts, decode: { ...facts, ...changes } }) !== undefined,
    )
    .map(({ code }) => code);

test("what vLLM's /server_info says is read", () => {
  expect(facts).toEqual({
    version: "0.32.0",
    connector: "NixlConnector",
    role: "kv_producer",
    model: "/models/a",
    maxModelLen: 2048,
    dtype: "float32",
    kvCacheDtype: "auto",
    blockTokens: 128,
    prefixCaching: true,
    tensorParallelSize: 1,
    sideChannelHost: "10.0.0.1",
    bootstrapPort: 8998,
    isInDevMode: true,
    kvEvents: { endpoint: "tcp://*:5557", replayEndpoint: "tcp://*:5558" },
  });
});

test("what SGLang's /server_info says is read", () => {
  const info = { disaggregation_mode: "decode", version: "0.5.6", page_size: 64, tp_size: 2 };
  const more = { model_path: "m", disable_radix_cache: true };
  const read = readFacts(new Map([[serverInfo.path, JSON.stringify({ ...info, ...more })]]));
  expect(read).toMatchObject({
    version: "0.5.6",
    role: "decode",
    model: "m",
    blockTokens: 64,
    tensorParallelSize: 2,
    prefixCaching: false,
  });
});

test.each(["", "<html>", "[]", "null", '{"vllm_config":3}', '{"vllm_config":{"model_config":[]}}'])(
  "of %j nothing is known, and nothing is advised",
  (body) => {
    const nothing = readFacts(new Map([[serverInfo.path, body]]));
    expect(new Set(Object.values(nothing))).toEqual(new Set([undefined]));
    const of = { facts: nothing, role: "prefill", isLoopback: false, attributes: {} } as const;
    expect(engineAdvice.filter((rule) => rule.finds(of) !== undefined)).toEqual([]);
  },
);

describe("engines", () => {
  test("one that is started well gets no advice", () => {
    expect(codesOf({})).toEqual([]);
    expect(codesOf({ role: "kv_consumer" }, "decode")).toEqual([]);
    expect(codesOf({ role: undefined }, "engine")).toEqual([]);
  });

  test.each([
    [{ role: "decode", connector: undefined }, "prefill", ["role-swapped"]],
    [{ role: "prefill", connector: undefined }, "decode", ["role-swapped"]],
    [{ role: "kv_consumer" }, "engine", ["alone-is-half"]],
    [{ role: "prefill", connector: undefined }, "engine", ["alone-is-half"]],
    [{ role: "kv_consumer" }, "prefill", ["kv-consumer-prefills"]],
    [{ role: "kv_producer" }, "decode", ["kv-producer-decodes"]],
    [{ role: "kv_both" }, "decode", ["kv-both-deprecated"]],
    [{ role: "kv_both", connector: "MooncakeConnector" }, "decode", []],
    [{ sideChannelHost: "localhost" }, "prefill", ["side-channel-loopback"]],
    [{ sideChannelHost: "127.0.0.1", role: "kv_consumer" }, "decode", []],
    [{ sideChannelHost: "0.0.0.0" }, "prefill", ["side-channel-anywhere"]],
    [{ connector: "MooncakeConnector", bootstrapPort: 27824 }, "prefill", ["bootstrap-port"]],
    [{ connector: "MooncakeConnector" }, "prefill", []],
    [{ prefixCaching: false }, "prefill", ["prefix-caching-off"]],
    [{ version: "0.18.1" }, "prefill", ["forced-tool-calls"]],
    [{ version: "0.9.2" }, "prefill", ["forced-tool-calls"]],
    [{ version: "0.18.1", role: "kv_consumer" }, "decode", []],
    [{ version: "0.19.0" }, "prefill", []],
    [{ version: "0.5.6", connector: undefined, role: "prefill" }, "prefill", []],
  ] as const)("%j as %s: %j", (changes, role, codes) => {
    expect(codesOf(changes, role)).toEqual(codes);
  });

  test("on one machine, NIXL's side channel may be on loopback", () => {
    expect(codesOf({ sideChannelHost: "localhost" }, "prefill", true)).toEqual([]);
  });
});

test.each([
  [{}, []],
  [{ model: "/models/b" }, ["model-differs"]],
  [{ dtype: "bfloat16" }, ["dtype-differs"]],
  [{ kvCacheDtype: "fp8" }, ["kv-dtype-differs"]],
  [{ blockTokens: 16 }, ["block-size-differs"]],
  [{ tensorParallelSize: 2 }, ["tp-size-differs"]],
  [{ version: "0.31.0" }, ["version-differs"]],
  [{ connector: "ExampleConnector" }, ["connector-differs"]],
  [{ dtype: undefined, model: undefined }, []],
])("pairs of which decode has %j: %j", (changes, codes) => {
  expect(pairCodesOf(changes)).toEqual(codes);
});

test("the page names each rule, so that its code can be looked up", () => {
  const page = readFileSync("docs/check.md", "utf8");
  const codes = [...engineAdvice, ...pairAdvice].map(({ code }) => code);
  expect(codes.filter((code) => !page.includes(`\`${code}\``))).toEqual([]);
});

test("each rule says what to do, why, and who says so, and no code comes twice", () => {
  const rules = [...engineAdvice, ...pairAdvice];
  for (const rule of rules) {
    for (const text of [rule.remedy, rule.reason, rule.source]) expect(text).not.toBe("");
  }
  expect(new Set(rules.map(({ code }) => code)).size).toBe(rules.length);
});
