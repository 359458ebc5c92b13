/**
 * A process without descriptors takes no clients: it does not spin or end, operators reach it, and it serves again when
 * there are some.
 */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { adminOf } from "../support/admin.ts";
import { eventually } from "../support/eventually.ts";
import { ask, post } from "../support/http-client.ts";
import { plainYaml } from "../support/pd-yaml.ts";
import { bunAndOneNode } from "../support/runtimes.ts";
import { type Engine, Stack } from "../support/stack.ts";

const hasPrlimit = spawnSync("prlimit", ["--version"]).status === 0;

describe.skipIf(!hasPrlimit).each(bunAndOneNode("descriptors"))("on %s", (runtime) => {
  const stack = new Stack(runtime);
  let engines: Engine[];

  beforeAll(async () => {
    engines = await stack.startEngines("mixed", 1);
  });
  afterAll(() => stack.end());

  test("more clients than descriptors", async () => {
    const top = "admin: { port: 0 }\nerrorLog: { level: notice }";
    const proxy = await stack.serve((port) => plainYaml({ port, top, pool: { engines } }));
    const { command, url } = proxy;
    const { pid } = command;
    const admin = await adminOf(proxy);
    const complete = () => post(`${url}/v1/completions`, { prompt: "a", max_tokens: 1 });
    expect((await complete()).status).toBe(200);
    // The limit falls while it runs: what it was fitted to at the start does not help.
    const files = readdirSync(`/proc/${pid}/fd`).length + 20;
    spawnSync("prlimit", ["--pid", `${pid}`, `--nofile=${files}:`]);
    const clients: Socket[] = [];
    for (let i = 0; i < 60; i += 1) {
      const client = connect(proxy.port, "127.0.0.1");
      client.on("error", () => {});
      clients.push(client);
    }
    await command.saysError(/\[alert\] .*no file descriptor is left/);
    await eventually(() => clients.filter(({ closed }) => closed).length > 20);
    const before = cpuTicks(pid);
    await delay(1_000);
    // A loop that spins takes 100 on a machine that has nothing else to do.
    expect(cpuTicks(pid) - before).toBeLessThan(30);
    // At the moment the last descriptor may be a client's that is being closed.
    await eventually(async () => (await ask(`${admin}/admin/live`)).status === 200);
    for (const client of clients) client.destroy();
    await command.saysError(/file descriptors are left again/);
    expect((await complete()).status).toBe(200);
    expect(command.stderr).not.toContain("died");
    command.signal("SIGTERM");
    expect(await command.exited).toBe(0);
  });
});

/** Time on the processor, in hundredths of a second. */
function cpuTicks(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]!.split(" ");
  return Number(fields[11]) + Number(fields[12]);
}
