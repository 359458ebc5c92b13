/** One HTTP request, on a connection of its own: bounded in time and size, and it says why it failed. */
import { type IncomingHttpHeaders, request } from "node:http";
import type { RequestOptions } from "node:https";
import { isIP } from "node:net";
import type { PeerCertificate } from "node:tls";
import type { Address } from "../../pool/address.ts";
import { type ClientTlsSettings, clientOptions, tlsLibrary } from "../../transport/tls/context.ts";
import { faultWords, isFault } from "../../transport/tls/verification.ts";

export interface HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | undefined;
  /** For the whole exchange. */
  readonly timeoutMs: number;
  /** Of the response's body. */
  readonly bytesMax: number;
  /** Leave so long after the request was sent, or when the first bytes of the response have come. */
  readonly leave?: { readonly afterMs: number } | "after-first-bytes" | undefined;
  /** Of an address with TLS: whom to trust. Undefined = whom the runtime trusts. */
  readonly tls?: ClientTlsSettings | undefined;
  /** Ends it early. */
  readonly stop?: AbortSignal;
}

export interface HttpResponse {
  /** 0 = this side left before there was one. */
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** This side left before the end, as it was asked to. */
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

export interface HttpFailure {
  readonly kind: FailureKind;
  /** Half a sentence: "the connection was refused". */
  readonly why: string;
}

export function isFailure(result: HttpResponse | HttpFailure): result is HttpFailure {
  return "why" in result;
}

/** Never rejects. */
export function requestOnce(
  address: Address,
  { method, path, headers, body, timeoutMs, bytesMax, leave, stop, tls }: HttpRequest,
): Promise<HttpResponse | HttpFailure> {
  const where =
    address.path === undefined
      ? { host: address.host, port: address.port }
      : { socketPath: address.path };
  const length = body && { "content-length": body.length };
  return new Promise((resolve) => {
    // `node:https` is loaded once an engine is asked so.
    const ask = address.isTls ? process.getBuiltinModule("node:https").request : request;
    const outgoing = ask({
      ...where,
      ...(tls && tlsOptions(tls, address.host ?? "localhost")),
      path,
      method,
      agent: false,
      headers: { ...length, ...headers },
    });
    let leaving: NodeJS.Timeout | undefined;
    const end = (result: HttpResponse | HttpFailure) => {
      clearTimeout(timer);
      clearTimeout(leaving);
      stop?.removeEventListener("abort", stopped);
      resolve(result);
      outgoing.destroy();
    };
    const left = (status: number, chunks: readonly Buffer[], fields: IncomingHttpHeaders) =>
      end({ status, headers: fields, body: Buffer.concat(chunks), hasLeft: true });
    const stopped = () => end({ kind: "stopped", why: "it was stopped" });
    stop?.addEventListener("abort", stopped);
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
        else if (bytes > bytesMax) {
          end({ kind: "large", why: `the response has more than ${bytesMax} bytes` });
        }
      });
      response.on("error", (error: NodeJS.ErrnoException) => end(failureOf(error)));
      response.on("end", () => {
        if (!response.complete) end({ kind: "broken", why: "the response broke off" });
        else end({ status, headers: fields, body: Buffer.concat(chunks), hasLeft: false });
      });
    });
    outgoing.end(body);
  });
}

function tlsOptions(settings: ClientTlsSettings, host: string): RequestOptions {
  const { verifies, sendsName, name = host } = settings;
  const { checkServerIdentity } = tlsLibrary();
  return {
    ...clientOptions(settings),
    rejectUnauthorized: verifies,
    servername: sendsName && isIP(name) === 0 ? name : "",
    checkServerIdentity: (_: string, certificate: PeerCertificate) =>
      verifies ? checkServerIdentity(name, certificate) : undefined,
  };
}

export function seconds(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${Number((ms / 1_000).toFixed(1))} s`;
}

/** Codes of Node and of Bun. */
function failureOf({ code = "", message }: NodeJS.ErrnoException): HttpFailure {
  if (/ECONNREFUSED|ConnectionRefused/i.test(code + message)) {
    return { kind: "refused", why: "the connection was refused: nothing listens there" };
  }
  if (isFault(code)) {
    return { kind: "broken", why: `its certificate is not trusted: ${faultWords(code)}` };
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
