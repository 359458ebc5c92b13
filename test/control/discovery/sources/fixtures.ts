/** How each kind of source is told which engines there are, for the rules that all of them keep. */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ConfigInput } from "../../../../src/config/schema/schema.ts";
import { readEngineList } from "../../../../src/config/yaml/engine-list.ts";
import type { Sources } from "../../../../src/control/discovery/sources/sources.ts";
import { systemClock } from "../../../../src/simulated-engine/clock.ts";
import { ProxyRegistration } from "../../../../src/simulated-engine/dialects/shared/proxy-registration.ts";
import { DnsServer } from "../../../support/dns-server.ts";
import { freePorts } from "../../../support/ports.ts";
import { scaled } from "../../../support/times.ts";

export interface SourceFixture {
  /** Of the pool `p`. */
  readonly sources: NonNullable<NonNullable<ConfigInput["pools"]>[string]["sources"]>;
  readonly registrations?: ConfigInput["registrations"];
  /** These are the engines from now on: IPv4 addresses, all at port 8000. */
  tell(hosts: readonly string[], sources: Sources): void;
  /** It goes wrong, and says nothing of its engines any more. Undefined = it cannot. */
  spoil?(): void;
  close(): void;
}

const urls = (hosts: readonly string[]) => hosts.map((host) => `http://${host}:8000`);

export const fixtures: Readonly<Record<string, () => Promise<SourceFixture>>> = {
  async file() {
    const folder = mkdtempSync(join(tmpdir(), "gp-source-"));
    const file = join(folder, "engines.yaml");
    const write = (text: string) => {
      writeFileSync(join(folder, "new"), text);
      renameSync(join(folder, "new"), file);
    };
    write("[]");
    return {
      sources: [{ file, pollMs: 50 }],
      tell: (hosts) => write(JSON.stringify(urls(hosts))),
      spoil: () => write("- http://10.0.0.9:8000\n- wieght: 3\n"),
      close: () => rmSync(folder, { recursive: true }),
    };
  },

  async dns() {
    const server = await DnsServer.start();
    return {
      sources: [
        { dns: "p.test:8000", type: "A", resolver: [server.address], minMs: 100, keepMs: 0 },
      ],
      tell(hosts) {
        server.failure = undefined;
        // Another order each time, as name servers answer.
        const turned = server.asked % 2 === 0 ? hosts : hosts.toReversed();
        if (hosts.length === 0) server.addresses.delete("p.test");
        else server.addresses.set("p.test", turned);
      },
      spoil() {
        server.failure = "SERVFAIL";
      },
      close: () => server.close(),
    };
  },

  async registration() {
    const [port] = (await freePorts(1)) as [number];
    const pings = new Map<string, ProxyRegistration>();
    return {
      sources: [],
      registrations: [
        {
          zmq: `tcp://127.0.0.1:${port}`,
          prefill: "p",
          decode: "p",
          timeoutMs: Math.ceil(scaled(150)),
        },
      ],
      tell(hosts) {
        for (const [host, ping] of pings) {
          if (hosts.includes(host)) continue;
          ping.close();
          pings.delete(host);
        }
        for (const host of hosts) {
          if (pings.has(host)) continue;
          const ping = new ProxyRegistration(
            { proxy: `127.0.0.1:${port}`, pingMs: 20 },
            systemClock,
            () => ({ type: "P", http_address: `${host}:8000`, zmq_address: `${host}:21001` }),
          );
          ping.start();
          pings.set(host, ping);
        }
      },
      close() {
        for (const ping of pings.values()) ping.close();
      },
    };
  },

  async admin() {
    return {
      sources: [{ admin: true }],
      tell(hosts, sources) {
        const before = sources.admin.enginesOf("p").map(({ url }) => url);
        const list = readEngineList(JSON.stringify(urls(hosts)), "test");
        for (const engine of "engines" in list ? list.engines : []) sources.admin.add("p", engine);
        for (const url of before) {
          if (!urls(hosts).includes(url)) sources.admin.remove("p", url.replace("http://", ""));
        }
      },
      close() {},
    };
  },
};
