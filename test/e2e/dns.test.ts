/** Engines by their names in DNS, from Debian's dnsmasq: as it changes, fails, and no longer knows the name. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { EngineReport, PoolReport } from "../../src/control/admin/engines.ts";
import { adminOf } from "../support/admin.ts";
import { RunningCommand } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";
import { ask, post } from "../support/http-client.ts";
import { hasProgram } from "../support/needs.ts";
import { freePorts } from "../support/ports.ts";
import { bunAndOneNode } from "../support/runtimes.ts";
import { instant, type ServingProxy, Stack } from "../support/stack.ts";
import { scaled } from "../support/times.ts";

const keepMs = Math.ceil(scaled(500));

describe.skipIf(!hasProgram("dnsmasq")).each(bunAndOneNode("dns"))("on %s", (runtime) => {
  let stack: Stack;
  let dnsPort: number;
  let port: number;
  let dnsmasq: RunningCommand | undefined;
  let proxy: ServingProxy;
  let admin: string;

  beforeEach(async () => {
    stack = new Stack(runtime);
    [dnsPort, port] = (await freePorts(2)) as [number, number];
    // Two engines at one port, as pods are.
    for (const host of ["127.0.0.1", "127.0.0.2"]) {
      stack.start("engine", "--role", "mixed", "--host", host, "--port", `${port}`, ...instant);
      await eventually(async () => (await ask(`http://${host}:${port}/health`)).status === 200);
    }
  });
  afterEach(async () => {
    await dnsmasq?.kill();
    await stack.end();
  });

  async function startDns(names: Record<string, readonly string[]>): Promise<void> {
    setNames(names);
    dnsmasq = new RunningCommand("dnsmasq", [
      "--keep-in-foreground",
      `--port=${dnsPort}`,
      "--listen-address=127.0.0.1",
      "--bind-interfaces",
      "--no-resolv",
      "--no-hosts",
      "--conf-file=/dev/null",
      "--pid-file=",
      "--user=",
      "--log-facility=-",
      "--local=/test/",
      "--local-ttl=0",
      `--addn-hosts=${stack.folder}/hosts`,
      `--srv-host=_http._tcp.engines.test,one.test,${port},1,7`,
      `--srv-host=_http._tcp.engines.test,two.test,${port},2,9`,
    ]);
    await dnsmasq.saysError(/started, version/);
  }

  function setNames(names: Record<string, readonly string[]>): void {
    const lines = Object.entries(names).flatMap(([name, ones]) =>
      ones.map((address) => `${address} ${name}`),
    );
    stack.write("hosts", `${lines.join("\n")}\n`);
    dnsmasq?.signal("SIGHUP");
  }

  async function serve(source: string): Promise<void> {
    proxy = await stack.serve(
      (listen) => `
admin: { port: 0 }
errorLog: { level: notice }
pools: { engines: { policy: { name: round_robin }, sources: [{ ${source} }] } }
servers:
  - listen: [{ host: 127.0.0.1, port: ${listen} }]
    routes: [{ match: { path: / }, dialect: plain, target: { pool: engines } }]
`,
    );
    admin = await adminOf(proxy);
  }

  const dns = () => `resolver: ["127.0.0.1:${dnsPort}"], minMs: 100, keepMs: ${keepMs}`;
  const engines = async (): Promise<readonly EngineReport[]> => {
    const { body } = await ask(`${admin}/admin/pools/engines/engines`);
    return (JSON.parse(body) as PoolReport).engines;
  };
  const names = async () => (await engines()).map(({ engine }) => engine);
  const complete = async () =>
    (await post(`${proxy.url}/v1/completions`, { prompt: "x", max_tokens: 1 })).status;

  test("addresses come and go with the name", async () => {
    await startDns({ "engines.test": ["127.0.0.1"] });
    await serve(`dns: "engines.test:${port}", ${dns()}`);
    expect(await names()).toEqual([`127.0.0.1:${port}`]);
    expect(await complete()).toBe(200);
    setNames({ "engines.test": ["127.0.0.2", "127.0.0.1"] });
    const both = [`127.0.0.1:${port}`, `127.0.0.2:${port}`];
    await eventually(async () => (await names()).join() === both.join());
    expect([await complete(), await complete()]).toEqual([200, 200]);
    setNames({ "engines.test": ["127.0.0.2"] });
    await eventually(async () => (await names()).join() === both[1]);
    expect(await complete()).toBe(200);
  });

  test("a server that is down changes nothing, a name that is gone does after a while", async () => {
    await startDns({ "engines.test": ["127.0.0.1", "127.0.0.2"] });
    await serve(`dns: "engines.test:${port}", ${dns()}`);
    const both = [`127.0.0.1:${port}`, `127.0.0.2:${port}`];
    expect(await names()).toEqual(both);
    await dnsmasq!.kill();
    await proxy.command.saysError(/dns engines\.test:\d+ of pool "engines" is not answered: E/);
    expect(await names()).toEqual(both);
    expect(await complete()).toBe(200);

    await startDns({ "other.test": ["127.0.0.1"] });
    await proxy.command.saysError(/has no addresses: ENO\w+; its 2 engines stay for \d+ ms/);
    await proxy.command.saysError(/its 2 engines leave pool "engines"/);
    await eventually(async () => (await names()).length === 0);
    expect(await complete()).toBe(502);

    setNames({ "engines.test": ["127.0.0.2"] });
    await eventually(async () => (await names()).join() === both[1]);
    expect(await complete()).toBe(200);
  });

  test("SRV records say port, weight and who is a backup", async () => {
    await startDns({ "one.test": ["127.0.0.1"], "two.test": ["127.0.0.2"] });
    await serve(`dns: _http._tcp.engines.test, type: SRV, ${dns()}`);
    expect(await engines()).toMatchObject([
      { engine: `127.0.0.1:${port}`, weight: 7 },
      { engine: `127.0.0.2:${port}`, weight: 9 },
    ]);
    for (let i = 0; i < 4; i += 1) expect(await complete()).toBe(200);
    const state = await (await fetch(`http://127.0.0.2:${port}/debug/state`)).json();
    expect(state).toMatchObject({ requestsSeen: 0 });
  });

  test("a start without a name server serves as soon as there is one", async () => {
    await serve(`dns: "engines.test:${port}", ${dns()}`);
    expect(await complete()).toBe(502);
    await startDns({ "engines.test": ["127.0.0.1"] });
    await eventually(async () => (await complete()) === 200);
  });

  test("nginx's resolve, with its resolver", async () => {
    await startDns({ "engines.test": ["127.0.0.1", "127.0.0.2"] });
    const [listen, adminPort] = (await freePorts(2)) as [number, number];
    const conf = stack.write(
      "nginx.conf",
      `pd_admin 127.0.0.1:${adminPort};
error_log stderr notice;
events {}
http {
  resolver 127.0.0.1:${dnsPort} valid=1s ipv6=off;
  upstream engines { server engines.test:${port} resolve weight=3; }
  server { listen 127.0.0.1:${listen}; location / { proxy_pass http://engines; } }
}
`,
    );
    const command = stack.start("-c", conf);
    await command.saysError(/listening on/);
    admin = await adminOf({ command });
    expect(await engines()).toMatchObject([
      { engine: `127.0.0.1:${port}`, weight: 3 },
      { engine: `127.0.0.2:${port}`, weight: 3 },
    ]);
  });
});
