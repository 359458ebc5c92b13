/** A publisher that is slow, gone, back, or none at all. */
import { createServer, type Server, type Socket } from "node:net";
import { afterEach, expect, it } from "vitest";
import { KvPublisher } from "../../../src/simulated-engine/kv/kv-publisher.ts";
import { ZmtpClient } from "../../../src/transport/zmtp/client.ts";
import { eventually } from "../../support/eventually.ts";

const host = "127.0.0.1";
const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

function client(port: number, type: "SUB" | "DEALER", topic = "") {
  const heard: (readonly Buffer[])[] = [];
  const lost: string[] = [];
  const state = { heard, lost, connections: 0 };
  const socket = new ZmtpClient(
    { type, host, port, topic, messageBytesMax: 1_000_000 },
    {
      connected: () => {
        state.connections += 1;
      },
      message: (parts) => heard.push(parts),
      lost: (why) => lost.push(why),
    },
  );
  ends.push(() => socket.close());
  socket.open();
  return { ...state, socket, connections: () => state.connections };
}

function publisher(topic = "") {
  const one = new KvPublisher({ topic });
  ends.push(() => one.close());
  return one;
}

function publish(one: KvPublisher, size = 1): void {
  const hashes = Array.from({ length: size }, (_, i) => BigInt(i));
  one.removed(hashes);
  one.publish();
}

const numbers = (heard: readonly (readonly Buffer[])[]) =>
  heard.map((parts) => Number(parts.at(-2)!.readBigInt64BE()));

it("hears what its topic begins, in order, large and small, and nothing else", async () => {
  const one = publisher("kv@a");
  const port = await one.listen(0, host);
  const all = client(port, "SUB");
  const some = client(port, "SUB", "kv@");
  const none = client(port, "SUB", "other");
  await eventually(() => all.connections() + some.connections() + none.connections() === 3);
  // Until the subscriptions have arrived, nothing is sent to them.
  await eventually(() => {
    publish(one, 10_000);
    return all.heard.length > 2 && some.heard.length > 2;
  });
  const heard = numbers(all.heard);
  expect(heard).toEqual(heard.map((_, i) => heard[0]! + i));
  expect(all.heard[0]![0]!.toString()).toBe("kv@a");
  expect(none.heard).toEqual([]);
});

it("a publisher that comes back is heard again", async () => {
  const first = publisher();
  const port = await first.listen(0, host);
  const one = client(port, "SUB");
  await eventually(() => one.connections() === 1);
  first.close();
  await eventually(() => one.lost.length > 0);
  const second = publisher();
  await second.listen(port, host);
  await eventually(() => one.connections() === 2);
  await eventually(() => {
    publish(second);
    return one.heard.length > 0;
  });
});

it("a replay says all from a number on, and its end", async () => {
  const one = publisher();
  const port = await one.listenForReplay(0, host);
  for (let i = 0; i < 5; i += 1) publish(one);
  const asks = client(port, "DEALER");
  await eventually(() => asks.connections() === 1);
  asks.socket.send([Buffer.alloc(0), Buffer.from([0, 0, 0, 0, 0, 0, 0, 3])]);
  await eventually(() => asks.heard.length === 3);
  expect(numbers(asks.heard)).toEqual([3, 4, -1]);
});

it.each([
  ["nothing", ""],
  ["HTTP", "HTTP/1.1 400 Bad Request\r\n\r\n"],
])("a peer that says %s is left, and tried again", async (what, text) => {
  const sockets: Socket[] = [];
  const server: Server = createServer((socket) => {
    socket.on("error", () => {});
    sockets.push(socket);
    if (text === "") socket.destroy();
    else socket.write(text);
  });
  ends.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const port = await new Promise<number>((resolve) => {
    server.listen(0, host, () => resolve((server.address() as { port: number }).port));
  });
  const one = client(port, "SUB");
  await eventually(() => one.lost.length >= 2);
  expect(one.connections(), what).toBe(0);
  if (text !== "") expect(one.lost[0]).toBe("the peer does not speak ZeroMQ");
});

it("a SUB does not take a ROUTER for a publisher", async () => {
  const one = publisher();
  const port = await one.listenForReplay(0, host);
  const wrong = client(port, "SUB");
  await eventually(() => wrong.lost.length > 0);
  expect(wrong.lost[0]).toBe("its socket is a ROUTER");
});
