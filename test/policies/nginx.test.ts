/** The same engines as nginx's, for the same turns, clients and keys: asked of a real nginx over loopback. */
import { createServer } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { hash } from "../../src/policies/hash.ts";
import { ipHash } from "../../src/policies/ip-hash.ts";
import { leastConn } from "../../src/policies/least-conn.ts";
import { roundRobin } from "../../src/policies/round-robin.ts";
import type { Policy } from "../../src/policies/shared/policy.ts";
import { describeWithNginx } from "../nginx/harness/nginx.ts";
import { ask, get, type Nginx, startNginx } from "../proxy/routing/nginx-oracle.ts";
import { among, poolOf, request } from "./pool-view.ts";

const weights = [5, 1, 2];
const keys = Array.from({ length: 60 }, (_, n) => `k${n * 37}`);

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Three engines of unix sockets that say their numbers; the last hears nothing where it is unfit. */
const upstream = (name: string, method: string, unfit: readonly number[] = []) => `
  upstream ${name} {
    ${method}
    ${weights
      .map(
        (weight, i) =>
          `server unix:%dir%/e${i}.sock weight=${weight}${unfit.includes(i) ? " down" : ""};`,
      )
      .join("\n    ")}
  }
  server { listen unix:%dir%/${name}.sock; location / { proxy_pass http://${name}; } }`;

describeWithNginx("by nginx's word", () => {
  let nginx: Nginx;
  let port: number;

  beforeAll(async () => {
    port = await freePort();
    const engines = weights.map(
      (_, i) => `server { listen unix:%dir%/e${i}.sock; return 200 ${i}; }`,
    );
    nginx = await startNginx(`
      ${engines.join("\n")}
      ${upstream("turns", "")}
      ${upstream("rest", "", [1])}
      ${upstream("least", "least_conn;")}
      ${upstream("clients", "ip_hash;")}
      ${upstream("fewer_clients", "ip_hash;", [0])}
      ${upstream("plain", "hash $arg_k;")}
      ${upstream("fewer", "hash $arg_k;", [0])}
      ${upstream("ring", "hash $arg_k consistent;")}
      ${upstream("fewer_ring", "hash $arg_k consistent;", [0])}
      server { listen 127.0.0.1:${port}; location /all { proxy_pass http://clients; }
        location /fewer { proxy_pass http://fewer_clients; } }
      server { listen unix:%dir%/main.sock; return 204; }
    `);
  });
  afterAll(() => nginx.stop());

  const engines = () => weights.map((_, i) => `unix:${nginx.dir}/e${i}.sock`);
  const deps = () => ({ pool: poolOf(weights, engines()), random: () => 0 });

  async function theirs(name: string, targets: readonly string[]): Promise<number[]> {
    const picks: number[] = [];
    for (const target of targets) {
      picks.push(Number((await ask({ path: `${nginx.dir}/${name}.sock` }, get(target))).body));
    }
    return picks;
  }

  function ours(policy: Policy, keysToPick: readonly string[], fit?: readonly number[]): number[] {
    return keysToPick.map((key) => policy.pick(among(poolOf(weights), fit), request({ key })));
  }

  it("takes turns in its order, smoothly weighted", async () => {
    const targets = new Array<string>(24).fill("/");
    expect(ours(roundRobin.create(deps(), {}), targets)).toEqual(await theirs("turns", targets));
    expect(ours(roundRobin.create(deps(), {}), targets, [0, 2])).toEqual(
      await theirs("rest", targets),
    );
    expect(ours(leastConn.create(deps(), {}), targets)).toEqual(await theirs("least", targets));
  });

  it.each([
    ["plain", false, undefined],
    ["fewer", false, [1, 2]],
    ["ring", true, undefined],
    ["fewer_ring", true, [1, 2]],
  ] as const)("gives a key to its engine (%s)", async (name, consistent, fit) => {
    const picks = await theirs(
      name,
      keys.map((key) => `/?k=${key}`),
    );
    expect(ours(hash.create(deps(), { key: "$arg_k", consistent }), keys, fit)).toEqual(picks);
  });

  it.each([false, true])(
    "takes turns for requests without a key (ring: %s)",
    async (consistent) => {
      const without = new Array<string>(16).fill("");
      const picks = await theirs(
        consistent ? "ring" : "plain",
        without.map(() => "/"),
      );
      expect(ours(hash.create(deps(), { key: "$arg_k", consistent }), without)).toEqual(picks);
    },
  );

  it("gives a client to its engine, by its address", async () => {
    const policy = ipHash.create(deps(), {});
    for (const [target, fit] of [
      ["/all", [0, 1, 2]],
      ["/fewer", [1, 2]],
    ] as const) {
      for (let net = 0; net < 40; net += 1) {
        const clientAddress = `127.${net * 6}.${net}.${1 + net}`;
        const to = { host: "127.0.0.1", port, localAddress: clientAddress };
        const { body } = await ask(to, get(target));
        const pick = policy.pick(among(poolOf(weights), fit), request({ clientAddress }));
        expect(pick, clientAddress).toBe(Number(body));
      }
    }
  });
});
