/**
 * How slow this machine is now: the one factor by which all times of tests grow. Measured once, when the tests start.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";

declare module "vitest" {
  interface ProvidedContext {
    readonly slowness: number;
  }
}

/** What the measurement takes on two idle cores. */
const usualMs = 250;
/** More would only make a test that hangs last longer. */
const slownessMax = 20;
const processes = 4;
const sockets = 16;
const roundTrips = 50;

/** 1 = as fast as usual. Never less, since others may start to use the machine later. */
export async function measureSlowness(): Promise<number> {
  const startMs = performance.now();
  await Promise.all([...Array.from({ length: processes }, startProcess), exchangeBytes()]);
  return Math.min(slownessMax, Math.max(1, (performance.now() - startMs) / usualMs));
}

async function startProcess(): Promise<void> {
  await once(spawn(process.execPath, ["-e", ""], { stdio: "ignore" }), "close");
}

/** Many small messages to and fro over sockets, as the tests have them. */
async function exchangeBytes(): Promise<void> {
  const server = createServer((socket) => socket.pipe(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await Promise.all(
    Array.from({ length: sockets }, async () => {
      const socket = connect(port, "127.0.0.1");
      for (let count = 0; count < roundTrips; count += 1) {
        socket.write("x".repeat(1_000));
        await once(socket, "data");
      }
      socket.destroy();
    }),
  );
  server.close();
}
