/** Engines come, go and drain under load: no request is lost, no KV cache stays held, and what is out gets nothing new. */
import { renameSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { EngineReport, PoolReport } from "../../src/control/admin/engines.ts";
import { adminOf } from "../support/admin.ts";
import { eventually } from "../support/eventually.ts";
import { ask } from "../support/http-client.ts";
import { Load } from "../support/load.ts";
import { bunAndOneNode } from "../support/runtimes.ts";
import { type Engine, type ServingProxy, Stack, totals } from "../support/stack.ts";
import { scaled } from "../support/times.ts";

const headers = { authorization: "Bearer secret" };
/** Long enough for a drain to meet them; slow enough for them to be few while a test waits for something else. */
const slow = ["--prefill-tokens-per-second", "0", "--batch-penalty-ms", "0", "--itl-ms", "10"];

describe.each(bunAndOneNode("discovery"))("on %s", (runtime) => {
  let stack: Stack;
  let prefills: Engine[];
  let decodes: Engine[];
  let oracle: string;
  let proxy: ServingProxy;
  let admin: string;
  let file: string;

  beforeEach(async () => {
    stack = new Stack(runtime);
    [prefills, decodes] = await Promise.all([
      stack.startEngines("prefill", 3),
      stack.startEngines("decode", 3, slow),
    ]);
    oracle = (await stack.startEngines("mixed", 1))[0]!.url;
    const token = stack.write("token", "secret");
    list("prefill", prefills);
    list("decode", decodes);
    const source = (pool: string) => `sources: [{ file: ${stack.folder}/${pool}, pollMs: 50 }]`;
    proxy = await stack.serve(
      (port) => `
admin: { port: 0, token: { file: ${token} } }
errorLog: { level: notice }
pools:
  prefill: { policy: { name: length_balance }, ejection: { lateMs: 0 }, ${source("prefill")} }
  decode: { policy: { name: least_conn }, ejection: { lateMs: 0 }, ${source("decode")} }
servers:
  - listen: [{ host: 127.0.0.1, port: ${port} }]
    routes: [{ match: { path: /v1 }, prefill: { pool: prefill }, target: { pool: decode } }]
`,
    );
    file = `${stack.folder}/${proxy.port}.yaml`;
    admin = await adminOf(proxy);
  });
  afterEach(() => stack.end());

  const nameOf = ({ port }: Engine) => `127.0.0.1:${port}`;
  /** As a tool does it that cares. */
  function list(pool: string, engines: readonly Engine[]): void {
    const text = JSON.stringify([{ targets: engines.map(nameOf), labels: { job: "llm" } }]);
    renameSync(stack.write(`${pool}.new`, text), `${stack.folder}/${pool}`);
  }

  const enginesOf = async (pool: string): Promise<readonly EngineReport[]> => {
    const { body } = await ask(`${admin}/admin/pools/${pool}/engines`, { headers });
    return (JSON.parse(body) as PoolReport).engines;
  };
  const stateOf = async (engine: Engine) =>
    (await enginesOf(engine.role)).find((one) => one.engine === nameOf(engine))?.state;
  const seenBy = async (engines: readonly Engine[]) =>
    (await Promise.all(engines.map((engine) => engine.state()))).map((one) => one.requestsSeen);
  const drain = (engine: Engine, verb = "drain") =>
    ask(`${admin}/admin/pools/${engine.role}/engines/${nameOf(engine)}/${verb}`, {
      method: "POST",
      headers,
    });

  /** All are right, and nothing is left. */
  async function expectClean(load: Load, least: number): Promise<void> {
    const { wrong, cut, right, failed } = await load.stop();
    expect({ wrong, cut, failed }).toEqual({ wrong: [], cut: 0, failed: 0 });
    expect(right).toBeGreaterThanOrEqual(least);
    const sums = totals(await stack.settled());
    expect(sums).toMatchObject({ recomputed: 0, violations: 0, expired: 0 });
    await eventually(async () =>
      [...(await enginesOf("prefill")), ...(await enginesOf("decode"))].every(
        ({ kvOpen, inFlight }) => kvOpen + inFlight === 0,
      ),
    );
  }

  test("an engine of each pool goes and comes, again and again, by a file", async () => {
    const load = await Load.start(proxy.url, oracle, { clients: 6, maxTokens: 20 });
    for (const [turn, out] of [0, 1, 2, 0, 1].entries()) {
      const gone = [prefills[out]!, decodes[(out + turn) % 3]!];
      const rest = (engines: readonly Engine[]) => engines.filter((one) => !gone.includes(one));
      list("prefill", rest(prefills));
      list("decode", rest(decodes));
      // Those that are at work are shown until they have done it.
      await eventually(async () =>
        (await Promise.all(gone.map(stateOf))).every((state) => state === undefined),
      );
      const before = await seenBy(gone);
      await load.more(10);
      expect(await seenBy(gone)).toEqual(before);
      list("prefill", prefills);
      list("decode", decodes);
      await eventually(async () =>
        (await Promise.all(gone.map(stateOf))).every((state) => state === "healthy"),
      );
      await load.more(6);
    }
    await expectClean(load, 80);
  });

  test("engines that drain in the midst of their work finish it, and get nothing new until they are undrained", async () => {
    const load = await Load.start(proxy.url, oracle, { clients: 8, maxTokens: 60 });
    await load.more(12);
    const drained = [prefills[0]!, decodes[0]!];
    for (const engine of drained) {
      const { status, body } = await drain(engine);
      expect(status).toBe(200);
      expect(JSON.parse(body)).toMatchObject({ engines: [{ state: "draining" }] });
    }
    const words = ["--admin", admin, "--token-file", `${stack.folder}/token`];
    for (const engine of drained) {
      const waits = stack.start("drain", nameOf(engine), ...words, "--wait");
      expect(await waits.exited, waits.stderr).toBe(0);
      expect(waits.stdout).toContain("nothing in flight any more");
    }
    const before = await seenBy(drained);
    const { held, running, waiting } = await drained[0]!.state();
    expect({ held, running, waiting }).toEqual({ held: 0, running: 0, waiting: 0 });
    await load.more(16);
    expect(await seenBy(drained)).toEqual(before);
    // A reload, engines that come and go, and another process change nothing of it.
    proxy.command.signal("SIGHUP");
    await proxy.command.saysError(/the new configuration is in force/);
    list("decode", decodes.slice(0, 2));
    await eventually(async () => (await stateOf(decodes[2]!)) === undefined);
    list("decode", decodes);
    await eventually(async () => (await stateOf(decodes[2]!)) === "healthy");
    expect(await Promise.all(drained.map(stateOf))).toEqual(["draining", "draining"]);
    await load.more(8);
    expect(await seenBy(drained)).toEqual(before);
    for (const engine of drained) {
      const back = stack.start("undrain", nameOf(engine), ...words);
      expect(await back.exited).toBe(0);
    }
    await eventually(async () => (await seenBy(drained)).every((seen, i) => seen > before[i]!));
    await expectClean(load, 40);
  });

  test("what operators drain and add is kept by the process that takes over", async () => {
    const [added] = (await stack.startEngines("decode", 1, slow)) as [Engine];
    list("decode", decodes.slice(0, 1));
    const post = await ask(`${admin}/admin/pools/decode/engines`, {
      method: "POST",
      headers,
      body: JSON.stringify({ url: added.url, maxConns: 9 }),
    });
    expect(post.status).toBe(202);
    await eventually(async () => (await stateOf(added)) === "healthy");
    expect((await drain(decodes[0]!)).status).toBe(200);
    const load = await Load.start(proxy.url, oracle, { clients: 4, maxTokens: 20 });
    await load.more(8);
    const admins = () => proxy.command.stderr.match(/the admin pages are at/g)!.length;
    expect(admins()).toBe(1);
    const upgrade = stack.start("-s", "upgrade", "-c", file);
    expect(await upgrade.exited, upgrade.stderr).toBe(0);
    const before = await seenBy([added, decodes[0]!]);
    await load.more(16);
    const [now, drained] = await seenBy([added, decodes[0]!]);
    expect(now).toBeGreaterThan(before[0]!);
    expect(drained).toBe(before[1]);
    expect((await load.stop()).failed).toBe(0);
    // The new process is not this test's child.
    const pid = Number(/process (\d+) serves/.exec(upgrade.stderr)![1]);
    process.kill(pid, "SIGTERM");
    await eventually(async () => (await ask(proxy.url)).error === "ECONNREFUSED");
  });

  test("a file that is half written, wrong or gone changes nothing, and an empty list is obeyed", async () => {
    const before = (await enginesOf("decode")).length;
    stack.write("decode", '[{"targets": ["127.0.0.1:1", ');
    await proxy.command.saysError(/decode:1:\d+; pool "decode" keeps its 3 engines/);
    stack.write("decode", "- { url: 127.0.0.1:1, wieght: 3 }");
    await proxy.command.saysError(/unknown key "wieght".*decode:1:\d+ .*did you mean "weight"/);
    renameSync(`${stack.folder}/decode`, `${stack.folder}/away`);
    await proxy.command.saysError(/decode" failed \(2: No such file or directory\)/);
    expect(await enginesOf("decode")).toHaveLength(before);
    stack.write("decode", "[]");
    await eventually(async () => (await enginesOf("decode")).length === 0);
    expect(proxy.command.stderr).toMatch(/\[warn\].*has 0 engines now: 3 less/);
  });

  test(
    "an engine that drains elsewhere ends the wait with its own code",
    async () => {
      const load = await Load.start(proxy.url, oracle, { clients: 4, maxTokens: 600 });
      await eventually(async () => (await enginesOf("decode")).every((one) => one.inFlight > 0));
      const words = ["--admin", admin, "--token-file", `${stack.folder}/token`];
      const waits = stack.start("drain", nameOf(decodes[1]!), ...words, "--wait", "--timeout", "0");
      expect(await waits.exited).toBe(3);
      const wrong = stack.run("drain", "127.0.0.1:1", ...words);
      expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining("the engines are")]);
      const refused = stack.run("drain", nameOf(decodes[1]!), "--admin", admin);
      expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining("token")]);
      expect((await load.stop()).failed).toBe(0);
    },
    scaled(60_000),
  );
});
