/** One request of the check to an engine or to the proxy: bounded in time and size, and it says why it failed. */
import { type IncomingHttpHeaders, request } from "node:http";
import type { Address } from "../../pool/address.ts";
import type { Clock } from "../../transport/clock.ts";
import { checkResponseBytesMax } from "../limits.ts";

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** From the request to the last byte of its response. */
  readonly ms: number;
  /** The client left before the end, as it was asked to. */
  readonly hasLeft: boolean;
}

export type FailureKind =
  | "refused"
  | "unknown-host"
  | "timeout"
  | "not-http"
  | "broken"
  | "large"
  | "stopped";

export interface Failure {
  readonly kind: FailureKind;
  /** Half a sentence: "the connection was refused". */
  readonly why: string;
}

export interface Question {
  readonly path: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly timeoutMs: number;
  /** Leave so long after the request was sent, or when the first bytes of the response have come. */
  readonly leave?: { readonly afterMs: number } | "after-first-bytes";
}

export function isFailure(result: Answer | Failure): result is Failure {
  return "why" in result;
}

/**
 * Never rejects. Each question has a connection of its own.
 * @param stop ends it early
 */
export function ask(
  address: Address,
  { path, method, headers, json, timeoutMs, leave }: Question,
  clock: Clock,
  stop: AbortSignal,
): Promise<Answer | Failure> {
  const body = json === undefined ? undefined : Buffer.from(JSON.stringify(json));
  const where =
    address.path === undefined
      ? { host: address.host, port: address.port }
      : { socketPath: address.path };
  const startMs = clock.nowMs();
  return new Promise((resolve) => {
    const outgoing = request({
      ...where,
      path,
      method: method ?? (body === undefined ? "GET" : "POST"),
      agent: false,
      headers: {
        accept: "*/*",
        ...(body && { "content-type": "application/json", "content-length": body.length }),
        ...headers,
      },
    });
    let leaving: NodeJS.Timeout | undefined;
    const end = (result: Answer | Failure) => {
      clearTimeout(timer);
      clearTimeout(leaving);
      stop.removeEventListener("abort", stopped);
      resolve(result);
      outgoing.destroy();
    };
    const left = (status: number, chunks: readonly Buffer[], fields: IncomingHttpHeaders) => {
      const ms = clock.nowMs() - startMs;
      end({ status, headers: fields, body: Buffer.concat(chunks), ms, hasLeft: true });
    };
    const stopped = () => end({ kind: "stopped", why: "the check was stopped" });
    stop.addEventListener("abort", stopped);
    // Bounds the whole exchange, unlike the time-out of `node:http`, which begins again with each byte.
    const timer = setTimeout(() => {
      end({ kind: "timeout", why: `there was no response within ${seconds(timeoutMs)}` });
    }, timeoutMs);
    if (typeof leave === "object") leaving = setTimeout(() => left(0, [], {}), leave.afterMs);
    outgoing.on("error", (error: NodeJS.ErrnoException) => end(failureOf(error)));
    outgoing.on("close", () => end({ kind: "broken", why: "the connection was closed" }));
    outgoing.on("response", (response) => {
      const { statusCode: status = 0, headers: fields } = response;
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on("data", (chunk: Buffer) => {
        chunks.push(chunk);
        bytes += chunk.length;
        if (leave === "after-first-bytes") left(status, chunks, fields);
        else if (bytes > checkResponseBytesMax) {
          end({ kind: "large", why: `the response has more than ${checkResponseBytesMax} bytes` });
        }
      });
      response.on("error", (error: NodeJS.ErrnoException) => end(failureOf(error)));
      response.on("end", () => {
        const ms = clock.nowMs() - startMs;
        if (!response.complete) end({ kind: "broken", why: "the response broke off" });
        else end({ status, headers: fields, body: Buffer.concat(chunks), ms, hasLeft: false });
      });
    });
    outgoing.end(body);
  });
}

export function seconds(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${Number((ms / 1_000).toFixed(1))} s`;
}

/** Codes of Node and of Bun. */
function failureOf({ code = "", message }: NodeJS.ErrnoException): Failure {
  if (/ECONNREFUSED|ConnectionRefused/i.test(code + message)) {
    return { kind: "refused", why: "the connection was refused: nothing listens there" };
  }
  if (/ENOTFOUND|EAI_AGAIN|DNS/i.test(code)) {
    return { kind: "unknown-host", why: "the host's name is not known" };
  }
  if (/^HPE_|Malformed|InvalidHTTP|Parse/i.test(code + message)) {
    return { kind: "not-http", why: "what listens there does not speak HTTP" };
  }
  if (/ETIMEDOUT|EHOSTUNREACH|ENETUNREACH/.test(code)) {
    return { kind: "timeout", why: `the host cannot be reached (${code})` };
  }
  return { kind: "broken", why: `the connection broke off (${code || message})` };
}
