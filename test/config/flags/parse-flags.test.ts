/** Flags mean the same configuration as a file, and wrong ones are reported before anything listens. */
import { expect, test } from "vitest";
import { checkConfig } from "../../../src/config/check/check.ts";
import { currentRuntime } from "../../../src/config/check/runtime.ts";
import type { Flags } from "../../../src/config/flags/flags.ts";
import { parseFlags } from "../../../src/config/flags/parse-flags.ts";
import { formatProblem } from "../../../src/config/problems/problem.ts";
import { parseYaml } from "../../../src/config/yaml/read-yaml.ts";

const pair: Flags = { prefill: ["http://p:1", "p:2"], decode: ["d:3,http://d:4"] };

function parsed(flags: Partial<Flags>) {
  const result = parseFlags({ ...pair, ...flags });
  if ("errors" in result) throw new Error(result.errors.map(formatProblem).join("\n"));
  return result.config;
}

function problems(flags: Partial<Flags>): string[] {
  const result = parseFlags({ ...pair, ...flags });
  return "errors" in result ? result.errors.map(formatProblem) : [];
}

test("the shortest command line means this YAML", () => {
  const yaml = parseYaml(
    `pools:
  prefill: { policy: { name: predictive }, engines: [{ url: http://p:1 }, { url: p:2 }] }
  decode: { policy: { name: least_kv }, engines: [{ url: d:3 }, { url: http://d:4 }] }
servers:
  - listen: [{ host: 0.0.0.0, port: 8080 }]
    routes:
      - { match: { path: / }, prefill: { pool: prefill }, target: { pool: decode } }
`,
    "a.yaml",
  );
  expect(yaml).toMatchObject({ config: parsed({}) });
});

test("encode engines come before prefill and decode engines, or before engines that do both", () => {
  expect(parsed({ encode: ["e:1,e:2"] }).servers[0]!.routes).toMatchObject([
    { encode: { pool: "encode" }, prefill: { pool: "prefill" } },
  ]);
  const both = { prefill: [], decode: [], engine: ["m:1"], encode: ["e:1"] };
  const { pools, servers } = parsed(both);
  expect(pools["encode"]).toMatchObject({ policy: { name: "least_conn" } });
  expect(servers[0]!.routes).toMatchObject([{ encode: { pool: "encode" }, dialect: "plain" }]);
  expect(problems({ encode: ["e"] })).toHaveLength(1);
});

test("each flag sets its key", () => {
  const config = parsed({
    prefillPolicy: "round_robin",
    decodePolicy: "random",
    workers: "auto",
    accessLog: "stdout",
    record: "trace.jsonl",
    pid: "/run/a.pid",
    logLevel: "debug",
    dialect: "omni",
  });
  expect(config).toMatchObject({
    workers: "auto",
    pidFile: "/run/a.pid",
    errorLog: { level: "debug" },
    pools: { prefill: { policy: { name: "round_robin" } }, decode: { policy: { name: "random" } } },
  });
  expect(config.record).toEqual({ file: "trace.jsonl" });
  const logs = config.servers[0]!.routes.map(({ accessLogs }) => accessLogs);
  expect(logs).toEqual([[{ file: "stdout", format: "combined" }]]);
});

test("streams go on, and are kept alive, if the flags say so", () => {
  const flags = { resume: true, keepAliveCommentMs: "15000" };
  const on = { resume: true, keepAliveCommentMs: 15_000 };
  expect(parsed(flags).servers[0]!.routes).toMatchObject([on]);
  const off = { resume: false, keepAliveCommentMs: 0 };
  expect(parsed({}).servers[0]!.routes).toMatchObject([off]);
  expect(problems({ keepAliveCommentMs: "1s" })).toHaveLength(1);
});

test("times in ms are the route's, and wrong ones are reported", () => {
  const { servers } = parsed({ requestTimeoutMs: "60000", prefillTimeoutMs: "0" });
  expect(servers[0]!.routes).toMatchObject([{ requestTimeoutMs: 60_000, prefillTimeoutMs: 0 }]);
  for (const time of ["", "-1", "1s", "86400001"]) {
    expect(problems({ requestTimeoutMs: time, prefillTimeoutMs: time })).toHaveLength(2);
  }
});

