/** Command lines of the original's scripts come over as they are, as far as their options have a meaning here. */
import { expect, it } from "vitest";
import { readFlags } from "../../../src/cli/options/flag-options.ts";
import { parseFlags } from "../../../src/config/flags/parse-flags.ts";

const globalProxy =
  "--core-num 4 --listen-port 8081 --prefill-servers-list 10.0.0.1:8100,10.0.0.2:8100 --decode-servers-list=10.0.0.3:8200 --prefill-lb-sdk pd_score_balance --decode-lb-sdk pd_score_balance --prefill-max-num-seqs 16 --decode-max-num-seqs 32 --log-level warn --access-log-file stdout";
const omniProxy =
  "--listen-port 7150 --prefill-endpoints 10.0.0.1:9001 --decode-endpoints 10.0.0.2:9001 --prefill-lb-sdk omni_proxy --decode-lb-sdk omni_proxy --omni-proxy-prefill-max-num-seqs 8 --omni-proxy-decode-max-num-seqs 64";

it.each([
  [globalProxy, "pd_score_balance", 16, 32],
  [omniProxy, "omni_proxy", 8, 64],
])("%s", (line, name, prefillSeqs, decodeSeqs) => {
  const flags = readFlags(line.split(" "));
  if ("error" in flags) throw new Error(flags.error);
  const read = parseFlags(flags);
  if ("errors" in read) throw new Error(JSON.stringify(read.errors));
  expect(read.config.pools).toMatchObject({
    prefill: { policy: { name, role: "prefill", maxNumSeqs: prefillSeqs } },
    decode: { policy: { name, role: "decode", maxNumSeqs: decodeSeqs } },
  });
});

it("leaves values alone that look like such an option", () => {
  expect(readFlags(["--access-log", "./--core-num", "--workers=2"])).toMatchObject({
    accessLog: "./--core-num",
    workers: "2",
  });
});

const base =
  "--prefill-servers-list 10.0.0.1:8100 --decode-servers-list 10.0.0.3:1,10.0.0.4:1,10.0.0.5:1";

function configOf(line: string) {
  const flags = readFlags(`${base} ${line}`.split(" "));
  if ("error" in flags) throw new Error(flags.error);
  const read = parseFlags(flags);
  if ("errors" in read) throw new Error(read.errors.map(({ message }) => message).join("\n"));
  return read.config;
}

it.each([
  ["--stream-ops set_opt", true],
  ["--stream-ops=add", true],
  ["--stream-ops off", false],
])("%s asks engines for usage, or does not", (line, streamUsage) => {
  expect(configOf(line).servers[0]!.routes[0]).toMatchObject({ streamUsage });
});

it.each(["--enable-internal-metrics", "--enable-internal-metrics 128k"])(
  "%s gives clients the metrics, whatever size is named",
  (line) => {
    const [metrics] = configOf(`${line} --log-level warn`).servers[0]!.routes;
    expect(metrics).toMatchObject({ page: "vllm_metrics", match: { path: "/internal/metrics" } });
  },
);

it("sends /metrics to the collectors, by turns", () => {
  const { pools, servers } = configOf("--metrics-servers-list 10.0.0.8:9000,10.0.0.9:9000");
  expect(pools["metrics"]!.engines).toHaveLength(2);
  const [route] = servers[0]!.routes;
  expect(route).toMatchObject({ match: { path: "/metrics" }, target: { pool: "metrics" } });
});

it("sends requests only to the last decode servers where attention is apart", () => {
  const { pools } = configOf("--enable-attention-ffn-disaggregation --attention-num 2");
  expect(pools["decode"]!.engines.map(({ url }) => url)).toEqual(["10.0.0.4:1", "10.0.0.5:1"]);
});

it.each([
  ["--attention-num 4", /--attention-num 4 is more than the 3 engines/],
  ["--stream-ops always", /unknown value "always" for --stream-ops: add, set_opt, off/],
])("says what is wrong with %s", (line, message) => {
  expect(() => configOf(line)).toThrow(message);
});
