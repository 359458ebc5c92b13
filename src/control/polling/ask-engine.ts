/** One small GET to an engine for discovery or polling: bounded in time and size, on a connection of its own. */
import { request } from "node:http";
import { probeResponseBytesMax, probeTimeoutMs } from "../../limits.ts";
import type { Address } from "../../pool/address.ts";

export interface EngineResponse {
  readonly status: number;
  readonly body: Buffer;
}

/** Why there is no response: `refused` = nothing listens at the address, so the server that was there has ended. */
export type NoResponse = "refused" | "failed";

/** Never rejects. */
export function askEngine(address: Address, path: string): Promise<EngineResponse | NoResponse> {
  const where =
    address.path === undefined
      ? { host: address.host, port: address.port }
      : { socketPath: address.path };
  return new Promise((resolve) => {
    const outgoing = request({
      ...where,
      path,
      agent: false,
      headers: { accept: "application/json" },
    });
    // Bounds the whole exchange; the time-out of `node:http` starts again with each byte.
    const timer = setTimeout(() => outgoing.destroy(), probeTimeoutMs);
    const end = (response: EngineResponse | NoResponse) => {
      clearTimeout(timer);
      resolve(response);
    };
    outgoing.on("error", (error: NodeJS.ErrnoException) => {
      end(error.code === "ECONNREFUSED" ? "refused" : "failed");
    });
    outgoing.on("close", () => end("failed"));
    outgoing.on("response", (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes <= probeResponseBytesMax) chunks.push(chunk);
        else {
          end("failed");
          outgoing.destroy();
        }
      });
      response.on("error", () => end("failed"));
      response.on("end", () => {
        if (response.complete)
          end({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) });
      });
    });
    outgoing.end();
  });
}

/** Runs a task for each item, at most `atOnce` at a time. */
export async function eachOf<Item>(
  items: Iterable<Item>,
  atOnce: number,
  task: (item: Item) => Promise<void>,
): Promise<void> {
  const queue = [...items];
  const runs = Array.from({ length: Math.min(atOnce, queue.length) }, async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await task(item);
  });
  await Promise.all(runs);
}
