/**
 * The head of an HTTP/2 request as the text of an HTTP/1.1 head, which is what the rest of the proxy reads (RFC 9113,
 * section 8). Whatever could mean another request there is refused here, whatever the library below has let pass.
 */
import { type HttpProblem, PROBLEMS } from "../http1/problems.ts";
import { connectionFields } from "./connection-fields.ts";

export interface RequestText {
  readonly text: string;
  readonly method: string;
  /** Bytes that the client announces; -1 = it does not. */
  readonly contentLength: number;
  /** A body comes whose length is not known: it follows in chunks. */
  readonly isChunked: boolean;
}

const malformed = (detail: string): HttpProblem => ({
  status: 400,
  code: "GP_BAD_HTTP2_HEAD",
  detail,
});

const problems = {
  pseudo: malformed("pseudo-header fields are not: :method, :scheme, :path, each once, first"),
  name: malformed("field name is empty, or has an upper-case letter or another wrong character"),
  value: malformed("field value has a line end or NUL, or white space around it"),
  connection: malformed("fields about the connection are not allowed in HTTP/2"),
  te: malformed("te is not: trailers"),
  path: malformed(":path does not begin with a slash"),
  hosts: malformed("host is not the same as :authority"),
  length: malformed("content-length announces a body, and none comes"),
} as const;

const pseudoNames = new Set([":method", ":scheme", ":path", ":authority"]);
const goodName = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
const badValue = /[\0\r\n]|^[ \t]|[ \t]$/;
const badWord = /[\0-\x20\x7f]/;

/** What the fields say, as far as it matters here. */
class FieldReader {
  readonly pseudo = new Map<string, string>();
  lines = "";
  cookies = "";
  host: string | undefined;
  length: string | undefined;
  #isInFields = false;

  add(name: string, value: string): HttpProblem | undefined {
    if (name.startsWith(":")) return this.#addPseudo(name, value);
    this.#isInFields = true;
    if (!goodName.test(name)) return problems.name;
    if (badValue.test(value)) return problems.value;
    if (connectionFields.has(name)) return problems.connection;
    switch (name) {
      case "te":
        return value.toLowerCase() === "trailers" ? undefined : problems.te;
      case "cookie":
        // RFC 9113, section 8.2.3: a client may split them.
        this.cookies += this.cookies === "" ? value : `; ${value}`;
        return undefined;
      case "host":
        if (this.host !== undefined) return PROBLEMS.severalHosts;
        this.host = value;
        return undefined;
      case "content-length":
        this.length ??= value;
    }
    this.lines += `${name}: ${value}\r\n`;
    return undefined;
  }

  #addPseudo(name: string, value: string): HttpProblem | undefined {
    const { pseudo } = this;
    if (this.#isInFields || !pseudoNames.has(name) || pseudo.has(name)) return problems.pseudo;
    if (value === "" || badWord.test(value)) return problems.pseudo;
    pseudo.set(name, value);
    return undefined;
  }
}

/**
 * @param fields names and values in turn, in their order, one character per byte (latin1)
 * @param hasBody the request does not end with its head
 */
export function requestText(
  fields: readonly string[],
  hasBody: boolean,
): RequestText | HttpProblem {
  const reader = new FieldReader();
  for (let i = 0; i < fields.length; i += 2) {
    const problem = reader.add(fields[i]!, fields[i + 1]!);
    if (problem !== undefined) return problem;
  }
  const { pseudo, lines, cookies, host, length } = reader;
  const method = pseudo.get(":method");
  const authority = pseudo.get(":authority");
  if (host !== undefined && authority !== undefined && host !== authority) return problems.hosts;
  if (method === "CONNECT") return PROBLEMS.unknownMethod;
  const path = pseudo.get(":path");
  if (method === undefined || path === undefined || !pseudo.has(":scheme")) return problems.pseudo;
  if (!path.startsWith("/") && path !== "*") return problems.path;
  const contentLength = length !== undefined && /^\d{1,15}$/.test(length) ? Number(length) : -1;
  if (!hasBody && contentLength > 0) return problems.length;
  const isChunked = hasBody && length === undefined;
  const name = authority ?? host;
  const hostLine = name === undefined ? "" : `Host: ${name}\r\n`;
  const cookieLine = cookies === "" ? "" : `cookie: ${cookies}\r\n`;
  const codingLine = isChunked ? "Transfer-Encoding: chunked\r\n" : "";
  const text = `${method} ${path} HTTP/1.1\r\n${hostLine}${lines}${cookieLine}${codingLine}\r\n`;
  return { text, method, contentLength, isChunked };
}
