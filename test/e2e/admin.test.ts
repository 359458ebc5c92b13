/** The listener for operators reports each request, whichever worker had it; clients never reach it. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { EngineReport, PoolReport } from "../../src/control/admin/engines.ts";
import type { Decision } from "../../src/pool/engine-snapshot.ts";
import type { Explained } from "../../src/proxy/context/explained/explanation.ts";
import { adminOf } from "../support/admin.ts";
import { eventually } from "../support/eventually.ts";
import { ask, post } from "../support/http-client.ts";
import { pdYaml } from "../support/pd-yaml.ts";
import { freePorts } from "../support/ports.ts";
import { runtimes, workerCasesInTurn } from "../support/runtimes.ts";
import { type Engine, type ServingProxy, Stack } from "../support/stack.ts";

const path = "/v1/completions";

interface ExplainedDecisions extends Omit<Explained, "decisions"> {
  readonly decisions: readonly Decision[];
}

const cases = workerCasesInTurn("admin");

describe.each(cases)("on $runtime, workers: $workers", ({ runtime, workers }) => {
  const stack = new Stack(runtime);
  let prefills: Engine[];
  let decodes: Engine[];
  let proxy: ServingProxy;
  let admin: string;
  let textFor: (port: number, adminPort: string) => string;

  beforeAll(async () => {
    prefills = await stack.startEngines("prefill", 2);
    const slow = ["--prefill-tokens-per-second", "0", "--itl-ms", "5", "--batch-penalty-ms", "0"];
    decodes = await stack.startEngines("decode", 2, slow);
    textFor = (port, adminPort) =>
      pdYaml({
        port,
        top: `workers: ${workers}\nadmin: { port: ${adminPort} }\nerrorLog: { level: notice }`,
        prefill: { engines: prefills, policy: "predictive" },
        decode: { engines: decodes },
      });
    proxy = await stack.serve((port) => textFor(port, "0"));
    admin = await adminOf(proxy);
  });
  afterAll(() => stack.end());

  const reported = async <T>(page: string) => JSON.parse((await ask(admin + page)).body) as T;
  const engines = async (): Promise<EngineReport[]> =>
    (await reported<{ pools: PoolReport[] }>("/admin/engines")).pools.flatMap(
      (pool) => pool.engines,
    );
  const names = (ones: readonly Engine[]) => ones.map(({ port }) => `127.0.0.1:${port}`);

  test("each of 40 requests can be asked for by its id, with both its engines and how it ended", async () => {
    const ids = Array.from({ length: 40 }, (_, i) => `ask ${runtime} ${workers}/${i}`);
    await Promise.all(
      ids.map((id) => {
        const body = { prompt: `${id} `.repeat(200), max_tokens: 2, stream: true };
        return post(proxy.url + path, body, { headers: { "x-request-id": id } });
      }),
    );
    for (const id of ids) {
      const one = await reported<ExplainedDecisions>(`/admin/explain/${encodeURIComponent(id)}`);
      expect(one).toMatchObject({ requestId: id, status: 200, outcome: "GP_OK" });
      expect(one.endMs).toBeGreaterThanOrEqual(one.firstByteMs);
      expect(one.decisions.map(({ leg, policy }) => `${leg} ${policy}`)).toEqual([
        "prefill predictive",
        "decode least_conn",
      ]);
      expect(names(prefills)).toContain(one.decisions[0]!.chosen);
      expect(names(decodes)).toContain(one.decisions[1]!.chosen);
    }
    expect((await ask(`${admin}/admin/explain/another`)).status).toBe(404);
  });

  test("load and states are reported while a stream runs, and are zero when it has ended", async () => {
    const left = new AbortController();
    const endless = { prompt: "slow", max_tokens: 100_000, stream: true };
    const running = post(proxy.url + path, endless, { signal: left.signal });
    await eventually(async () => (await engines()).some(({ inFlight }) => inFlight === 1));
    await eventually(async () => (await engines()).some(({ answerTokens }) => answerTokens > 20));
    left.abort();
    await running;
    await eventually(async () => (await engines()).every(({ inFlight }) => inFlight === 0));
    const before = await engines();
    const response = await post(proxy.url + path, { ...endless, max_tokens: 200 });
    expect(response.end).toBe("whole");
    await eventually(async () => (await engines()).every(({ inFlight }) => inFlight === 0));
    const after = await engines();
    const learned = after.filter(
      ({ engine, serviceMs }, i) =>
        names(decodes).includes(engine) && serviceMs !== before[i]!.serviceMs,
    );
    expect(learned).toHaveLength(1);
    expect(learned[0]!.firstByteMs).toBeLessThan(learned[0]!.serviceMs!);
    const text = (await ask(`${admin}/admin/metrics`)).body;
    const pattern = /^global_proxy_engine_up\{pool="decode",engine="127\.0\.0\.1:\d+"\} 1$/gm;
    expect(text.match(pattern)).toHaveLength(2);
    expect(text).toMatch(
      /^global_proxy_requests_total\{[^}]*outcome="GP_OK",status="200"\} [1-9]\d*$/m,
    );
    expect(text).toMatch(/^global_proxy_engine_ejected\{pool="decode",[^}]*\} 0$/m);
    expect(text).toMatch(/cache_knowledge\{pool="prefill",[^}]*state="approximate"\} 1/);
    expect(text).not.toMatch(/cache_knowledge\{pool="decode"/);
    expect(await reported("/admin/health")).toEqual({
      status: "ok",
      workers: { alive: workers, configured: workers },
    });
  });

  test("streams that are left take their tokens with them", async () => {
    const left = new AbortController();
    const body = { prompt: "left ".repeat(100), max_tokens: 4_000, stream: true };
    const answers = [1, 2, 3, 4].map(() => post(proxy.url + path, body, { signal: left.signal }));
    const sum = async (field: "promptTokens" | "answerTokens") =>
      (await engines()).reduce((total, engine) => total + engine[field], 0);
    await eventually(async () => (await sum("answerTokens")) > 50);
    expect(await sum("promptTokens")).toBeGreaterThan(400);
    left.abort();
    await Promise.all(answers);
    await eventually(async () => (await sum("answerTokens")) + (await sum("promptTokens")) === 0);
  });

  test("clients do not reach it; unknown paths and methods are errors", async () => {
    expect((await ask(`${proxy.url}/admin/health`)).status).toBe(404);
    expect((await ask(`${admin}/v1/models`)).status).toBe(404);
    const posted = await ask(`${admin}/admin/health`, { method: "POST", body: "{}" });
    expect(posted.status).toBe(405);
    expect(JSON.parse(posted.body)).toMatchObject({ error: { code: "method_not_allowed" } });
    const broadcast = { method: "POST", body: '{"pool":"decode","path":"/flush_cache"}' };
    const refused = await ask(`${admin}/admin/engines/broadcast`, broadcast);
    expect(refused.status).toBe(403);
    expect(JSON.parse(refused.body)).toMatchObject({ error: { code: "read_only" } });
    const led = await ask(`${admin}/admin/engines`, { headers: { host: "evil.example" } });
    expect(led.status).toBe(403);
  });

  test("a reload moves it, keeps it where it is in use, and takes it away", async () => {
    const [free] = (await freePorts(1)) as [number];
    const { command, port } = proxy;
    const reload = async (text: string, says: RegExp) => {
      stack.write(`${port}.yaml`, text);
      const before = command.stderr.length;
      command.signal("SIGHUP");
      await eventually(async () => says.test(command.stderr.slice(before)));
    };
    await reload(textFor(port, `${port}`), /a server for clients listens on/);
    await reload(textFor(port, `${prefills[0]!.port}`), /admin failed.*in use/);
    expect((await ask(`${admin}/admin/health`)).status).toBe(200);
    await reload(textFor(port, `${free}`), /configuration is in force/);
    expect((await ask(`http://127.0.0.1:${free}/admin/health`)).status).toBe(200);
    expect((await ask(`${admin}/admin/health`)).error).toBe("ECONNREFUSED");
    await reload(textFor(port, "0").replace(/admin: .*\n/, ""), /configuration is in force/);
    expect((await ask(`http://127.0.0.1:${free}/admin/health`)).error).toBe("ECONNREFUSED");
    expect((await post(proxy.url + path, { prompt: "still served" })).status).toBe(200);
  });
});

test.each(runtimes)("on %s, an address that cannot be had ends the start", async (runtime) => {
  const stack = new Stack(runtime);
  const [prefill, decode] = [
    (await stack.startEngines("prefill", 1))[0]!,
    (await stack.startEngines("decode", 1))[0]!,
  ];
  const start = (address: string) =>
    stack.run(
      "--prefill",
      prefill.url,
      "--decode",
      decode.url,
      "--listen",
      "127.0.0.1:0",
      "--admin",
      address,
    );
  const taken = start(`127.0.0.1:${prefill.port}`);
  expect(taken.code).toBe(1);
  expect(taken.stderr).toMatch(/bind\(\) to 127\.0\.0\.1:\d+ for admin failed \(.*in use\)/);
  const wrong = start("localhost:nine");
  expect(wrong.code).toBe(1);
  expect(wrong.stderr).toContain('invalid address "localhost:nine" for --admin');
  await stack.end();
});
