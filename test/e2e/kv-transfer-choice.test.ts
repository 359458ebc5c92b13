/** Which requests are prefilled elsewhere, by which dialect, on which rank: configured, detected, or none. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { ask, post } from "../support/http-client.ts";
import { pdYaml } from "../support/pd-yaml.ts";
import { freePorts } from "../support/ports.ts";
import { oneRuntime } from "../support/runtimes.ts";
import { type Engine, instant, Stack, totals } from "../support/stack.ts";

const path = "/v1/completions";
const bodyOf = (prompt: string) => JSON.stringify({ prompt, max_tokens: 8, temperature: 0 });
const textOf = (body: string) =>
  (JSON.parse(body) as { choices: { text: string }[] }).choices[0]!.text;
const long = "a prompt that is worth it ".repeat(50);

describe.each(oneRuntime("kv-transfer-choice"))("on %s", (runtime) => {
  const stack = new Stack(runtime);
  let prefill: Engine;
  let decode: Engine;
  let oracle: Engine;
  const nixl = [...instant, "--dialect", "vllm-nixl"];

  beforeAll(async () => {
    [prefill] = (await stack.startEngines("prefill", 1, nixl)) as [Engine];
    [decode] = (await stack.startEngines("decode", 1, nixl)) as [Engine];
    [oracle] = (await stack.startEngines("mixed", 1)) as [Engine];
  });
  afterAll(() => stack.end());

  const responseTo = async (url: string, prompt: string) => post(url + path, bodyOf(prompt));
  const truth = async (prompt: string) => textOf((await responseTo(oracle.url, prompt)).body);
  const prefills = async () => (await prefill.state()).stored;

  test("auto responds 503 until the dialect is detected, logs it, and then transfers KV", async () => {
    const [port] = (await freePorts(1)) as [number];
    const proxy = await stack.serve((listen) =>
      pdYaml({
        port: listen,
        prefill: { engines: [prefill] },
        decode: { engines: [{ url: `http://127.0.0.1:${port}` }] },
        route: ", dialect: auto",
        top: "errorLog: { level: notice }",
      }),
    );
    const early = await responseTo(proxy.url, long);
    expect(early.status).toBe(503);
    expect(early.body).toContain("GP_DIALECT_UNKNOWN");
    await stack.startEngine("decode", port, nixl);
    await proxy.command.saysError(/"vllm-nixl" is assumed/);
    const before = await prefills();
    await eventually(async () => (await responseTo(proxy.url, long)).status === 200);
    expect(textOf((await responseTo(proxy.url, long)).body)).toBe(await truth(long));
    expect(await prefills()).toBeGreaterThan(before);
    expect(totals(await stack.settled()).recomputed).toBe(0);
    proxy.command.signal("SIGHUP");
    await proxy.command.saysError(/the new configuration is in force/);
    // What was found is not looked for again.
    expect((await responseTo(proxy.url, long)).status).toBe(200);
  });

  test("auto detects the dialect and the attributes that it needs, with nothing configured", async () => {
    const [kvPort, ...ports] = (await freePorts(3)) as [number, number, number];
    const sglang = [...instant, "--dialect", "sglang"];
    const engines = await Promise.all([
      stack.startEngine("prefill", ports[0]!, [...sglang, "--kv-port", `${kvPort}`]),
      stack.startEngine("decode", ports[1]!, sglang),
    ]);
    const proxy = await stack.serve((port) =>
      pdYaml({
        port,
        prefill: { engines: [engines[0]] },
        decode: { engines: [engines[1]] },
        route: ", dialect: auto",
        top: "errorLog: { level: notice }",
      }),
    );
    await proxy.command.saysError(
      /dialect of pools prefill, decode: "sglang", detected by disaggregation/,
    );
    // The port of the bootstrap server comes a moment after the dialect.
    await eventually(async () => {
      await responseTo(proxy.url, long);
      const [last] = (await engines[1].requests()).slice(-1);
      return last?.body.includes(`"bootstrap_port":${kvPort}`) ?? false;
    });
    expect(textOf((await responseTo(proxy.url, long)).body)).toBe(await truth(long));
  });

  test("plain engines serve each path by themselves", async () => {
    const proxy = await stack.startProxy("--engine", oracle.url, "--listen", "127.0.0.1:0");
    expect(textOf((await responseTo(proxy.url, long)).body)).toBe(await truth(long));
    expect((await ask(`${proxy.url}/v1/models`)).status).toBe(200);
  });

  test("a prompt below the threshold goes to decode alone, and its response is the same", async () => {
    const proxy = await stack.startByFlags(
      [prefill],
      [decode],
      "--dialect",
      "vllm-nixl",
      "--prefill-min-tokens",
      "200",
    );
    const before = await prefills();
    expect(textOf((await responseTo(proxy.url, "short")).body)).toBe(await truth("short"));
    expect(await prefills()).toBe(before);
    expect(textOf((await responseTo(proxy.url, long)).body)).toBe(await truth(long));
    expect(await prefills()).toBe(before + 1);
  });

  test("without a prefill engine it is an error, unless decode may compute the prompt: that is logged", async () => {
    const [nobody] = (await freePorts(1)) as [number];
    const serve = (route: string) =>
      stack.serve((port) =>
        pdYaml({
          port,
          prefill: { engines: [{ url: `http://127.0.0.1:${nobody}` }] },
          decode: { engines: [decode] },
          route: `, dialect: vllm-nixl${route}`,
          top: "errorLog: { level: warn }",
        }),
      );
    const refused = await responseTo((await serve("")).url, long);
    expect([refused.status, refused.body]).toEqual([502, expect.stringContaining("GP_PREFILL_")]);
    const lenient = await serve(", onPrefillFailure: decode_only");
    const answered = await responseTo(lenient.url, `${long} again`);
    expect(textOf(answered.body)).toBe(await truth(`${long} again`));
    await lenient.command.saysError(
      /no prefill: decode computes the prompt; see why .*, request: /,
    );
    const [last] = (await decode.requests()).slice(-1);
    expect(last!.body).not.toContain("kv_transfer_params");
  });

  test("each rank of an address gets its share, by a header that a client cannot set", async () => {
    const engine = (await stack.startEngines("mixed", 1))[0]!;
    const url = `${engine.url}@0-1`;
    const proxy = await stack.startProxy("--engine", url, "--listen", "127.0.0.1:0");
    for (let i = 0; i < 8; i += 1) {
      const headers = { "content-type": "application/json", "X-Data-Parallel-Rank": "7" };
      await ask(proxy.url + path, { method: "POST", headers, body: bodyOf(`ranked ${i}`) });
    }
    const ranks = (await engine.requests())
      .filter((request) => request.path === path)
      .map(({ rawHeaders }) =>
        rawHeaders.filter((_, i) => /^x-data-parallel-rank$/i.test(rawHeaders[i - 1] ?? "")),
      );
    expect(ranks).toHaveLength(8);
    expect(ranks.every((values) => values.length === 1)).toBe(true);
    expect(new Set(ranks.flat())).toEqual(new Set(["0", "1"]));
  });
});
