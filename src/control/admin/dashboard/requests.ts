/** The requests that operators see, of all workers together. */
import { listedRequestsMax } from "../../../limits.ts";
import type { RequestRecord } from "../../../proxy/context/explained/request-record.ts";
import type { RequestLists } from "../../../proxy/worker/explanations.ts";
import type { RequestsMessage } from "./messages.ts";

export function requestsOf(byWorker: readonly RequestLists[]): RequestsMessage {
  const all = (list: Exclude<keyof RequestLists, "flows">, first: Order) =>
    byWorker
      .flatMap((lists) => lists[list])
      .sort(first)
      .slice(0, listedRequestsMax);
  return {
    running: all("running", (a, b) => b.at.localeCompare(a.at)),
    recent: all("recent", byEnd),
    failed: all("failed", byEnd),
    clientFaults: all("clientFaults", byEnd),
    slowToStart: all("slowToStart", (a, b) => b.firstByteMs - a.firstByteMs),
    slowToEnd: all("slowToEnd", (a, b) => b.endMs - a.endMs),
    flows: byWorker.flatMap(({ flows }) => flows),
  };
}

type Order = (a: RequestRecord, b: RequestRecord) => number;

/** The last one first. */
const byEnd: Order = (a, b) => endedAt(b) - endedAt(a);

function endedAt({ at, endMs }: RequestRecord): number {
  return Date.parse(at) + endMs;
}
