/** The descriptor of a listening socket, for the process that takes it over. */
import type { Server } from "node:net";

/** Undefined = it does not listen. Node and Bun have no public API for it. */
export function descriptorOf(server: Server): number | undefined {
  const { _handle: handle } = server as { _handle?: { fd?: number } | null };
  return handle?.fd;
}
