/** Which header lines an engine gets: the client's, without those of one hop and those that the route sets itself. */
import { FieldSet } from "../http1/field-set.ts";
import { forwardedLines } from "../http1/forwarded-lines.ts";
import type { RequestContext } from "./context.ts";
import type { Render, VariableScope } from "./template.ts";

/** The proxy's own business: a configuration's word on these has no effect. */
const ours: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "content-length",
  "te",
  "trailer",
  "upgrade",
  "expect",
]);

export class HeadPlan {
  readonly #set: { readonly name: string; readonly value: Render }[] = [];
  readonly #drop: FieldSet;
  readonly #dropForPrefill: FieldSet;
  readonly #setsHost: boolean;
  readonly #setsRequestId: boolean;

  constructor(setHeaders: Readonly<Record<string, string>>, scope: VariableScope) {
    const names = Object.keys(setHeaders).filter((name) => !ours.has(name.toLowerCase()));
    const dropped = [...names, "Host", "Content-Length", "Expect"];
    // The hand-off is read out of the prefill's answer, which therefore must not be compressed.
    this.#dropForPrefill = new FieldSet([...dropped, "Accept-Encoding"]);
    this.#drop = new FieldSet(dropped);
    const isSet = (wanted: string) => names.some((name) => name.toLowerCase() === wanted);
    this.#setsHost = isSet("host");
    this.#setsRequestId = isSet("x-request-id");
    for (const name of names)
      this.#set.push({ name, value: scope.compile(utf8(setHeaders[name]!)) });
  }

  /**
   * A request head, as latin1 text with its blank line.
   * @param uri path and query as the engine gets them
   * @param host the engine's own address, for where the route sets no `Host`
   * @param requestId given to the request by the proxy; "" = the client's own goes through, if any
   */
  render(
    context: RequestContext,
    leg: "prefill" | "decode",
    uri: string,
    host: string,
    requestId: string,
    bodyBytes: number,
  ): string {
    const { head } = context;
    let text = `${context.method} ${uri} HTTP/1.1\r\n`;
    if (!this.#setsHost) text += `Host: ${host}\r\n`;
    for (const { name, value } of this.#set) {
      const rendered = value(context);
      if (rendered !== "") text += `${name}: ${singleLine(rendered)}\r\n`;
    }
    text += forwardedLines(head.fields, leg === "prefill" ? this.#dropForPrefill : this.#drop);
    if (requestId !== "" && !this.#setsRequestId) text += `X-Request-Id: ${requestId}\r\n`;
    // A request that came without a body goes without; a length of zero is said only where the client said it.
    if (bodyBytes > 0 || head.contentLength >= 0 || head.chunked)
      text += `Content-Length: ${bodyBytes}\r\n`;
    return `${text}\r\n`;
  }
}

/** Heads are written as latin1: text of the configuration is turned into the bytes of its UTF-8 first. */
function utf8(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

/** Values come from variables, some of which a client fills (decoded paths): no line may end early. */
function singleLine(value: string): string {
  return /[\r\n\0]/.test(value) ? value.replace(/[\r\n\0]+/g, " ") : value;
}
