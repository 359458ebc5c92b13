/** One request of the main thread's to an engine: bounded in time and size, on a connection of its own. */
import { request } from "node:http";
import type { Address } from "../../pool/address.ts";
import { probeResponseBytesMax, probeTimeoutMs } from "../limits.ts";

export interface EngineResponse {
  readonly status: number;
  readonly body: Buffer;
}

/**
 * Why there is no response: `refused` = nothing listens at the address, so the server that was there has ended;
 * `too-large` = it has more bytes than are read.
 */
export type NoResponse = "refused" | "failed" | "too-large";

/** What is asked; by default a small GET, as discovery and polling need it. */
export interface EngineRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | undefined;
  readonly timeoutMs: number;
  /** Of the response. */
  readonly bytesMax: number;
}

export type AskEngine = (
  address: Address,
  path: string,
  request?: Partial<EngineRequest>,
) => Promise<EngineResponse | NoResponse>;

/** Never rejects. A response that is too large or does not end in time is none. */
export function askEngine(
  address: Address,
  path: string,
  {
    method,
    headers,
    body,
    timeoutMs,
    bytesMax = probeResponseBytesMax,
  }: Partial<EngineRequest> = {},
): Promise<EngineResponse | NoResponse> {
  const where =
    address.path === undefined
      ? { host: address.host, port: address.port }
      : { socketPath: address.path };
  return new Promise((resolve) => {
    const outgoing = request({
      ...where,
      path,
      ...(method !== undefined && { method }),
      agent: false,
      headers: {
        accept: "application/json",
        ...(body !== undefined && {
          "content-type": "application/json",
          "content-length": body.length,
        }),
        ...headers,
      },
    });
    // Bounds the whole exchange; the time-out of `node:http` starts again with each byte.
    const timer = setTimeout(() => outgoing.destroy(), timeoutMs ?? probeTimeoutMs);
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
        if (bytes <= bytesMax) chunks.push(chunk);
        else {
          end("too-large");
          outgoing.destroy();
        }
      });
      response.on("error", () => end("failed"));
      response.on("end", () => {
        if (response.complete)
          end({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) });
      });
    });
    outgoing.end(body);
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
