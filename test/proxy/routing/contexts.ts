/** Requests for templates, routing and logs, without a connection. */
import { systemIds } from "../../../src/dialects/shared/id-generator.ts";
import { findHeadEnd } from "../../../src/http1/head/head-end.ts";
import { normalizePath } from "../../../src/http1/head/normalize-path.ts";
import { parseRequestHead, RequestHead } from "../../../src/http1/head/request-head.ts";
import type { LegRecord } from "../../../src/proxy/context/legs.ts";
import { RequestContext } from "../../../src/proxy/context/request-context.ts";
import { type Clock, systemClock } from "../../../src/transport/clock.ts";

/** The context of a request (latin1 text with its blank line) as the proxy has it before routing. */
export function contextOf(text: string, clock: Clock = systemClock): RequestContext {
  const bytes = Buffer.from(text, "latin1");
  const head = new RequestHead();
  const end = findHeadEnd(bytes, 0, bytes.length);
  const problem = end < 0 ? { code: "no head" } : parseRequestHead(text.slice(0, end), head);
  if (problem !== undefined) throw new Error(`${problem.code}: ${JSON.stringify(text)}`);
  const facts = {
    serial: 7,
    openedMs: clock.nowMs() - 5,
    remoteAddress: "127.0.0.1",
    remotePort: 40_000,
    localAddress: "127.0.0.1",
    localPort: 80,
    requests: 1,
    tls: undefined,
    isPlainToTls: false,
    http2: "" as const,
  };
  const context = new RequestContext(head, facts, { clock, ids: systemIds });
  context.requestBytes = bytes.length;
  const path = normalizePath(head.path);
  if (path === undefined) throw new Error(`bad path: ${head.path}`);
  context.path = path;
  return context;
}

export function request(target: string, ...lines: string[]): string {
  const host = lines.some((line) => /^host:/i.test(line)) ? [] : ["Host: a.example"];
  return `${[`GET ${target} HTTP/1.1`, ...host, ...lines].join("\r\n")}\r\n\r\n`;
}

export function legRecord(part: Partial<LegRecord>): LegRecord {
  return {
    address: "10.0.0.1:8000",
    sentMs: 0,
    promptTokens: 0,
    connectedMs: -1,
    headMs: -1,
    endMs: -1,
    status: 0,
    bytesReceived: 0,
    headBytes: 0,
    bytesSent: 0,
    ...part,
  };
}
