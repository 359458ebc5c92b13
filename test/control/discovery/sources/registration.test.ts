/** Engines that register: which messages are accepted, and when an engine is added to a pool and removed from it. */
import { setTimeout as delay } from "node:timers/promises";
import { encode } from "@msgpack/msgpack";
import { afterEach, describe, expect, it } from "vitest";
import { checkConfig } from "../../../../src/config/check/check.ts";
import { currentRuntime } from "../../../../src/config/check/runtime.ts";
import {
  type Config,
  type ConfigInput,
  configSchema,
} from "../../../../src/config/schema/schema.ts";
import { readRegistration } from "../../../../src/control/discovery/sources/registration-message.ts";
import { Sources } from "../../../../src/control/discovery/sources/sources.ts";
import { systemClock } from "../../../../src/simulated-engine/clock.ts";
import { ProxyRegistration } from "../../../../src/simulated-engine/dialects/shared/proxy-registration.ts";
import { ZmtpServer } from "../../../../src/transport/zmtp/server.ts";
import { eventually } from "../../../support/eventually.ts";
import { freePorts } from "../../../support/ports.ts";
import { scaled } from "../../../support/times.ts";

const p2p = { type: "P", http_address: "10.0.0.1:8100", zmq_address: "10.0.0.1:21001" };
const read = (message: unknown) => readRegistration([Buffer.from(encode(message))]);

describe("a message", () => {
  it.each([
    [p2p, { leg: "prefill", url: "10.0.0.1:8100", attributes: { zmq_address: "10.0.0.1:21001" } }],
    [
      { ...p2p, type: "D", dp_size: 8, tp_size: 2, transfer_mode: "READ", more: [1] },
      {
        leg: "decode",
        url: "10.0.0.1:8100",
        attributes: {
          zmq_address: p2p.zmq_address,
          dp_size: "8",
          tp_size: "2",
          transfer_mode: "READ",
        },
      },
    ],
    [{ ...p2p, dp_size: 8 }, expect.objectContaining({ url: "10.0.0.1:8100@0-7" })],
    [{ ...p2p, http_address: "[fd00::1]:80" }, expect.objectContaining({ url: "[fd00::1]:80" })],
    [{ type: "HELLO" }, undefined],
  ])("%j", (message, expected) => {
    expect(read(message)).toEqual(expected);
    // As a REQ socket sends it.
    expect(readRegistration([Buffer.alloc(0), Buffer.from(encode(message))])).toEqual(expected);
  });

  it.each([
    [null, "message"],
    [[], "message"],
    [{ ...p2p, type: "X" }, "type"],
    [{ ...p2p, http_address: "10.0.0.1" }, "no port"],
    [{ ...p2p, http_address: "10.0.0.1:0" }, 'invalid port "0"'],
    [{ ...p2p, http_address: "evil/path?x:80" }, "http_address"],
    [{ ...p2p, http_address: "user@host:80" }, "http_address"],
    [{ ...p2p, zmq_address: "a\r\nX-Evil: 1" }, "zmq_address"],
    [{ ...p2p, zmq_address: "a___decode_addr_b:1" }, "zmq_address"],
    [{ ...p2p, zmq_address: "x".repeat(301) }, "zmq_address"],
    [{ ...p2p, dp_size: 0 }, "dp_size"],
    [{ ...p2p, dp_size: 1e9 }, "dp_size"],
    [{ ...p2p, transfer_mode: "both" }, "transfer_mode"],
  ])("%j is refused for its %s", (message, words) => {
    expect(read(message)).toContain(words);
  });

  it("that is no MessagePack is refused", () => {
    expect(readRegistration([Buffer.from([0xc1])])).toContain("MessagePack");
    expect(readRegistration([Buffer.alloc(0)])).toContain("MessagePack");
  });
});

