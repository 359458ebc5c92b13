/** One request of the main thread's to an engine, and several at a time. */
import type { Address } from "../../pool/address.ts";
import { probeResponseBytesMax, probeTimeoutMs } from "../limits.ts";
import { type HttpRequest, isFailure, requestOnce } from "./request-once.ts";

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
export type EngineRequest = Pick<
  HttpRequest,
  "method" | "path" | "headers" | "body" | "timeoutMs" | "bytesMax" | "tls"
>;

export type AskEngine = (
  address: Address,
  path: string,
  request?: Partial<EngineRequest>,
) => Promise<EngineResponse | NoResponse>;

/** Never rejects. A response that is too large or does not end in time is none. */
export const askEngine: AskEngine = async (
  address,
  path,
  {
    method = "GET",
    headers,
    body,
    timeoutMs = probeTimeoutMs,
    bytesMax = probeResponseBytesMax,
    tls,
  } = {},
) => {
  const response = await requestOnce(address, {
    method,
    path,
    headers: {
      accept: "application/json",
      ...(body && { "content-type": "application/json" }),
      ...headers,
    },
    body,
    timeoutMs,
    bytesMax,
    tls,
  });
  if (!isFailure(response)) return response;
  const { kind } = response;
  if (kind === "large") return "too-large";
  return kind === "refused" ? "refused" : "failed";
};

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