test.each([
  ["80", { host: "0.0.0.0", port: 80 }],
  [":80", { host: "0.0.0.0", port: 80 }],
  ["0", { host: "0.0.0.0", port: 0 }],
  ["127.0.0.1:0", { host: "127.0.0.1", port: 0 }],
  ["localhost:81", { host: "localhost", port: 81 }],
  ["[::]:82", { host: "::", port: 82 }],
  ["[::1]:0", { host: "::1", port: 0 }],
  ["unix:/run/a.sock", { unixPath: "/run/a.sock" }],
])("--listen %s", (listen, expected) => {
  expect(parsed({ listen }).servers[0]!.listen[0]).toMatchObject(expected);
});

test("all errors are reported at once, with the nearest valid word", () => {
  expect(
    problems({
      prefill: [],
      decode: ["d:x", "stray"],
      prefillPolicy: "lenght_balance",
      decodePolicy: "hash",
      workers: "65",
      listen: "::1:80",
      logLevel: "warning",
      dialect: "omnii",
    }),
  ).toEqual([
    '[emerg] unknown name "omnii" for --dialect in command line (did you mean "omni"?)',
    "[emerg] --prefill is missing in command line (write --prefill http://HOST:PORT)",
    '[emerg] unknown name "lenght_balance" for --prefill-policy in command line (did you mean "length_balance"?)',
    '[emerg] invalid URL "d:x" for --decode: invalid port "x" in command line',
    '[emerg] invalid URL "stray" for --decode: the port is missing in command line',
    "[emerg] hash needs a key for --decode-policy in command line (hash?key=…)",
    '[emerg] unknown name "warning" for --log-level in command line (did you mean "warn"?)',
    '[emerg] invalid number "65" for --workers in command line (a whole number from 1 to 64, or auto)',
    '[emerg] invalid address "::1:80" for --listen: an IPv6 address needs brackets, as in [::1]:80 ' +
      "in command line ([HOST:]PORT)",
  ]);
});

test("engines that serve whole requests are one pool, named by --engine or by --decode alone", () => {
  for (const flags of [
    { prefill: [], decode: [], engine: ["e:1,e:2"] },
    { prefill: [], decode: ["e:1", "e:2"] },
    { prefill: [], decode: ["e:1", "e:2"], dialect: "plain" },
  ]) {
    const { pools, servers } = parsed(flags);
    expect(Object.values(pools)).toMatchObject([
      { engines: [{ url: "e:1" }, { url: "e:2" }], policy: { name: "least_conn" } },
    ]);
    expect(servers[0]!.routes).toMatchObject([{ match: { path: "/" }, dialect: "plain" }]);
    expect(servers[0]!.routes[0]).not.toHaveProperty("prefill");
  }
});

test.each([
  [{ engine: ["e:1"] }, "--engine cannot be combined with --prefill and --decode"],
  [{ dialect: "plain" }, "--dialect plain cannot be combined with --prefill"],
  [{ prefill: [], dialect: "omni" }, "--prefill is missing"],
  [
    { prefill: [], decode: [], engine: ["e:1"], dialect: "omni" },
    "--dialect omni cannot be combined with --engine",
  ],
  [{ onPrefillFailure: "decode" }, '"decode" for --on-prefill-failure'],
  [{ decodeCacheTokens: "all" }, 'invalid number "all" for --decode-cache-tokens'],
  [{ prefillMinTokens: "-1" }, 'invalid number "-1" for --prefill-min-tokens'],
  [{ ejection: "outliers" }, 'unknown name "outliers" for --ejection'],
  [{ ejection: "outlier?late=1" }, 'unknown option "late" of outlier for --ejection'],
  [{ ejection: "max_fails?late_ms=1" }, 'unknown option "late_ms" of max_fails for --ejection'],
  [{ ejection: "outlier?late_ms=soon" }, 'invalid value "late_ms=soon" of outlier'],
  [{ ejection: "outlier?panic_percent=101" }, 'invalid value "panic_percent=101" of outlier'],
  [{ decode: ["root@d:80"] }, "an engine has no user name"],
  [{ decode: ["d:80?zmq_adress=1"] }, 'unknown attribute "zmq_adress"'],
])("%j is rejected", (flags, message) => {
  expect(problems(flags).join("\n")).toContain(message);
});

test("the flags about prefill set the route, and the cache size of decode its pool", () => {
  const { servers, pools } = parsed({
    onPrefillFailure: "decode_only",
    prefillMinTokens: "256",
    decodeCacheTokens: "400000",
  });
  const expected = { onPrefillFailure: "decode_only", prefillMinTokens: 256 };
  expect(servers[0]!.routes).toMatchObject([expected]);
  expect(pools).toMatchObject({ prefill: { cacheTokens: 0 }, decode: { cacheTokens: 400_000 } });
});