const open: { close(): void }[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

async function sourcesOf(input: Partial<ConfigInput> = {}, timeoutMs = 400) {
  const [port] = (await freePorts(1)) as [number];
  const config = configOf(port, timeoutMs, input);
  const lines: string[] = [];
  let changes = 0;
  const sources = new Sources({
    log: (_, line) => void lines.push(line),
    changed: () => {
      changes += 1;
    },
    nowMs: () => performance.now(),
  });
  open.push(sources);
  await sources.open(config);
  sources.use(config);
  const urls = (pool: string) => sources.resolve(config).pools[pool]!.engines.map(({ url }) => url);
  return { sources, config, port, lines, urls, changes: () => changes };
}

function configOf(port: number, timeoutMs: number, input: Partial<ConfigInput> = {}): Config {
  return configSchema.parse({
    pools: { p: { engines: [] }, d: { engines: [] } },
    registrations: [{ zmq: `tcp://127.0.0.1:${port}`, prefill: "p", decode: "d", timeoutMs }],
    servers: [{ listen: [{ port: 80 }], routes: [] }],
    ...input,
  });
}

function pings(port: number, message: () => { zmq_address: string }) {
  const one = new ProxyRegistration(
    { proxy: `127.0.0.1:${port}`, pingMs: 20 },
    systemClock,
    message,
  );
  one.start();
  open.push(one);
  return one;
}

it("an engine is in its pool as long as it pings, and once: pings change nothing", async () => {
  const setup = await sourcesOf();
  const first = pings(setup.port, () => p2p);
  pings(setup.port, () => ({ ...p2p, type: "D", http_address: "10.0.0.2:8200" }));
  await eventually(() => setup.urls("p").length === 1 && setup.urls("d").length === 1);
  expect([setup.urls("p"), setup.urls("d")]).toEqual([
    ["http://10.0.0.1:8100"],
    ["http://10.0.0.2:8200"],
  ]);
  await eventually(() => setup.changes() > 0);
  const before = setup.changes();
  first.close();
  await eventually(() => setup.urls("p").length === 0);
  expect(setup.urls("d")).toHaveLength(1);
  await eventually(() => setup.changes() === before + 1);
  expect(setup.lines.filter((line) => line.includes("is added to pool"))).toHaveLength(2);
  expect(setup.lines.at(-1)).toContain("has not registered again for 400 ms");
});

it("a process that did not get to run for longer than the time-out keeps its engines", async () => {
  const setup = await sourcesOf();
  const engine = pings(setup.port, () => p2p);
  await eventually(() => setup.urls("p").length === 1);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_000);
  await delay(100);
  expect(setup.lines).toHaveLength(1);
  engine.close();
  await eventually(() => setup.urls("p").length === 0);
});

it("an engine with another address of its connector changes the configuration", async () => {
  const setup = await sourcesOf();
  let address = "10.0.0.1:1";
  pings(setup.port, () => ({ ...p2p, zmq_address: address }));
  const seen = () =>
    setup.sources.resolve(setup.config).pools["p"]!.engines[0]?.attributes["zmq_address"];
  await eventually(() => seen() === address && setup.changes() === 1);
  address = "10.0.0.1:2";
  await eventually(() => seen() === address && setup.changes() === 2);
});

it("attributes of the configuration take precedence over those that an engine registers with", async () => {
  const engine = { url: "http://10.0.0.1:8100", weight: 7 };
  const setup = await sourcesOf({ pools: { p: { engines: [engine] }, d: { engines: [] } } });
  pings(setup.port, () => p2p);
  await eventually(() => setup.changes() === 1);
  expect(setup.sources.resolve(setup.config).pools["p"]!.engines).toMatchObject([engine]);
});

it("engines of another transfer mode are not mixed in, and logged once", async () => {
  const setup = await sourcesOf();
  pings(setup.port, () => ({ ...p2p, transfer_mode: "READ" }));
  await eventually(() => setup.urls("p").length === 1);
  pings(setup.port, () => ({ ...p2p, http_address: "10.0.0.9:1", transfer_mode: "WRITE" }));
  await eventually(() => setup.lines.some((line) => line.includes('transfer_mode is "WRITE"')));
  expect(setup.urls("p")).toHaveLength(1);
  expect(setup.lines.filter((line) => line.includes("transfer_mode"))).toHaveLength(1);
});

