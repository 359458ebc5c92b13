/** Socket files that a killed program left behind: they block binding although nothing listens. */
import { lstatSync, rmSync } from "node:fs";
import { connect } from "node:net";
import type { Config } from "../../config/schema/schema.ts";

/**
 * Removes the socket files of a configuration on which nothing listens, so that they can be bound again. A socket in
 * use and a file that is no socket stay: binding then fails, as it should.
 * @param known paths that this instance listens on already
 */
export async function removeStaleSockets(
  config: Config,
  known: ReadonlySet<string> = new Set(),
): Promise<void> {
  const paths = config.servers.flatMap(({ listen }) => listen.map(({ unixPath }) => unixPath));
  for (const path of new Set(paths)) {
    if (path === undefined || known.has(`unix:${path}`)) continue;
    if (isSocket(path) && (await isRefused(path))) rmSync(path, { force: true });
  }
}

function isSocket(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSocket() ?? false;
}

function isRefused(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.once("connect", () => {
      socket.destroy();
      resolve(false);
    });
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code === "ECONNREFUSED"));
  });
}
