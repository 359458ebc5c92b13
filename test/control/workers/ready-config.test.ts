/** More clients than there are file descriptors for must not be taken, and the operator must know. */
import { createServer, Server } from "node:net";
import { afterEach, expect, test, vi } from "vitest";
import type { Config } from "../../../src/config/schema/schema.ts";
import {
  openFilesMax,
  sharePorts,
  socketsByWorker,
  withinDescriptors,
} from "../../../src/control/workers/ready-config.ts";
import { descriptorsPerClient, descriptorsReserved } from "../../../src/limits.ts";

function fitted(connectionsMax: number, workers: number, filesMax: number | undefined) {
  const warnings: string[] = [];
  const notices: string[] = [];
  const log = {
    warn: (message: string) => warnings.push(message),
    notice: (message: string) => notices.push(message),
  };
  const config = { connectionsMax } as Config;
  return {
    warnings,
    notices,
    connectionsMax: withinDescriptors(config, workers, filesMax, log).connectionsMax,
  };
}

test("with enough descriptors, or if nobody knows, nothing changes", () => {
  const asWritten = { connectionsMax: 65_536, warnings: [], notices: [] };
  expect(fitted(65_536, 4, 1_048_576)).toEqual(asWritten);
  expect(fitted(65_536, 4, undefined)).toEqual(asWritten);
});

test("all workers together get no more clients than there are descriptors for, and a warning says so", () => {
  const { connectionsMax, warnings } = fitted(65_536, 4, 1_024);
  const used = 4 * connectionsMax * descriptorsPerClient + descriptorsReserved;
  expect(used).toBeLessThanOrEqual(1_024);
  expect(used).toBeGreaterThan(1_000);
  expect(warnings).toEqual([
    `connectionsMax is ${connectionsMax}, not 65536: the process may open 1024 files (ulimit -n)`,
  ]);
});

test("a limit that leaves enough for most is no warning: the default is far above it", () => {
  const { connectionsMax, warnings, notices } = fitted(65_536, 1, 20_000);
  expect(warnings).toEqual([]);
  expect(notices).toEqual([
    `connectionsMax is ${connectionsMax}, not 65536: the process may open 20000 files (ulimit -n)`,
  ]);
});

test("there is place for one client however few there are", () => {
  expect(fitted(10, 4, 20).connectionsMax).toBe(1);
});

test("a low limit is not all kept for the process itself", () => {
  expect(fitted(65_536, 1, 64).connectionsMax).toBe(14);
});

test.skipIf(process.platform !== "linux")("the limit of this process is known", () => {
  expect(openFilesMax()).toBeGreaterThan(10);
});

test("each inherited socket has a worker, and each worker one of each address if there are enough", () => {
  const sockets = [1, 2, 3].flatMap((one) => [
    { key: "a:1", descriptor: one },
    { key: "b:2", descriptor: one + 10 },
  ]);
  sockets.push({ key: "unix:/s", descriptor: 20 });
  const descriptors = (workers: number) =>
    socketsByWorker(sockets, workers).map((own) => own.map(({ descriptor }) => descriptor));
  expect(descriptors(3)).toEqual([
    [1, 11, 20],
    [2, 12],
    [3, 13],
  ]);
  expect(descriptors(2)).toEqual([
    [1, 11, 3, 13, 20],
    [2, 12],
  ]);
  expect(descriptors(4)[3]).toEqual([]);
});

const listensOn = (port: number) =>
  ({ servers: [{ listen: [{ host: "127.0.0.1", port }] }] }) as unknown as Config;

afterEach(() => {
  vi.restoreAllMocks();
});

/** Calls `run` with a port on which a server listens. */
async function withServer(run: (port: number) => Promise<unknown>): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen({ port: 0, host: "127.0.0.1" }, resolve));
  const { port } = server.address() as { port: number };
  await run(port);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test("a port that another program listens on cannot be shared", async () => {
  await withServer(async (port) => {
    const shared = sharePorts(listensOn(port), new Set());
    await expect(shared).rejects.toThrow(`bind() to 127.0.0.1:${port} failed (98`);
  });
});

test.skipIf(process.platform !== "linux")(
  "nobody is connected to a socket that only finds out whether a port is free",
  async () => {
    const port = await withServer(async () => {});
    const listens = vi.spyOn(Server.prototype, "listen");
    const { servers } = await sharePorts(listensOn(port), new Set());
    expect(servers[0]!.listen[0]!.reusePort).toBe(true);
    expect(listens).not.toHaveBeenCalled();
  },
);
