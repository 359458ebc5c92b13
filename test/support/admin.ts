/** What operators read of a proxy that serves. */
import { ask } from "./http-client.ts";
import type { ServingProxy } from "./stack.ts";

/** The origin of its listener for operators. The error log must have the level `notice` or a lower one. */
export async function adminOf({ command }: Pick<ServingProxy, "command">): Promise<string> {
  const [, url] = await command.saysError(/(http:\/\/[^\s]+)\/admin\//);
  return url!;
}

/** How many requests wait for a place at an engine of the pool. */
export async function waitingRequests(admin: string, pool: string): Promise<number> {
  const { body } = await ask(`${admin}/admin/metrics`);
  const line = new RegExp(`^global_proxy_waiting_requests\\{pool="${pool}"\\} (\\d+)$`, "m");
  return Number(line.exec(body)?.[1]);
}
