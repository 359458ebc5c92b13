/** Ports for call-backs over reloads: what an engine was told stays open, and nothing is open without need. */
import { expect, it } from "vitest";
import { type Config, configSchema } from "../../../src/config/schema/schema.ts";
import type { KvTransfer } from "../../../src/dialects/dialect.ts";
import { systemIds } from "../../../src/dialects/shared/id-generator.ts";
import {
  advertised,
  CallbackListener,
  hostOf,
  needsCallbacks,
} from "../../../src/proxy/client/callback-listener.ts";
import { Callbacks } from "../../../src/proxy/pd/callbacks.ts";
import type { Transport } from "../../../src/transport/socket.ts";

function configOf(
  callback: object,
  dialect = "vllm-ascend-layerwise",
  urls: readonly string[] = ["http://127.0.0.1:1"],
): Config {
  const engines = urls.map((url) => ({ url }));
  const route = { match: { path: "/" }, prefill: { pool: "p" }, target: { pool: "p" }, dialect };
  return configSchema.parse({
    callback,
    pools: { p: { engines } },
    servers: [{ listen: [{ port: 80 }], routes: [route] }],
  });
}

/** Ports that are taken refuse, as the system does. */
class Ports implements Transport {
  readonly open = new Set<number>();
  readonly taken = new Set<number>();
  #next = 40_000;

  listen: Transport["listen"] = async ({ port, host = "" }) => {
    const own = port || this.#next++;
    if (this.open.has(own) || this.taken.has(own))
      throw Object.assign(new Error(), { code: "EADDRINUSE" });
    this.open.add(own);
    const close = () => void this.open.delete(own);
    return { address: { host, port: own }, descriptor: undefined, close };
  };
  connect(): never {
    throw new Error("nothing connects");
  }
}

function start(workerIndex = 0, takesOver = false) {
  const ports = new Ports();
  const callbacks = new Callbacks(systemIds);
  const where = { workerIndex, workers: 4, takesOver };
  const listener = new CallbackListener(ports, callbacks, where, () => {});
  const apply = async (config: Config) => (await listener.prepare(config)).commit();
  let reported = "";
  const transfer: Partial<KvTransfer> = {
    callbackUrl: (url) => {
      reported = url;
    },
  };
  const owner = { decodeCalledBack() {}, calledBackInvalidly() {} };
  const round = () => {
    const callback = callbacks.open(transfer as KvTransfer, owner);
    callback.tell({ host: "127.0.0.1", port: 1, dpRank: -1, attributes: {} });
    return { callback, port: Number(new URL(reported).port) };
  };
  return { ports, listener, apply, round };
}

it("nothing listens where no dialect calls back, and something as soon as one does", async () => {
  const { ports, apply } = start();
  expect(needsCallbacks(configOf({}, "omni"))).toBe(false);
  await apply(configOf({}, "omni"));
  expect(ports.open.size).toBe(0);
  await apply(configOf({}));
  await apply(configOf({}));
  expect(ports.open.size).toBe(1);
});

it("the third worker has the third port", async () => {
  const { ports, apply, round } = start(2);
  await apply(configOf({ port: 9_000 }));
  expect([...ports.open]).toEqual([9_002]);
  expect(round().port).toBe(9_002);
});

it("while the process before has its ports, those of an upgrade come after them", async () => {
  const { ports, apply, round } = start(2, true);
  ports.taken.add(9_002);
  await apply(configOf({ port: 9_000 }));
  expect(round().port).toBe(9_006);
  const second = start(2, true);
  await second.apply(configOf({ port: 9_000 }));
  expect(second.round().port).toBe(9_002);
});

it("a port that a round has been given outlives reloads, and the round", async () => {
  const { ports, apply, round } = start();
  await apply(configOf({ port: 9_000 }));
  const first = round();
  await apply(configOf({ port: 9_100 }));
  expect([...ports.open]).toEqual([9_000, 9_100]);
  expect(round().port).toBe(9_100);
  await apply(configOf({ port: 9_200 }));
  first.callback.end();
  await apply(configOf({ port: 9_200 }));
  expect([...ports.open]).toEqual([9_100, 9_200]);
});

it("what another worker could not open is taken back: the port of before is still there", async () => {
  const { ports, apply, round } = start();
  await apply(configOf({ port: 9_000 }));
  round();
  await apply(configOf({ port: 9_100 }));
  await apply(configOf({ port: 9_000 }));
  expect(round().port).toBe(9_000);
  expect([...ports.open]).toEqual([9_000]);
});

it("a port that is taken is named, and nothing has changed", async () => {
  const { ports, listener, apply, round } = start(1);
  await apply(configOf({ port: 9_000 }));
  ports.taken.add(9_101);
  await expect(listener.prepare(configOf({ port: 9_100 }))).rejects.toThrow(
    "127.0.0.1:9101 failed",
  );
  expect(round().port).toBe(9_001);
  const prepared = await listener.prepare(configOf({ port: 9_200 }));
  prepared.undo();
  expect([...ports.open]).toEqual([9_001]);
});

it.each([
  [{ host: "0.0.0.0", port: 0 }, undefined],
  [{ host: "::", port: 0 }, undefined],
  [{ host: "10.1.1.1", port: 0 }, "10.1.1.1"],
  [{ host: "0.0.0.0", port: 0, advertise: "gw.example" }, "gw.example"],
])("%j never has engines told an address that stands for all", (callback, host) => {
  const config = configOf(callback);
  const address = advertised(hostOf(config), config.callback, 7);
  expect(address.host).toBe(host);
  expect(address.externalHost).toMatch(/^(?!0\.0\.0\.0$)\d+\.\d+\.\d+\.\d+$/);
});

it("listens where the engines that call are, and on all addresses only if it is told to", () => {
  const host = (urls: readonly string[], callback: object = {}) =>
    hostOf(configOf(callback, "vllm-ascend-layerwise", urls));
  const local = ["http://127.0.0.1:1", "localhost:2@0-3", "http://[::1]:3", "unix:/run/e.sock"];
  expect(host(local)).toBe("127.0.0.1");
  expect(host([])).toBe("127.0.0.1");
  const outside = host([...local, "http://10.0.0.9:1"]);
  expect(outside).not.toBe("0.0.0.0");
  expect(outside).toMatch(/^\d+\.\d+\.\d+\.\d+$/);
  expect(host(["http://engine:1"])).toBe(outside);
  expect(host(local, { host: "0.0.0.0" })).toBe("0.0.0.0");
  expect(host(local, { advertise: "127.0.0.1" })).toBe("127.0.0.1");
  expect(host(local, { advertise: "gw.example" })).toBe("0.0.0.0");
});

it("engines are told the address that is listened on", () => {
  const config = configOf({}, "vllm-ascend-layerwise", ["http://10.0.0.9:1"]);
  expect(advertised(hostOf(config), config.callback, 7).host).toBe(hostOf(config));
});
