/** A name in DNS: what an answer, none, and that there is nothing mean for the engines, and when it is asked again. */
import { afterEach, expect, it, vi } from "vitest";
import { dnsSourceSchema } from "../../../../src/config/schema/pool/sources.ts";
import { DnsSource } from "../../../../src/control/discovery/sources/dns.ts";
import type {
  NameServer,
  SrvRecord,
} from "../../../../src/control/discovery/sources/dns-questions.ts";

afterEach(() => void vi.useRealTimers());

type Answer = readonly (readonly [address: string, ttl: number])[] | string;

/** Codes of node:dns, or addresses with their TTL in s. */
function setUp(config: object, answers: Record<string, Answer>, services?: readonly SrvRecord[]) {
  vi.useFakeTimers();
  let asked = 0;
  const resolve = async (key: string) => {
    const answer = answers[key] ?? "ENODATA";
    if (typeof answer === "string") throw Object.assign(new Error(answer), { code: answer });
    return answer.map(([address, ttl]) => ({ address, ttl }));
  };
  const server: NameServer = {
    resolve4: (name) => {
      asked += 1;
      return resolve(`A ${name}`);
    },
    resolve6: (name) => resolve(`AAAA ${name}`),
    resolveSrv: async () => [...(services ?? [])],
    cancel: () => {},
  };
  const lines: string[] = [];
  let changes = 0;
  const source = new DnsSource(
    "p",
    dnsSourceSchema.parse(config),
    {
      log: (_, line) => void lines.push(line),
      changed: () => {
        changes += 1;
      },
      nowMs: () => performance.now(),
    },
    () => server,
  );
  const urls = () => source.enginesOf("p").map(({ url }) => url);
  const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
  return { source, urls, lines, pass, changes: () => changes, asked: () => asked };
}

it("both families count, in the same order each time, with ranks and attributes of the name", async () => {
  const { source, urls } = setUp(
    { dns: "e.test:80@0-1?bootstrap_port=9" },
    {
      "A e.test": [
        ["10.0.0.2", 5],
        ["10.0.0.1", 5],
      ],
      "AAAA e.test": [["fd00::1", 9]],
    },
  );
  await source.open();
  const rest = ":80@0-1?bootstrap_port=9";
  expect(urls()).toEqual(
    ["10.0.0.1", "10.0.0.2", "[fd00::1]"].map((host) => `http://${host}${rest}`),
  );
  source.close();
});

it("is asked again after the lowest TTL, within the bounds", async () => {
  const answers: Record<string, Answer> = {
    "A e.test": [
      ["10.0.0.1", 7],
      ["10.0.0.2", 60],
    ],
  };
  const { source, pass, asked } = setUp({ dns: "e.test:80", minMs: 2_000, maxMs: 9_000 }, answers);
  await source.open();
  await pass(6_900);
  expect(asked()).toBe(1);
  answers["A e.test"] = [["10.0.0.1", 0]];
  await pass(200);
  expect(asked()).toBe(2);
  answers["A e.test"] = [["10.0.0.1", 86_400]];
  await pass(1_800);
  expect(asked()).toBe(2);
  await pass(300);
  expect(asked()).toBe(3);
  await pass(9_100);
  expect(asked()).toBe(4);
  source.close();
});

it.each(["ESERVFAIL", "EREFUSED", "ETIMEOUT", "ECONNREFUSED"])(
  "%s says nothing of the engines: they stay for any time",
  async (code) => {
    const answers: Record<string, Answer> = { "A e.test": [["10.0.0.1", 0]] };
    const { source, pass, urls, changes, lines, asked } = setUp({ dns: "e.test:80" }, answers);
    await source.open();
    answers["A e.test"] = code;
    await pass(86_400_000);
    expect([urls(), changes()]).toEqual([["http://10.0.0.1:80"], 0]);
    // Not more often than every 30 s, and logged every 10 minutes.
    expect(asked()).toBeLessThan(86_400 / 30 + 10);
    expect(lines.length).toBeLessThan(150);
    source.close();
  },
);

it.each(["ENOTFOUND", "ENODATA"])("%s counts once it has been said for keepMs", async (code) => {
  const answers: Record<string, Answer> = { "A e.test": [["10.0.0.1", 0]] };
  const setup = setUp({ dns: "e.test:80", keepMs: 30_000 }, answers);
  await setup.source.open();
  answers["A e.test"] = code;
  await setup.pass(29_000);
  expect(setup.urls()).toHaveLength(1);
  // It was not for good: the time begins anew.
  answers["A e.test"] = [["10.0.0.1", 0]];
  await setup.pass(2_000);
  answers["A e.test"] = code;
  await setup.pass(29_000);
  expect(setup.urls()).toHaveLength(1);
  await setup.pass(3_000);
  expect([setup.urls(), setup.changes()]).toEqual([[], 1]);
  answers["A e.test"] = [["10.0.0.2", 0]];
  await setup.pass(1_100);
  expect(setup.urls()).toEqual(["http://10.0.0.2:80"]);
  setup.source.close();
});

it("of SRV records port, weight and priority count; a target without an address is no engine", async () => {
  const services = [
    { name: "b.test", port: 82, priority: 5, weight: 0 },
    { name: "a.test", port: 81, priority: 1, weight: 5_000 },
    { name: "gone.test", port: 83, priority: 1, weight: 1 },
  ];
  const { source } = setUp(
    { dns: "_http._tcp.e.test", type: "SRV", engine: { maxConns: 8, weight: 3 } },
    { "A a.test": [["10.0.0.1", 1]], "A b.test": [["10.0.0.2", 1]] },
    services,
  );
  await source.open();
  expect(source.enginesOf("p")).toMatchObject([
    { url: "http://10.0.0.1:81", weight: 1_000, backup: false, maxConns: 8 },
    { url: "http://10.0.0.2:82", weight: 3, backup: true, maxConns: 8 },
  ]);
  source.close();
});
