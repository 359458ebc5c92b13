/** What a worker had taken must not count for ever once it hangs or dies: places at engines, bytes, places in the queue. */
import { setMaxListeners } from "node:events";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { EngineReport, PoolReport } from "../../src/control/admin/engines.ts";
import { adminOf, waitingRequests } from "../support/admin.ts";
import { RunningCommand } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";
import { ask, post } from "../support/http-client.ts";
import { pdYaml } from "../support/pd-yaml.ts";
import { freePorts } from "../support/ports.ts";
import { environmentFor, executableOf, sharingRuntimes } from "../support/runtimes.ts";
import { type Engine, endLeases, Stack } from "../support/stack.ts";
import { scaled } from "../support/times.ts";

const path = "/v1/completions";
const cli = fileURLToPath(new URL("../support/impatient-cli.mjs", import.meta.url));

/** Computes for ever when it is to place a large prompt. */
const policy = `export const policy = {
  name: "hangs", summary: "s", when: "w", options: {},
  create: () => ({ pick: (candidates, { bytes }) => { while (bytes > 50000); return candidates.engines[0]; } }),
};`;

describe.each(sharingRuntimes)("on %s", (runtime) => {
  const stack = new Stack(runtime);
  const commands: RunningCommand[] = [];
  let prefills: Engine[];
  let decodes: Engine[];

  beforeAll(async () => {
    prefills = await stack.startEngines("prefill", 1);
    decodes = await stack.startEngines("decode", 1);
  });
  afterAll(async () => {
    for (const command of commands) await command.kill();
    await stack.end();
  });

  async function serve() {
    const [port] = (await freePorts(1)) as [number];
    const module = stack.write("hangs.mjs", policy);
    const text = pdYaml({
      port,
      top: "workers: 2\nadmin: { port: 0 }\nerrorLog: { level: notice }",
      prefill: { engines: prefills, policy: "predictive" },
      decode: { engines: decodes, policy: `custom, module: ${module}` },
    });
    const file = stack.write("proxy.yaml", text);
    const env = { ...environmentFor(runtime), GP_TEST_HANG_MS: `${scaled(1000)}` };
    const words = [cli, "-c", file];
    const command = new RunningCommand(executableOf(runtime), words, { cwd: stack.folder, env });
    commands.push(command);
    await command.saysError(/listening on/);
    return { url: `http://127.0.0.1:${port}`, command, admin: await adminOf({ command }) };
  }

  test("streams of a worker that hangs are taken back, those of the others go on", async () => {
    const { url, command, admin } = await serve();
    await decodes[0]!.setFault({ kind: "stall", chunks: 1 });
    let open = 0;
    const gone = new AbortController();
    setMaxListeners(0, gone.signal);
    const answers = Array.from({ length: 20 }, () => {
      const body = { prompt: "a".repeat(100), stream: true };
      const answer = post(url + path, body, { signal: gone.signal, onData: () => {} });
      open += 1;
      void answer.finally(() => {
        open -= 1;
      });
      return answer;
    });
    const decode = async (): Promise<EngineReport> => {
      const { pools } = JSON.parse((await ask(`${admin}/admin/engines`)).body) as {
        pools: PoolReport[];
      };
      return pools.find(({ pool }) => pool === "decode")!.engines[0]!;
    };
    await eventually(async () => (await decode()).inFlight === 20);
    const { promptBytes } = await decode();

    const hangs = post(url + path, { prompt: "a".repeat(60_000) });
    await command.saysError(/worker \d died.*it hung/);
    expect((await hangs).status).toBe(0);
    await command.saysError(/is running again/);
    await eventually(async () => (await decodes[0]!.state()).running === open);
    expect(open).toBeGreaterThan(0);
    expect(open).toBeLessThan(20);
    const left = await decode();
    expect(left.inFlight).toBe(open);
    expect(left.promptBytes).toBe((promptBytes / 20) * open);
    expect(await waitingRequests(admin, "prefill")).toBe(0);
    const metrics = (await ask(`${admin}/admin/metrics`)).body;
    expect(metrics).toContain('global_proxy_workers_replaced_total{cause="hung"} 1\n');
    expect(metrics).toContain("global_proxy_workers 2\n");

    gone.abort();
    await Promise.all(answers);
    await eventually(async () => (await decode()).inFlight === 0);
    await decodes[0]!.clearFaults();
    await endLeases(stack.engines);
    for (let count = 0; count < 8; count += 1) {
      expect((await post(url + path, { prompt: "b" })).status).toBe(200);
    }
  });
});
