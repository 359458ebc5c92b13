/** What Prometheus reads is what clients have seen, whichever worker had them, and Prometheus can read it. */
import { spawnSync } from "node:child_process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { adminOf } from "../support/admin.ts";
import { RunningCommand } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";
import { type Answered, ask, post } from "../support/http-client.ts";
import { type Metrics, metricsOf } from "../support/metrics.ts";
import { hasProgram } from "../support/needs.ts";
import { pdYaml } from "../support/pd-yaml.ts";
import { freePorts } from "../support/ports.ts";
import { root, workerCasesInTurn } from "../support/runtimes.ts";
import { type Engine, instant, type ServingProxy, Stack } from "../support/stack.ts";

const path = "/v1/completions";
const model = "served";
const atOnce = 8;

/** Sends so many requests, some at a time. */
async function send(count: number, one: (i: number) => Promise<Answered>): Promise<Answered[]> {
  const responses: Answered[] = [];
  let next = 0;
  const client = async (): Promise<void> => {
    for (let i = next++; i < count; i = next++) responses.push(await one(i));
  };
  await Promise.all(Array.from({ length: atOnce }, client));
  return responses;
}

interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
}

function usageOf({ body }: Answered): Usage {
  const [, usage] = /"usage":(\{[^}]*\})/.exec(body.replaceAll('"usage":null', "")) ?? [];
  return JSON.parse(usage!.replace(/,"prompt_tokens_details":.*/, "}")) as Usage;
}

const total = (counts: readonly number[]) => counts.reduce((sum, count) => sum + count, 0);

