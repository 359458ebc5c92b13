/** One small GET to an engine, beside the requests of clients: bounded in time and size, on a connection of its own. */
import { request } from "node:http";
import { probeResponseBytesMax, probeTimeoutMs } from "../../limits.ts";
import type { Address } from "../../pool/address.ts";

export interface EngineResponse {
  readonly status: number;
  readonly body: Buffer;
}

/** Why there is no answer: `refused` = nobody listens, so whoever was there before is gone. */
export type NoResponse = "refused" | "failed";

/** Never rejects. */
export function askEngine(address: Address, path: string): Promise<EngineResponse | NoResponse> {
  const where =
    address.path === undefined
      ? { host: address.host, port: address.port }
      : { socketPath: address.path };
  return new Promise((resolve) => {
    const asked = request({
      ...where,
      path,
      agent: false,
      headers: { accept: "application/json" },
    });
    // The whole of it, unlike the request's own time-out, which each byte sets back.
    const timer = setTimeout(() => asked.destroy(), probeTimeoutMs);
    const end = (response: EngineResponse | NoResponse) => {
      clearTimeout(timer);
      resolve(response);
    };
    asked.on("error", (error: NodeJS.ErrnoException) => {
      end(error.code === "ECONNREFUSED" ? "refused" : "failed");
    });
    asked.on("close", () => end("failed"));
    asked.on("response", (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes <= probeResponseBytesMax) chunks.push(chunk);
        else {
          end("failed");
          asked.destroy();
        }
      });
      response.on("error", () => end("failed"));
      response.on("end", () => {
        if (response.complete)
          end({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) });
      });
    });
    asked.end();
  });
}

/** Runs a task for each item, so many at a time. */
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
