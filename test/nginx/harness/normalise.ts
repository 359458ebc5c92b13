/**
 * What always differs between two servers, and what no peer can tell apart, taken out of what they sent. All of it is
 * in this file. Whatever else differs is a fault, or stands in the list of differences.
 */
import { headEnd, responseEnd } from "./messages.ts";

export interface Asked {
  /** Its responses have no bodies. */
  readonly isHead: boolean;
  /** By HTTP/1.0 or HTTP/0.9. */
  readonly isOld: boolean;
}

/** Of what a client got: any number of responses. */
export function normaliseResponses(text: string, { isHead, isOld }: Asked): string {
  const parts: string[] = [];
  let rest = text;
  while (rest.startsWith("HTTP/1.") && headEnd(rest) > 0) {
    const head = headEnd(rest);
    const isInterim = /^HTTP\/1\.1 1(?!01)/.test(rest);
    const end = isInterim ? head : responseEnd(rest, isHead);
    const whole = end < 0 ? rest : rest.slice(0, end);
    parts.push(normaliseResponse(whole.slice(0, head), whole.slice(head), isOld));
    rest = rest.slice(whole.length);
  }
  return [...parts, rest].join("");
}

function normaliseResponse(head: string, body: string, isOld: boolean): string {
  const [statusLine = "", ...lines] = linesOf(head);
  let fields = lines
    .map(trimmed)
    // The programs' own names. That of an engine is compared.
    .filter((line) => !/^server: (?:nginx(?:\/1\.22\.1)?|global-proxy)$/.test(line))
    // It says nothing that HTTP/1.1 does not say by itself.
    .filter((line) => isOld || line !== "connection: keep-alive")
    // The time of now. An engine's own is compared.
    .filter((line) => !isNow(line))
    .map(withoutClock);
  let content = isChunked(fields) ? joinChunks(body) : body;
  if (isOwnPage(content) || isBareRedirect(fields, content)) {
    const [, status = ""] = statusLine.split(" ");
    fields = fields.filter((line) => !/^(?:content-type|content-length|retry-after):/.test(line));
    content = `[own page of ${status}]`;
  }
  return [statusLine, ...sorted(fields), "", content].join("\n");
}

function isNow(line: string): boolean {
  const date = /^date: (.*)/.exec(line)?.[1];
  return date !== undefined && Math.abs(Date.parse(date) - Date.now()) < 3_600_000;
}

/** What counts from now is compared by its Cache-Control. */
function withoutClock(line: string): string {
  const expires = /^expires: (.*)/.exec(line)?.[1];
  const isNear = expires !== undefined && Math.abs(Date.parse(expires) - Date.now()) < 1e11;
  return isNear ? "expires: [by the clock]" : line;
}

/** nginx's pages are HTML with its name, the proxy's are JSON with a code of its own. */
function isOwnPage(content: string): boolean {
  return /<center>nginx\/1\.22\.1<\/center>/.test(content) || /"code":"GP_\w+"/.test(content);
}

/** Where nginx has a page, the proxy's redirects have nothing. */
function isBareRedirect(fields: readonly string[], content: string): boolean {
  const isRedirect = fields.some((line) => line.startsWith("location:"));
  return isRedirect && content === "" && fields.includes("content-length: 0");
}

/** Of what an engine got: one request. */
export function normaliseRequest(text: string): string {
  const head = headEnd(text);
  if (head < 0) return text;
  const [requestLine = "", ...lines] = linesOf(text.slice(0, head));
  // Connections to engines are kept by the proxy, and closed by nginx unless it is told otherwise.
  const fields = lines.map(trimmed).filter((line) => line !== "connection: close");
  return [requestLine, ...sorted(fields), "", text.slice(head)].join("\n");
}

function linesOf(head: string): string[] {
  return head.split(/\r?\n/).filter((line) => line !== "");
}

/** Names of fields have no letter case, and values end where white space begins. */
function trimmed(line: string): string {
  return line.replace(
    /^([^:]*):\s*(.*?)\s*$/,
    (_, name, value) => `${name.toLowerCase()}: ${value}`,
  );
}

/** The order of fields of different names has no meaning; that of fields of one name is kept. */
function sorted(fields: readonly string[]): string[] {
  const nameOf = (line: string) => line.slice(0, line.indexOf(":"));
  return fields.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : nameOf(a) > nameOf(b) ? 1 : 0));
}

function isChunked(fields: readonly string[]): boolean {
  return fields.some((line) => /^transfer-encoding: *chunked/i.test(line));
}

/** Where one chunk ends and the next begins has no meaning. What is no chunk stays as it is. */
function joinChunks(body: string): string {
  let data = "";
  let rest = body;
  for (;;) {
    const size = /^([0-9a-f]+)(?:;[^\r\n]*)?\r\n/i.exec(rest);
    if (size === null) return data + (rest === "" ? "[chunks break off]" : rest);
    const length = Number.parseInt(size[1]!, 16);
    const start = size[0].length;
    if (length === 0) return `${data}[last chunk]${rest.slice(start)}`;
    data += rest.slice(start, start + length);
    rest = rest.slice(start + length + 2);
  }
}