test("the rule of ejection takes its options after its name, and holds for all pools", () => {
  const rules = (ejection: string) =>
    Object.values(parsed({ ejection }).pools).map((pool) => pool.ejection);
  const outlier = { rule: "outlier", lateMs: 0, lateFactor: 2.5, consecutiveFailures: 5 };
  expect(rules("outlier?late_ms=0&late_factor=2.5")).toMatchObject([outlier, outlier]);
  const maxFails = { rule: "max_fails", panicPercent: 40 };
  expect(rules("max_fails?panic_percent=40")).toEqual([maxFails, maxFails]);
  expect(rules("max_fails")).toMatchObject([{ panicPercent: 0 }, { panicPercent: 0 }]);
});

test("a policy takes its options after its name, and its role from the pool", () => {
  const { pools } = parsed({
    prefillPolicy: "omni_proxy?algo=earliest_batch&max_batch_num_token=9000",
    decodePolicy: "pd_score_balance",
    decodeMaxNumSeqs: "48",
  });
  expect(pools).toMatchObject({
    prefill: {
      policy: { role: "prefill", algo: "earliest_batch", maxBatchNumToken: 9_000, maxNumSeqs: 32 },
    },
    decode: { policy: { name: "pd_score_balance", role: "decode", maxNumSeqs: 48 } },
  });
  const key = "hash?key=$http_x_session_id&consistent=on";
  expect(parsed({ decodePolicy: key }).pools["decode"]!.policy).toEqual({
    name: "hash",
    key: "$http_x_session_id",
    consistent: true,
  });
  expect(parsed({ prefillPolicy: "static_bucket?bounds=4000" }).pools).toMatchObject({
    prefill: { policy: { bounds: [4_000] } },
  });
  expect(parsed({ prefillPolicy: "static_bucket?bounds=4000,9000" }).pools).toMatchObject({
    prefill: { policy: { bounds: [4_000, 9_000] } },
  });
  for (const yes of ["on", "true"]) {
    expect(parsed({ prefillPolicy: `random?two=${yes}` }).pools).toMatchObject({
      prefill: { policy: { two: true } },
    });
  }
});

test.each([
  [{ prefillPolicy: "omni_proxy?alg=default" }, 'unknown option "alg" of omni_proxy'],
  [{ prefillPolicy: "omni_proxy?algo=best" }, 'invalid value "algo=best" of omni_proxy'],
  [{ prefillPolicy: "pd_score_balance?max_num_seqs=0" }, "invalid value"],
  [{ prefillPolicy: "omni_proxy?algo=defualt" }, 'did you mean "default"?'],
  [{ prefillPolicy: "predictive?aging_factor=0" }, "expected a number from 0.001 to 10"],
  [{ prefillPolicy: "random?two=yes" }, "expected true or false"],
  [{ prefillPolicy: "static_bucket?bounds=1,x" }, "expected a list"],
  [
    { prefillPolicy: "predictive?queue_max=5&queue_max=6" },
    'option "queue_max" of predictive is given twice',
  ],
  [{ prefillPolicy: "round_robin?a=1" }, 'unknown option "a" of round_robin'],
  [{ prefillPolicy: "" }, 'unknown name ""'],
  [{ prefillMaxNumSeqs: "16" }, "--prefill-max-num-seqs has no effect with the policy predictive"],
  [{ decodePolicy: "pd_score_balance", decodeMaxNumSeqs: "many" }, 'invalid number "many"'],
])("%j is rejected with the reason", (flags, message) => {
  expect(problems(flags).join("\n")).toContain(message);
});

test("the listener for operators cannot be one for clients", () => {
  const faultsOf = (listen: string, admin: string) =>
    checkConfig(parsed({ listen, admin, adminTokenFile: "t" }), currentRuntime()).map(({ path }) =>
      path.join("."),
    );
  expect(faultsOf("8080", "127.0.0.1:8080")).toEqual(["admin.port"]);
  expect(faultsOf("127.0.0.1:8080", "0.0.0.0:8080")).toEqual(["admin.port"]);
  expect(faultsOf("127.0.0.1:8080", "127.0.0.2:8080")).toEqual([]);
  expect(faultsOf("8080", "9901")).toEqual([]);
  expect(faultsOf("127.0.0.1:0", "0")).toEqual([]);
  const config = {
    ...parsed({}),
    admin: { host: "a b", port: 9, hosts: [], explainedRequestsMax: 1 },
  };
  expect(checkConfig(config, currentRuntime())).toMatchObject([{ path: ["admin", "host"] }]);
});