it("a reload keeps the engines that are registered, in the pools that it names now", async () => {
  const setup = await sourcesOf({}, 60_000);
  pings(setup.port, () => p2p);
  await eventually(() => setup.urls("p").length === 1);
  const zmq = `tcp://127.0.0.1:${setup.port}`;
  const next = configOf(setup.port, 60_000, {
    registrations: [{ zmq, prefill: "d", decode: "p" }],
  });
  await setup.sources.open(next);
  setup.sources.use(next);
  const { pools } = setup.sources.resolve(next);
  expect([pools["p"]!.engines.length, pools["d"]!.engines.length]).toEqual([0, 1]);
});

it("after an upgrade engines stay as long as another process listens, and expire again afterwards", async () => {
  const setup = await sourcesOf({}, scaled(200));
  const first = pings(setup.port, () => p2p);
  await eventually(() => setup.urls("p").length === 1);
  const [state] = setup.sources.state;
  expect(state).toMatchObject({ key: `registration ${setup.config.registrations[0]!.zmq}` });
  expect(state!.said).toEqual([read(p2p)]);
  first.close();
  setup.sources.suspend();
  expect(setup.sources.state.map(({ key }) => key)).toEqual(["admin"]);
  const other = new ZmtpServer(
    { type: "ROUTER", connectionsMax: 8, messageBytesMax: 8_192, idleTimeoutMs: 0 },
    { message: () => {}, refused: () => {} },
  );
  await other.listen("127.0.0.1", setup.port);
  await delay(scaled(300));
  expect(setup.urls("p")).toHaveLength(1);
  other.close();
  await setup.sources.resume();
  pings(setup.port, () => ({ ...p2p, http_address: "10.0.0.2:8100" }));
  await eventually(() => setup.urls("p").join() === "http://10.0.0.2:8100");
});

it("a configuration without the address closes it and forgets its engines", async () => {
  const setup = await sourcesOf({}, 60_000);
  pings(setup.port, () => p2p);
  await eventually(() => setup.urls("p").length === 1);
  const [other] = (await freePorts(1)) as [number];
  const next = configOf(other, 60_000);
  await setup.sources.open(next);
  expect(setup.urls("p")).toHaveLength(1);
  setup.sources.use(next);
  expect(setup.urls("p")).toEqual([]);
  // It can be listened at again.
  await setup.sources.open(setup.config);
});

it("an address that is taken is an error, and those before it stay as they were", async () => {
  const setup = await sourcesOf();
  const taken = new Sources({ log: () => {}, changed: () => {}, nowMs: () => 0 });
  open.push(taken);
  const [free] = (await freePorts(1)) as [number];
  const both = configOf(free, 1_000, {
    registrations: [free, setup.port].map((port) => ({
      zmq: `tcp://127.0.0.1:${port}`,
      prefill: "p",
      decode: "d",
    })),
  });
  await expect(taken.open(both)).rejects.toThrow(/cannot listen on tcp:.* for engines to register/);
  // The one that was free is free again.
  await taken.open(configOf(free, 1_000));
});

describe("the configuration", () => {
  const faultsOf = (config: Config) =>
    checkConfig(config, currentRuntime()).map(({ message }) => message);
  const registration = { zmq: "tcp://0.0.0.0:30001", prefill: "p", decode: "d" };

  it.each([
    ["no engines and no registration", { registrations: [] }, 'pool "p" has no engines'],
    ["an unknown pool", { registrations: [{ ...registration, decode: "x" }] }, 'unknown pool "x"'],
    [
      "another scheme",
      { registrations: [{ ...registration, zmq: "ipc:///x" }] },
      "invalid address",
    ],
    ["no port", { registrations: [{ ...registration, zmq: "tcp://0.0.0.0" }] }, "invalid address"],
    ["one address twice", { registrations: [registration, registration] }, "duplicate address"],
  ])("with %s is refused", (_, input, words) => {
    expect(faultsOf(configOf(1, 1_000, input)).join()).toContain(words);
  });

  it("with pools that only registrations fill is right", () => {
    expect(faultsOf(configOf(30_001, 1_000))).toEqual([]);
  });
});