describe.each(workerCasesInTurn("metrics"))("on $runtime, workers: $workers", (one) => {
  const { runtime, workers } = one;
  const stack = new Stack(runtime, { ownProcesses: true });
  let prefills: Engine[];
  let decodes: Engine[];
  let proxy: ServingProxy;
  let admin: string;

  beforeAll(async () => {
    const named = ["--model", model];
    prefills = await stack.startEngines("prefill", 2, [...instant, ...named]);
    decodes = await stack.startEngines("decode", 2, [...instant, ...named]);
    const [port] = (await freePorts(1)) as [number];
    proxy = await stack.serve((clients) =>
      pdYaml({
        port: clients,
        top: `workers: ${workers}\nadmin: { port: 0 }\nmetrics: { port: ${port} }\nerrorLog: { level: notice }`,
        prefill: { engines: prefills },
        decode: { engines: decodes },
        route: ", onPrefillFailure: decode_only",
      }),
    );
    admin = await adminOf(proxy);
    await eventually(async () => (await ask(`${admin}/admin/health`)).status === 200);
  });
  afterAll(() => stack.end());

  const requests = (metrics: Metrics, outcome: string, status: string) =>
    metrics.sum("requests_total", { route: "/v1", outcome, status });

  test("of 200 requests each is counted once, by what its client has seen", async () => {
    const url = proxy.url + path;
    const body = { model, prompt: "a few words of a prompt", max_tokens: 7 };
    const counted = { ...body, stream: true, stream_options: { include_usage: true } };
    const whole = await send(60, () => post(url, body));
    const usage = await send(60, () => post(url, counted));
    const plain = await send(40, () => post(url, { ...body, stream: true }));
    const unknown = await send(20, (i) => post(url, { ...body, model: `my secret ${i}` }));
    const broken = await send(20, () => post(url, '{"prompt":'));
    for (const { status, end } of [...whole, ...usage, ...plain]) {
      expect([status, end]).toEqual([200, "whole"]);
    }
    const refused = `${unknown[0]!.status}`;
    expect(broken.every(({ status }) => status === 400)).toBe(true);
    let metrics = await metricsOf(admin);
    await eventually(async () => {
      metrics = await metricsOf(admin);
      return metrics.sum("requests_total") === 200;
    });
    expect(requests(metrics, "GP_OK", "200")).toBe(160);
    expect(requests(metrics, "GP_OK", refused)).toBe(20);
    expect(requests(metrics, "GP_BAD_JSON", "400")).toBe(20);
    expect(metrics.sum("requests_total", { model })).toBe(160);
    const count = (name: string) => metrics.sum(`${name}_seconds_count`, { route: "/v1", model });
    expect(count("request_duration")).toBe(160);
    expect(count("time_to_first_token")).toBe(100);
    expect(count("prefill_duration")).toBe(160);
    expect(count("decode_send_delay")).toBe(160);
    expect(count("kv_transfer_wait")).toBe(100);
    expect(count("time_per_output_token")).toBeLessThanOrEqual(100);
    const bound = { le: "+Inf" };
    expect(metrics.sum("request_duration_seconds_bucket", bound)).toBe(160);
    const usages = [...whole, ...usage].map(usageOf);
    const told = { source: "usage" };
    const tokens = total(usages.map(({ completion_tokens: one }) => one));
    expect(metrics.sum("output_tokens_total", told)).toBe(tokens);
    const prompts = total(usages.map(({ prompt_tokens: one }) => one));
    expect(metrics.sum("prompt_tokens_total", told)).toBe(prompts);
    const events = total(plain.map((each) => each.body.match(/data: \{/g)!.length));
    expect(metrics.sum("output_tokens_total", { source: "events" })).toBe(events);
    expect(metrics.sum("prompt_tokens_total", { source: "estimated" })).toBeGreaterThan(0);
    const legs = (leg: string) => metrics.sum("engine_requests_total", { leg, status: "2xx" });
    expect([legs("prefill"), legs("decode")]).toEqual([160, 160]);
    expect(metrics.sum("engine_picks_total", { pool: "decode" })).toBeGreaterThanOrEqual(160);
    expect(metrics.sum("kv_obligations_total", { end: "taken" })).toBe(160);
    expect(metrics.sum("client_connections_accepted_total")).toBe(200);
    expect(metrics.text).not.toContain("secret");
    expect(metrics.text).not.toContain("few words");
  });

  test("clients that leave, retries and fall-backs are counted", async () => {
    const before = await metricsOf(admin);
    const url = proxy.url + path;
    for (const engine of decodes) await engine.setFault({ kind: "stall", chunks: 2 });
    await send(8, () => {
      const left = new AbortController();
      const options = { signal: left.signal, onData: () => left.abort() };
      return post(url, { model, prompt: "left", max_tokens: 9, stream: true }, options);
    });
    for (const engine of decodes) await engine.clearFaults();
    const gone = async (outcome: string) =>
      (await metricsOf(admin)).sum("requests_total", { outcome });
    await eventually(async () => (await gone("GP_CLIENT_GONE")) === 8);
    await prefills[0]!.kill();
    const first = await send(16, () => post(url, { model, prompt: "another", max_tokens: 2 }));
    expect(first.map(({ status }) => status)).toEqual(Array(16).fill(200));
    const retried = await metricsOf(admin);
    const dead = { engine: `127.0.0.1:${prefills[0]!.port}`, leg: "prefill" };
    const failures = retried.sum("engine_failures_total", dead);
    expect(failures).toBeGreaterThan(0);
    expect(retried.sum("retries_total", { leg: "prefill", condition: "error" })).toBe(failures);
    await prefills[1]!.kill();
    const alone = await send(8, () => post(url, { model, prompt: "alone", max_tokens: 2 }));
    expect(alone.map(({ status }) => status)).toEqual(Array(8).fill(200));
    await eventually(async () => (await metricsOf(admin)).sum("fallbacks_total") === 8);
    const after = await metricsOf(admin);
    const wholes = (metrics: Metrics) => metrics.sum("request_duration_seconds_count");
    expect(wholes(after) - wholes(before)).toBe(24);
    expect(requests(after, "GP_OK", "200") - requests(before, "GP_OK", "200")).toBe(24);
  });

  test("a listener of their own has metrics and nothing else", async () => {
    const [, own] = await proxy.command.saysError(/metrics are at (http:\/\/[^\s]+)\/metrics/);
    const series = (text: string) => text.split("\n").map((line) => line.replace(/ \S+$/, ""));
    const [here, there] = [await ask(`${own}/metrics`), await ask(`${admin}/admin/metrics`)];
    expect(series(here.body)).toEqual(series(there.body));
    expect(here.headers["content-type"]).toBe("text/plain; version=0.0.4; charset=utf-8");
    expect((await ask(`${own}/admin/config`)).status).toBe(404);
    const posted = await ask(`${own}/metrics`, { method: "POST", body: "" });
    expect(posted.status).toBe(405);
    const led = await ask(`${own}/metrics`, { headers: { host: "evil.example" } });
    expect(led.status).toBe(403);
  });

  test.skipIf(!hasProgram("promtool"))("promtool has nothing to say against them", async () => {
    const { text } = await metricsOf(admin);
    const options = { input: text, encoding: "utf8" } as const;
    const { status, stdout, stderr } = spawnSync("promtool", ["check", "metrics"], options);
    expect([status, stdout, stderr]).toEqual([0, "", ""]);
  });

  test.skipIf(!hasProgram("prometheus"))("a real Prometheus reads them", async () => {
    const [port] = (await freePorts(1)) as [number];
    const target = admin.replace("http://", "");
    const file = stack.write(
      "prometheus.yml",
      `global: { scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }
rule_files: [${root}examples/prometheus/alerts.yaml]
scrape_configs: [{ job_name: global-proxy, static_configs: [{ targets: ["${target}"] }] }]
`,
    );
    const prometheus = new RunningCommand("prometheus", [
      `--config.file=${file}`,
      `--storage.tsdb.path=${stack.folder}/tsdb`,
      `--web.listen-address=127.0.0.1:${port}`,
      "--log.level=warn",
    ]);
    try {
      await readsAll(`http://127.0.0.1:${port}/api/v1`, await metricsOf(admin));
    } finally {
      await prometheus.kill();
    }
  });
});

/** Prometheus has all requests, and evaluates all rules. */
async function readsAll(api: string, metrics: Metrics): Promise<void> {
  const get = async (page: string) => {
    const { status, body } = await ask(api + page);
    return status === 200 ? JSON.parse(body).data : undefined;
  };
  const value = async (query: string) => {
    const data = await get(`/query?query=${encodeURIComponent(query)}`);
    return Number(data?.result[0]?.value[1]);
  };
  const requests = "sum(global_proxy_requests_total)";
  await eventually(async () => (await value(requests)) === metrics.sum("requests_total"));
  expect(await value('up{job="global-proxy"}')).toBe(1);
  const quantile =
    "histogram_quantile(0.9, sum by (le) (global_proxy_time_to_first_token_seconds_bucket))";
  expect(await value(quantile)).toBeGreaterThan(0);
  type Rule = { readonly name: string; readonly health: string; readonly lastError?: string };
  let rules: Rule[] = [];
  await eventually(async () => {
    const data = await get("/rules");
    rules = data?.groups.flatMap((group: { rules: Rule[] }) => group.rules) ?? [];
    return rules.length > 0 && rules.every(({ health }) => health !== "unknown");
  });
  expect(rules.filter(({ health }) => health !== "ok")).toEqual([]);
}
