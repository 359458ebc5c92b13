/** What a fault sends in place of a response, whatever the request asks for. */

import { errorBodyAt } from "../endpoints/registry.ts";
import type { Fault } from "../faults/fault.ts";
import type { Reply } from "../http/reply.ts";
import { RequestError } from "../http/request-error.ts";

/** False if the fault leaves the request to its route, and strikes later or not at all. */
export function respondByFault(reply: Reply, fault: Fault, path: string): boolean {
  if (fault.kind === "reset-before-headers") reply.reset(fault);
  else if (fault.kind === "reset-in-headers") reply.raw("HTTP/1.1 200 OK\r\ncontent-ty", fault);
  else if (fault.kind === "drip") reply.drip(fault);
  else if (fault.kind === "garbage") reply.raw("\0\0\0NONSENSE\r\n\r\n", fault);
  else if (fault.kind === "status") reply.send(fault.code, errorBody(fault.code, path));
  else if (fault.kind === "junk") sendJunk(reply, fault, path);
  else return false;
  return true;
}

function errorBody(status: number, path: string): string {
  const message = "A fault was set for this engine.";
  return errorBodyAt(path, new RequestError(status, "InternalServerError", message));
}

/** 200, with what is no response. */
function sendJunk(reply: Reply, { body }: Fault, path: string): void {
  if (body === "error") reply.send(200, errorBody(500, path));
  else if (body === "html") reply.send(200, "<html><body>busy</body></html>", "text/html");
  else if (body === "empty") reply.send(200, "");
  else {
    reply.openEvents();
    reply.event(": busy\n\n");
    reply.endEvents();
  }
}
