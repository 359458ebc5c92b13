/** Free ports of this machine, for what cannot be told to choose one by itself (port 0). */
import { createServer } from "node:net";

/** Below the range from which the kernel takes ports for outgoing connections, so that none of those gets in the way. */
const range = { first: 12_000, end: 32_000 };
/** Test processes that run side by side each have a part of the range to themselves. Vitest numbers them from 1. */
const parts = 8;
const partPorts = Math.floor((range.end - range.first) / parts);
const part = Number(process.env.VITEST_POOL_ID ?? process.pid) % parts;
const first = range.first + part * partPorts;

/**
 * Ports are given in turn: one that is free now may have been given to somebody who is only about to listen on it. Where
 * the turn begins is up to chance, for a second run beside this one.
 */
let turn = Math.floor(Math.random() * partPorts);

export async function freePorts(count) {
  const ports = [];
  while (ports.length < count) ports.push(...(await freeInRow(1)));
  return ports;
}

/** The first of so many free ports in a row. */
export async function freePortRun(count) {
  for (;;) {
    const [port] = await freeInRow(count);
    if (port !== undefined) return port;
  }
}

/** The next so many, or none if not all of them are free. */
async function freeInRow(count) {
  if (turn + count > partPorts) turn = 0;
  const ports = Array.from({ length: count }, (_, i) => first + turn + i);
  turn += count;
  const free = await Promise.all(ports.map(isFree));
  return free.every(Boolean) ? ports : [];
}

function isFree(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
