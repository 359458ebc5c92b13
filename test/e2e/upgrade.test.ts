/**
 * An upgrade under load loses nothing: no connection, no request on a connection that was to stay, no stream; and a new
 * process that cannot serve changes nothing.
 */
import { existsSync, readFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { PoolReport } from "../../src/control/admin/engines.ts";
import { systemClock } from "../../src/simulated-engine/clock.ts";
import { ProxyRegistration } from "../../src/simulated-engine/dialects/shared/proxy-registration.ts";
import { adminOf } from "../support/admin.ts";
import type { RunningCommand } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";
import { ask, post } from "../support/http-client.ts";
import { Load } from "../support/load.ts";
import { pdYaml } from "../support/pd-yaml.ts";
import { freePorts } from "../support/ports.ts";
import { bunAndOneNode, sharesPorts } from "../support/runtimes.ts";
import { type Engine, Stack, totals } from "../support/stack.ts";
import { scaled } from "../support/times.ts";

const path = "/v1/completions";

describe.each(bunAndOneNode("upgrade"))("on %s", (runtime) => {
  const stack = new Stack(runtime);
  const pidFile = join(stack.folder, "proxy.pid");
  const unixPath = join(stack.folder, "proxy.sock");
  const pids = new Set<number>();
  let prefills: Engine[];
  let decodes: Engine[];
  let oracle: string;
  let port: number;
  let adminPort: number;
  let registrationPort: number;

  beforeAll(async () => {
    prefills = await stack.startEngines("prefill", 1);
    const slow = ["--prefill-tokens-per-second", "0", "--itl-ms", "3", "--batch-penalty-ms", "0"];
    decodes = await stack.startEngines("decode", 2, slow);
    oracle = (await stack.startEngines("mixed", 1))[0]!.url;
    const ports = (await freePorts(3)) as [number, number, number];
    [port, adminPort, registrationPort] = ports;
  });
  afterEach(() => {
    // Those that upgrades have started are no children of this process.
    for (const pid of pids) if (isRunning(pid)) process.kill(pid, "SIGKILL");
    pids.clear();
  });
  afterAll(() => stack.end());

  function write({ workers = 1, more = "", registrations = registrationPort } = {}): string {
    const top = `pidFile: ${pidFile}
errorLog: { level: notice }
admin: { port: ${adminPort} }
workers: ${workers}
${more}
registrations:
  - { zmq: "tcp://127.0.0.1:${registrations}", prefill: prefill, decode: decode, timeoutMs: 3600000 }`;
    // The other decode engine registers.
    const decode = { engines: decodes.slice(0, 1) };
    const yaml = pdYaml({ port, top, prefill: { engines: prefills }, decode });
    const listen = `listen: [{ unixPath: ${unixPath} }, `;
    return stack.write("proxy.yaml", yaml.replace("listen: [", listen));
  }

  function currentPid(): number {
    const pid = Number(readFileSync(pidFile, "utf8"));
    pids.add(pid);
    return pid;
  }

  async function serve(file: string): Promise<RunningCommand> {
    const command = stack.start("-c", file);
    await command.saysError(/listening on/);
    expect(currentPid()).toBe(command.pid);
    return command;
  }

  /** Runs `-s upgrade`; resolves with the new pid when the old process has finished its requests. */
  async function upgrade(file: string): Promise<number> {
    const old = currentPid();
    const sender = stack.start("-s", "upgrade", "-c", file);
    expect([await sender.exited, sender.stderr]).toEqual([0, expect.stringMatching(/serves; /)]);
    const pid = currentPid();
    expect(pid).not.toBe(old);
    await eventually(() => !isRunning(old));
    expect(existsSync(`${pidFile}.oldbin`)).toBe(false);
    return pid;
  }

  test("two upgrades, to more workers and back: each request gets its response", async () => {
    const shared = sharesPorts(runtime) ? 3 : 1;
    const file = write();
    const command = await serve(file);
    const admin = await adminOf({ command });
    const url = `http://127.0.0.1:${port}`;
    const decodeEngines = async () => {
      const { pools } = JSON.parse((await ask(`${admin}/admin/engines`)).body) as {
        pools: PoolReport[];
      };
      return pools.find(({ pool }) => pool === "decode")!.engines.length;
    };
    const registration = register(registrationPort, decodes[1]!);
    await eventually(async () => (await decodeEngines()) === 2);
    registration.close();
    const load = await Load.start(url, oracle, { clients: 8, maxTokens: 30 });
    const long = post(url + path, { prompt: "long", stream: true, max_tokens: scaled(100) });
    try {
      for (const workers of [shared, 1]) {
        await load.more(20);
        write({ workers });
        await upgrade(file);
        const { body } = await ask(`${admin}/admin/live`);
        expect(JSON.parse(body)).toMatchObject({ workers: { alive: workers } });
        expect(await decodeEngines()).toBe(2);
        expect(await askUnix(unixPath)).toBe(200);
      }
      await load.more(20);
    } finally {
      const { wrong, cut, failed, right } = await load.stop();
      expect({ wrong, cut, failed }).toEqual({ wrong: [], cut: 0, failed: 0 });
      expect(right).toBeGreaterThan(60);
    }
    expect(await long).toMatchObject({ status: 200, end: "whole" });
    expect(totals(await stack.settled())).toMatchObject({ violations: 0, expired: 0 });
    expect(command.stderr).not.toMatch(/\[(error|alert|emerg)\]/);
    const last = currentPid();
    process.kill(last, "SIGTERM");
    await eventually(() => !isRunning(last));
    expect([existsSync(unixPath), existsSync(pidFile)]).toEqual([false, false]);
  });

  test("a new process that cannot serve leaves the old one as it was, one that ends gives back", async () => {
    const file = write();
    const command = await serve(file);
    const says = (pattern: RegExp) => command.saysError(pattern);
    const url = `http://127.0.0.1:${port}`;
    write({ more: "no_such_key: 1" });
    command.signal("SIGUSR2");
    await says(
      /\[error\] .*the upgrade failed: process \d+ ended \(code 1\); this process serves on/,
    );
    write({ registrations: prefills[0]!.port });
    const sender = stack.start("-s", "upgrade", "-c", file);
    expect(await sender.exited).toBe(1);
    expect(sender.stderr).toMatch(
      /\[error\] the new process did not come up: process \d+ serves on/,
    );
    expect([currentPid(), existsSync(`${pidFile}.oldbin`)]).toEqual([command.pid, false]);
    expect((await post(url + path, { prompt: "a", max_tokens: 1 })).status).toBe(200);

    // Back to the old one, before that was told to quit.
    write();
    command.signal("SIGUSR2");
    const [, heir] = await says(/process (\d+) serves with the sockets of this one/);
    await eventually(() => existsSync(pidFile) && currentPid() === Number(heir));
    process.kill(Number(heir), "SIGQUIT");
    await says(/\[alert\] .*this process serves alone again/);
    expect([currentPid(), existsSync(`${pidFile}.oldbin`)]).toEqual([command.pid, false]);
    const admin = await adminOf({ command });
    await eventually(async () => (await ask(`${admin}/admin/live`)).status === 200);
    expect((await post(url + path, { prompt: "b", max_tokens: 1 })).status).toBe(200);
    expect(await askUnix(unixPath)).toBe(200);
    command.signal("SIGTERM");
    expect(await command.exited).toBe(0);
  });
});

/** Pings as an engine does that knows the proxy's address. */
function register(port: number, engine: Engine): ProxyRegistration {
  const to = { proxy: `127.0.0.1:${port}`, pingMs: 50 };
  const [http_address, zmq_address] = [`127.0.0.1:${engine.port}`, "127.0.0.1:21001"];
  const registration = new ProxyRegistration(to, systemClock, () => {
    return { type: "D", http_address, zmq_address };
  });
  registration.start();
  return registration;
}

/** A zombie runs no more: nobody waits here for what an upgrade has started. */
function isRunning(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

/** The status of a completion that is asked for over a unix socket. */
function askUnix(socketPath: string): Promise<number> {
  const headers = { "content-type": "application/json" };
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { socketPath, path, method: "POST", headers, agent: false },
      (response) => {
        response.resume().once("end", () => resolve(response.statusCode ?? 0));
      },
    );
    outgoing.once("error", reject).end(JSON.stringify({ prompt: "unix", max_tokens: 1 }));
  });
}
