/**
 * What others have at an engine counts where `signals` are on: a proxy does not send to engines that another one has
 * filled.
 */
import { setMaxListeners } from "node:events";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { EngineReport, PoolReport } from "../../src/control/admin/engines.ts";
import { adminOf } from "../support/admin.ts";
import { eventually } from "../support/eventually.ts";
import { ask, post } from "../support/http-client.ts";
import { pdYaml } from "../support/pd-yaml.ts";
import { bunAndOneNode } from "../support/runtimes.ts";
import { type Engine, type ServingProxy, Stack } from "../support/stack.ts";

const path = "/v1/completions";
/** Longer than a test takes. */
const slow = ["--prefill-tokens-per-second", "0", "--itl-ms", "40", "--batch-penalty-ms", "0"];

describe.each(bunAndOneNode("signals"))("on %s", (runtime) => {
  const stack = new Stack(runtime, { ownProcesses: true });
  let prefills: Engine[];
  let decodes: Engine[];
  let other: ServingProxy;

  beforeAll(async () => {
    prefills = await stack.startEngines("prefill", 1);
    decodes = await stack.startEngines("decode", 2, slow);
    other = await stack.startByFlags(prefills, decodes.slice(0, 1));
  });
  afterAll(() => stack.end());

  async function serve(signals: string) {
    const proxy = await stack.serve((port) =>
      pdYaml({
        port,
        top: "admin: { port: 0 }\nerrorLog: { level: notice }",
        prefill: { engines: prefills },
        decode: { engines: decodes, policy: "llm_d", pool: signals },
      }),
    );
    const admin = await adminOf(proxy);
    const engines = async (): Promise<readonly EngineReport[]> => {
      const { body } = await ask(`${admin}/admin/engines`);
      const { pools } = JSON.parse(body) as { pools: PoolReport[] };
      return pools.find(({ pool }) => pool === "decode")!.engines;
    };
    return { ...proxy, engines };
  }

  /** Streams that last, until they are left. */
  function streams(url: string, count: number, maxTokens: number) {
    const left = new AbortController();
    setMaxListeners(count, left.signal);
    const answers = Array.from({ length: count }, (_, i) =>
      post(
        url + path,
        { prompt: `one ${i}`, stream: true, max_tokens: maxTokens },
        { signal: left.signal },
      ),
    );
    return { answers, leave: () => left.abort() };
  }

  const running = async () =>
    Promise.all(decodes.map(async (engine) => (await engine.state()).running));

  test("12 streams of another proxy at one engine: this one's go to the other, and evenly without signals", async () => {
    const foreign = streams(other.url, 12, 4_000);
    await eventually(async () => (await running())[0] === 12);

    const blind = await serve("");
    const without = streams(blind.url, 8, 4_000);
    await eventually(async () => (await running()).reduce((sum, count) => sum + count) === 20);
    expect(await running()).toEqual([16, 4]);
    without.leave();
    await Promise.all(without.answers);
    await eventually(async () => (await running()).join() === "12,0");
    blind.command.signal("SIGTERM");

    const seeing = await serve(", signals: { intervalMs: 50 }");
    await eventually(async () => (await seeing.engines())[0]!.others === 12);
    const own = streams(seeing.url, 8, 4_000);
    await eventually(async () => (await running()).reduce((sum, count) => sum + count) === 20);
    expect(await running()).toEqual([12, 8]);
    // One's own streams are not taken for those of others.
    await eventually(async () => {
      const reported = (await seeing.engines()).map(({ others, inFlight }) => [others, inFlight]);
      return JSON.stringify(reported) === "[[12,0],[0,8]]";
    });
    foreign.leave();
    await eventually(async () => (await seeing.engines())[0]!.others === 0);
    own.leave();
    await Promise.all([...foreign.answers, ...own.answers]);
    seeing.command.signal("SIGTERM");
  });

  test("an engine that stops reporting is logged once, and counts by the requests sent there", async () => {
    const proxy = await serve(", signals: { intervalMs: 50, path: /metrics }");
    const engine = decodes[1]!;
    await eventually(async () => (await proxy.engines())[1]!.signal === "live");
    await engine.kill();
    await proxy.command.saysError(/does not report its load/);
    await eventually(async () => {
      const [first, second] = await proxy.engines();
      return first!.signal === "live" && second!.signal === "dead";
    });
    await engine.startAgain();
    await proxy.command.saysError(/reports its load again/);
    expect((await proxy.engines())[1]).toMatchObject({ signal: "live", others: 0 });
    expect(proxy.command.stderr.match(/does not report its load/g)).toHaveLength(1);
    proxy.command.signal("SIGTERM");
  });
});
