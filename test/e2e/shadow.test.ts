/**
 * A second policy on live traffic: operators are told what it would have done by all workers together, and requests go
 * where they went.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ShadowReport } from "../../src/pool/shadow.ts";
import { adminOf } from "../support/admin.ts";
import { runCommand } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";
import { ask, post } from "../support/http-client.ts";
import { pdYaml } from "../support/pd-yaml.ts";
import { workerCasesInTurn } from "../support/runtimes.ts";
import { type Engine, type ServingProxy, Stack } from "../support/stack.ts";

const path = "/v1/completions";

const cases = workerCasesInTurn("shadow");

describe.each(cases)("on $runtime, workers: $workers", ({ runtime, workers }) => {
  const stack = new Stack(runtime);
  let prefills: Engine[];
  let proxy: ServingProxy;
  let admin: string;
  let text: string;

  beforeAll(async () => {
    prefills = await stack.startEngines("prefill", 2);
    const decodes = await stack.startEngines("decode", 2);
    proxy = await stack.serve((port) => {
      text = pdYaml({
        port,
        top: `workers: ${workers}\nadmin: { port: 0 }\nerrorLog: { level: notice }`,
        prefill: {
          engines: prefills,
          policy: "round_robin",
          pool: ", shadow: { name: session_affinity, maxLoadSkew: 100 }",
        },
        decode: { engines: decodes },
      });
      return text;
    });
    admin = await adminOf(proxy);
  });
  afterAll(() => stack.end());

  const seen = async () =>
    Promise.all(prefills.map(async (engine) => (await engine.state()).requestsSeen));
  const report = async () => {
    const { pools } = JSON.parse((await ask(`${admin}/admin/shadow`)).body);
    expect(pools).toHaveLength(1);
    return pools[0] as ShadowReport;
  };
  const send = async (count: number) => {
    const body = { prompt: "the same session ".repeat(400), user: "one", max_tokens: 2 };
    const all = Array.from({ length: count }, () => post(proxy.url + path, body));
    expect((await Promise.all(all)).map(({ status }) => status)).toEqual(Array(count).fill(200));
  };

  test("each request is followed once, by a key of its own, and goes where the first policy says", async () => {
    await send(24);
    const real = await seen();
    const reported = await report();
    expect(reported).toMatchObject({ pool: "prefill", policy: "round_robin", picks: 24 });
    expect(reported.engines.map((one) => one.real)).toEqual(real);
    const shadow = reported.engines.map((one) => one.shadow).toSorted((a, b) => a - b);
    expect(shadow).toEqual([0, 24]);
    expect(reported.differed).toBe(reported.engines.find((one) => one.shadow === 0)!.real);
    // One engine would have had all of the prompt each time but the first, in each worker.
    expect(reported.cachedTokens.shadow).toBeGreaterThan(reported.cachedTokens.real);
    expect(reported.prefillMs.shadow).toBeLessThan(reported.prefillMs.real);
  });

  test("a reload and the end log the result, and a reload starts the count again", async () => {
    const { command, port } = proxy;
    const lines = () => command.stderr.match(/shadow session_affinity of pool "prefill" would/g);
    expect(lines()).toBeNull();
    stack.write(`${port}.yaml`, text);
    command.signal("SIGHUP");
    await eventually(() => command.stderr.includes("in force"));
    expect(lines()).toHaveLength(1);
    expect(command.stderr).toMatch(
      /\[notice\].* of 24 requests \(\d+ %\) to another engine than round_robin did/,
    );
    expect((await report()).picks).toBe(0);
    await send(4);
    expect((await report()).picks).toBe(4);
    command.signal("SIGQUIT");
    expect(await command.exited).toBe(0);
    expect(lines()).toHaveLength(2);
    expect(command.stderr).toMatch(/ of 4 requests /);
  });
});

test.each(["predictive", "leest_conn", "llm_d?no=1"])("--shadow %s is rejected", (policy) => {
  const flags = ["--prefill", "a:1", "--decode", "b:1", "--shadow", policy];
  const { code, stderr } = runCommand(flags);
  expect(code).toBe(1);
  expect(stderr).toMatch(/\[emerg\].*shadow/);
});
