/** Clients that connect to a socket that listens before its configuration is in force. */
import { expect, test } from "vitest";
import { type Config, configSchema } from "../../../src/config/schema/schema.ts";
import { listenKey } from "../../../src/config/values/listen-key.ts";
import { Listeners } from "../../../src/proxy/client/listeners.ts";
import { MemoryNetwork } from "../../../src/transport/memory.ts";
import { noHandler, type Socket } from "../../../src/transport/socket.ts";

function configOf(...ports: readonly number[]): Config {
  const listen = ports.map((port) => ({ host: "proxy", port }));
  return configSchema.parse({
    pools: { p: { engines: [{ url: "http://127.0.0.1:1" }] } },
    servers: [{ listen, routes: [{ match: { path: "/" }, target: { pool: "p" } }] }],
  });
}

function start() {
  const network = new MemoryNetwork({
    random: () => 0.5,
    latencyMs: [1, 1],
    readBytes: [65_536, 65_536],
    kernelBytes: 131_072,
  });
  const accepted: string[] = [];
  const accept = (socket: Socket, key: string) => {
    socket.handler = {
      ...noHandler,
      onData: (chunk) => accepted.push(`${key} ${chunk.toString()}`),
    };
  };
  const listeners = new Listeners(network);
  const connect = (port: number, text: string) => {
    const client = {
      ...noHandler,
      isClosed: false,
      onClose() {
        client.isClosed = true;
      },
    };
    const socket = network.connect({ host: "proxy", port }, client);
    socket.write(Buffer.from(text));
    network.runUntil(network.nowMs() + 10);
    return client;
  };
  return { network, listeners, accept, accepted, connect };
}

const keyOf = (port: number) => listenKey(configOf(port).servers[0]!.listen[0]!);

test("they wait until it is, and lose nothing", async () => {
  const { network, listeners, accept, accepted, connect } = start();
  const prepared = await listeners.prepare(configOf(1, 2), accept);
  connect(1, "one");
  expect(accepted).toEqual([]);
  prepared.commit();
  network.runUntil(network.nowMs() + 10);
  expect(accepted).toEqual([`${keyOf(1)} one`]);
  connect(2, "two");
  expect(accepted).toEqual([`${keyOf(1)} one`, `${keyOf(2)} two`]);
});

test("they are closed if it never is, and those of the configuration before are served", async () => {
  const { network, listeners, accept, accepted, connect } = start();
  (await listeners.prepare(configOf(1), accept)).commit();
  const prepared = await listeners.prepare(configOf(1, 2), accept);
  const client = connect(2, "new");
  connect(1, "old");
  prepared.undo();
  network.runUntil(network.nowMs() + 10);
  expect({ accepted, isClosed: client.isClosed }).toEqual({
    accepted: [`${keyOf(1)} old`],
    isClosed: true,
  });
  expect(listeners.addresses()).toEqual([{ host: "proxy", port: 1 }]);
});
