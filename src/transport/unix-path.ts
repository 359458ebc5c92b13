/** Listening at a path that outlives its listener. */
import { linkSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Listener } from "./socket.ts";

/**
 * Has a listener bind a temporary name, and gives its socket the real one. Runtimes remove the name that a listener was
 * bound to when they close it; by then the path may be that of another process, which has the same socket. Rejects with
 * `EADDRINUSE` if there is a file at the path.
 */
export async function listenAtPath(
  path: string,
  listen: (name: string) => Promise<Listener>,
): Promise<Listener> {
  const name = join(dirname(path), `.gp${process.pid.toString(36)}`);
  rmSync(name, { force: true });
  const listener = await listen(name);
  try {
    linkSync(name, path);
    return { ...listener, address: { host: "", port: 0, path } };
  } catch (error) {
    listener.close();
    const isTaken = (error as NodeJS.ErrnoException).code === "EEXIST";
    throw isTaken ? Object.assign(new Error("in use"), { code: "EADDRINUSE", errno: -98 }) : error;
  } finally {
    rmSync(name, { force: true });
  }
}
