/** A client that shows what a connection really carried: each read as it came, and how it ended. */
import { connect, type Socket } from "node:net";

export interface RawConnection {
  readonly socket: Socket;
  /** What arrived, one entry per read. */
  readonly reads: string[];
  /** All that arrived. */
  text(): string;
  /** How the connection ended: `end` (FIN) or an error code. Resolves when it has. */
  readonly ended: Promise<string>;
  /** Resolves when all that arrived contains `part`. */
  until(part: string): Promise<void>;
}

export async function openRaw(url: string): Promise<RawConnection> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  const reads: string[] = [];
  const text = (): string => reads.join("");
  let how = "close";
  const ended = new Promise<string>((resolve) => {
    socket.on("end", () => {
      how = "end";
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      how = error.code ?? "error";
    });
    socket.on("close", () => resolve(how));
  });
  socket.on("data", (part) => reads.push(part.toString("latin1")));
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
  const until = (part: string): Promise<void> =>
    new Promise((resolve, reject) => {
      // Only what is new is searched: a long stream comes in thousands of reads.
      let unseen = text();
      const check = (): void => {
        if (unseen.includes(part)) {
          socket.off("data", add);
          resolve();
        } else unseen = unseen.slice(Math.max(0, unseen.length - part.length + 1));
      };
      const add = (read: Buffer): void => {
        unseen += read.toString("latin1");
        check();
      };
      socket.on("data", add);
      check();
      ended.then((end) => reject(new Error(`ended (${end}) before ${part}: ${text()}`)));
    });
  return { socket, reads, text, ended, until };
}

export function postBytes(path: string, body: object, headers = ""): string {
  const json = JSON.stringify(body);
  return (
    `POST ${path} HTTP/1.1\r\nHost: engine\r\nContent-Type: application/json\r\n${headers}` +
    `Content-Length: ${Buffer.byteLength(json)}\r\n\r\n${json}`
  );
}
