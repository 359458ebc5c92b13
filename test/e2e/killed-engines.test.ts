/**
 * An engine that dies takes no client with it while another lives; what was cut looks cut; a new life gets traffic
 * again.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openRaw, postBytes } from "../simulated-engine/raw-client.ts";
import { eventually } from "../support/eventually.ts";
import { ask, post } from "../support/http-client.ts";
import { Load } from "../support/load.ts";
import { pdYaml } from "../support/pd-yaml.ts";
import { bunAndOneNode } from "../support/runtimes.ts";
import { type Engine, endLeases, instant, Stack, totals } from "../support/stack.ts";

const path = "/v1/completions";
const noPrefillTime = ["--prefill-tokens-per-second", "0", "--batch-penalty-ms", "0"];

describe.each(bunAndOneNode("killed-engines"))("on %s", (runtime) => {
  const stack = new Stack(runtime, { ownProcesses: true });
  let prefills: Engine[];
  let decodes: Engine[];
  let oracle: Engine;
  let url: string;

  beforeAll(async () => {
    prefills = await stack.startEngines("prefill", 2);
    decodes = await stack.startEngines("decode", 2, [...noPrefillTime, "--itl-ms", "4"]);
    [oracle] = (await stack.startEngines("mixed", 1)) as [Engine];
    url = await serve(prefills, decodes);
  });
  afterAll(() => stack.end());

  /** @param more further keys of each decode engine */
  async function serve(
    prefill: readonly Engine[],
    decode: readonly Engine[],
    more: readonly string[] = [],
  ): Promise<string> {
    const keys = ", failTimeoutMs: 300";
    const withMore = (index: number) => keys + (more[index] ?? "");
    const pools = {
      prefill: { engines: prefill, keys },
      decode: { engines: decode, keys: withMore },
    };
    return (await stack.serve((port) => pdYaml({ port, ...pools }))).url;
  }

  const seenBy = async (engine: Engine) => (await engine.state()).requestsSeen;

  test("under load, one after the other and two at once", async () => {
    const load = await Load.start(url, oracle.url, { clients: 8, maxTokens: 30 });
    const rounds = [[prefills[0]!], [decodes[0]!], [prefills[1]!, decodes[1]!]];
    try {
      await load.more(20);
      for (const victims of rounds) {
        await Promise.all(victims.map((victim) => victim.kill()));
        await load.more(16);
        await Promise.all(victims.map((victim) => victim.startAgain()));
        for (const victim of victims) await eventually(async () => (await seenBy(victim)) > 0);
        await load.turnover();
      }
    } finally {
      const { wrong, failed, right, cut } = await load.stop();
      expect({ wrong, failed }).toEqual({ wrong: [], failed: 0 });
      expect(right).toBeGreaterThan(40);
      // Only what had begun to stream at one of the two dead decode engines may be cut.
      expect(cut).toBeLessThanOrEqual(2 * 8);
    }
    // KV whose decode engine was killed is never fetched.
    expect(totals(await endLeases(stack.engines))).toMatchObject({ violations: 0 });
  });

  test("a stream that has begun ends broken, without [DONE], in HTTP/1.1 and 1.0", async () => {
    const slow = await stack.startEngines("decode", 2, [...noPrefillTime, "--itl-ms", "50"]);
    const at = await serve(prefills, slow);
    const body = { prompt: "Hello", stream: true, max_tokens: 2_000 };
    let begun = () => {};
    const first = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const modern = post(at + path, body, { onData: () => begun() });
    await first;
    const old = await openRaw(at);
    old.socket.write(postBytes(path, body).replace("HTTP/1.1", "HTTP/1.0"));
    await old.until("data: {");
    await Promise.all(slow.map((engine) => engine.kill()));
    const { end, body: part } = await modern;
    expect(end).toBe("cut");
    expect(part).toMatch(/^data: \{/);
    expect(part).not.toContain("data: [DONE]");
    // Nothing but its end frames a response in HTTP/1.0, so a clean end would be a lie.
    expect(await old.ended).toBe("ECONNRESET");
    expect(old.text()).not.toContain("data: [DONE]");
  });

  test.each([
    ["a stream of which only the head is there", { stream: true }, { kind: "stall", chunks: 0 }],
    ["an answer that is being made", { max_tokens: 100 }, undefined],
  ] as const)("%s moves to another engine, with a new prefill", async (_name, more, fault) => {
    const [victim] = await stack.startEngines("decode", 1, [...noPrefillTime, "--itl-ms", "100"]);
    const [other] = await stack.startEngines("decode", 1);
    const at = await serve(prefills, [victim!, other!], ["", ", backup: true"]);
    const body = { prompt: "Hello", ...more };
    const headers = { "x-request-id": "same" };
    const expected = await post(oracle.url + path, body, { headers });
    // The connection that will break has carried a request before, as most have.
    await post(at + path, { prompt: "Hello", max_tokens: 1 });
    const engines = [...prefills, other!];
    const before = totals(await stack.settled(engines));
    if (fault !== undefined) await victim!.setFault(fault);
    const response = post(at + path, body, { headers });
    // The KV is fetched, so that it is at no prefill engine any more.
    await eventually(async () => (await victim!.state()).remotePrefills === 2);
    await victim!.kill();
    expect(await response).toMatchObject({ status: 200, end: "whole", body: expected.body });
    const after = totals(await stack.settled(engines));
    expect(after).toMatchObject({ stored: before.stored + 2 });
    // The KV cache of the first prefill may be looked for once more, to free it.
    expect(after.recomputed).toBeLessThanOrEqual(before.recomputed + 1);
  });

  test("without engines the error says so, and restarted ones serve again", async () => {
    const [prefill] = await stack.startEngines("prefill", 1, instant);
    const [decode] = await stack.startEngines("decode", 1, instant);
    const at = await serve([prefill!], [decode!]);
    const body = { prompt: "Hello" };
    expect(await post(at + path, body)).toMatchObject({ status: 200 });
    await decode!.kill();
    const failed = await post(at + path, body);
    expect(failed).toMatchObject({ status: 502, end: "whole" });
    expect(JSON.parse(failed.body).error).toMatchObject({ code: "GP_DECODE_FAILED" });
    await prefill!.kill();
    const dead = await post(at + path, { ...body, stream: true });
    expect(dead).toMatchObject({ status: 502, end: "whole" });
    expect(JSON.parse(dead.body).error).toMatchObject({ code: "GP_PREFILL_FAILED" });
    expect(await ask(`${at}/v1/models`)).toMatchObject({ status: 502 });
    await Promise.all([prefill!.startAgain(), decode!.startAgain()]);
    await eventually(async () => (await post(at + path, body)).status === 200);
  });
});