test("the listener for operators needs a token wherever others than this machine can reach it", () => {
  const faultsOf = (flags: Partial<Flags>) =>
    checkConfig(parsed({ listen: "127.0.0.1:1", ...flags }), currentRuntime());
  for (const host of ["0.0.0.0", "10.0.0.9", "[::]", "gw.example", "128.0.0.1"]) {
    const admin = `${host}:9901`;
    expect(faultsOf({ admin })).toMatchObject([{ level: "emerg", path: ["admin", "host"] }]);
    expect(faultsOf({ admin, adminTokenEnv: "TOKEN" })).toEqual([]);
  }
  for (const host of ["127.0.0.1", "127.9.9.9", "[::1]", "localhost"]) {
    expect(faultsOf({ admin: `${host}:9901` })).toEqual([]);
  }
  expect(problems({ adminTokenFile: "t" })).toEqual([expect.stringContaining("needs --admin")]);
  const both = { admin: "9901", adminTokenFile: "t", adminTokenEnv: "T" };
  expect(problems(both)).toEqual([expect.stringContaining("cannot be combined")]);
});

test("a shadow policy stands beside that of the prefill engines, or of engines that serve whole requests", () => {
  const { pools } = parsed({ shadow: "llm_d?prefix_weight=1" });
  expect(pools["prefill"]).toMatchObject({
    policy: { name: "predicted_time" },
    queue: { order: "shortest_prefill" },
    shadow: { name: "llm_d", prefixWeight: 1 },
  });
  expect(pools["decode"]!.shadow).toBeUndefined();
  expect(parsed({ shadow: "pd_score_balance" }).pools["prefill"]!.shadow).toMatchObject({
    role: "prefill",
  });
  const alone = { prefill: [], decode: [], engine: ["m:1"], shadow: "random" };
  expect(parsed(alone).pools["decode"]!.shadow).toMatchObject({ name: "random" });
  expect(problems({ shadow: "leest_conn" })).toEqual([expect.stringContaining("--shadow")]);
  const queueing = checkConfig(parsed({ shadow: "predictive" }), currentRuntime());
  expect(queueing).toMatchObject([{ level: "emerg", path: ["pools", "prefill", "shadow"] }]);
});

test("KV events are read by the pool that computes prompts, and need tokens", () => {
  const cachesOf = (flags: Partial<Flags>, pool: string) => {
    const { tokenize, kvEvents } = parsed(flags).pools[pool]!;
    return [tokenize, kvEvents?.port, kvEvents?.replayPort];
  };
  expect(cachesOf({ kvEvents: "6557:6558" }, "prefill")).toEqual([true, 6557, 6558]);
  expect(cachesOf({ kvEvents: "6557" }, "prefill")).toEqual([true, 6557, 0]);
  expect(cachesOf({ kvEvents: "6557" }, "decode")).toEqual([false, undefined, undefined]);
  expect(cachesOf({ tokenize: true }, "prefill")).toEqual([true, undefined, undefined]);
  const whole = { prefill: [], decode: [], engine: ["http://e:1"], kvEvents: "6557" };
  expect(cachesOf(whole, "decode")).toEqual([true, 6557, 0]);
  for (const kvEvents of ["", "x", "0", "70000", "1:70000", "1:2:3"]) {
    expect(problems({ kvEvents })).toEqual([
      expect.stringContaining(`invalid ports "${kvEvents}" for --kv-events`),
    ]);
  }
});

test("several models are asked for by flags, with other names for them", () => {
  const modelAlias = ["gpt-4o=org/llama", "a=b=c"];
  expect(parsed({ models: "auto", modelAlias }).servers[0]!.routes[0]).toMatchObject({
    models: "auto",
    modelAliases: { "gpt-4o": "org/llama", a: "b=c" },
  });
  expect(problems({ models: "all" })).toEqual([
    expect.stringMatching(/unknown name "all" for --models.*valid: auto/),
  ]);
  expect(problems({ models: "auto", modelAlias: ["x"] })).toEqual([
    expect.stringMatching(/invalid alias "x" for --model-alias.*NAME=MODEL/),
  ]);
  expect(problems({ modelAlias: ["x=y"] })).toEqual([
    expect.stringContaining("--model-alias has no effect without --models auto"),
  ]);
});
