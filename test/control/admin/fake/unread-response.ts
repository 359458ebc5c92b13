/** A client that first reads nothing of a long response, and then all of it: what the sender notices. */
import { createServer } from "node:http";
import { type AddressInfo, connect, createServer as createListener } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Outgoing } from "../../../../src/control/admin/outgoing.ts";

const pieces = 24;
const pieceBytes = 1_048_576;

export interface Noticed {
  /** Before the client reads: pieces that wait, and bytes that it has not taken. */
  readonly unread: number;
  readonly pendingBytes: number;
  /** Afterwards. */
  readonly unreadAtEnd: number;
  readonly receivedBytes: number;
}

export async function unreadResponse(): Promise<Noticed> {
  let unread = 0;
  let outgoing: Outgoing | undefined;
  const http = createServer((_request, response) => {
    outgoing = new Outgoing(response, {
      stalled: () => {
        unread += 1;
      },
      moved: () => {
        unread -= 1;
      },
    });
    for (let i = 0; i < pieces; i += 1) outgoing.write("x".repeat(pieceBytes));
    outgoing.end();
  });
  const listener = createListener((socket) => void http.emit("connection", socket));
  await new Promise<void>((done) => void listener.listen(0, "127.0.0.1", done));
  const client = connect((listener.address() as AddressInfo).port, "127.0.0.1");
  client.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  let last = -1;
  while (outgoing === undefined || outgoing.pendingBytes !== last) {
    last = outgoing?.pendingBytes ?? -1;
    await delay(100);
  }
  const before = { unread, pendingBytes: last };
  let receivedBytes = 0;
  client.on("data", (chunk: Buffer) => {
    receivedBytes += chunk.length;
  });
  await new Promise((done) => client.once("end", done));
  client.destroy();
  listener.close();
  return { ...before, unreadAtEnd: unread, receivedBytes };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.stdout.write(JSON.stringify(await unreadResponse()));
}
