/** Free ports of this machine. */
import { createServer } from "node:net";

/**
 * Below the range from which the kernel takes ports for outgoing connections, so that none of those gets in the way.
 */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = 12_000 + Math.floor(Math.random() * 20_000);
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}

/** The first of so many free ports in a row. */
export async function freePortRun(count: number): Promise<number> {
  for (;;) {
    const [first] = (await freePorts(1)) as [number];
    const row = await Promise.all(Array.from({ length: count }, (_, i) => isFree(first + i)));
    if (row.every((free) => free)) return first;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
