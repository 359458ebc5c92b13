/** Collects a request's body within its limit, and tells a complete request from one whose client disconnected. */

import type { IncomingMessage } from "node:http";
import { bodyBytesMax } from "../limits.ts";

/** `aborted`: the connection ended first; `too-large`: the rest is not read. */
export type BodyOutcome = Buffer | "aborted" | "too-large";

/** Calls `done` once. */
export function readBody(request: IncomingMessage, done: (body: BodyOutcome) => void): void {
  const parts: Buffer[] = [];
  let bytes = 0;
  let settled = false;
  const settle = (outcome: BodyOutcome): void => {
    if (settled) return;
    settled = true;
    done(outcome);
  };
  request.on("data", (part: Buffer) => {
    bytes += part.length;
    if (bytes > bodyBytesMax) settle("too-large");
    else if (!settled) parts.push(part);
  });
  request.on("error", () => {});
  request.on("end", () => settle(parts.length === 1 ? parts[0]! : Buffer.concat(parts)));
  // A client that disconnects right after a complete request has still asked: its KV must be released.
  request.on("close", () => settle(request.complete ? Buffer.concat(parts) : "aborted"));
}
