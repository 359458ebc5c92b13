/** Which header lines an engine gets: the client's, without those of one hop and those that the route sets itself. */
import { transferHeaders } from "../../dialects/transfer-guard.ts";
import { FieldSet } from "../../http1/fields/field-set.ts";
import { forwardedLines } from "../../http1/fields/forwarded-lines.ts";
import type { RequestContext } from "../context/request-context.ts";
import { singleLine, utf8 } from "./header-text.ts";
import type { Render } from "./render.ts";
import type { VariableScope } from "./template.ts";

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

/** Where clients send their keys. */
const keyHeaders = ["Authorization", "X-Api-Key", "Api-Key"];
const dropsEncoding = 1;
const dropsId = 2;
const dropsKeys = 4;

/** Of W3C Trace Context. */
const traceHeaders = ["traceparent", "tracestate"];

/** Chooses a rank of the engine. Load is counted by rank, so a client has no say in it. */
export const dpRankHeader = "X-data-parallel-rank";

export class HeadPlan {
  readonly #set: {
    readonly name: string;
    readonly value: Render;
    readonly isEncoding: boolean;
    readonly isRequestId: boolean;
    readonly isKey: boolean;
  }[] = [];
  readonly #dropped: readonly string[];
  /** Lines of the client that are dropped, by the sum of the `drops…` above. Made at their first use. */
  readonly #drops: (FieldSet | undefined)[] = Array.from({ length: 2 * dropsKeys });
  readonly #setsHost: boolean;
  readonly #setsRequestId: boolean;

  /**
   * @param guards lines by which a client would steer KV transfers are dropped
   * @param traces each leg has a span of its own, of which it is told
   * @param dropsAllKeys clients send keys that are for the proxy alone
   */
  constructor(
    setHeaders: Readonly<Record<string, string>>,
    scope: VariableScope,
    guards: boolean,
    traces = false,
    dropsAllKeys = false,
  ) {
    // Of a name that is written in two ways the last one counts.
    const byName = new Map(Object.keys(setHeaders).map((name) => [name.toLowerCase(), name]));
    const names = [...byName.values()].filter(
      (name) =>
        !(ours.has(name.toLowerCase()) || (traces && traceHeaders.includes(name.toLowerCase()))),
    );
    const steering = guards ? transferHeaders : [dpRankHeader];
    this.#dropped = [
      ...names,
      "Host",
      "Content-Length",
      "Expect",
      ...steering,
      ...(traces ? traceHeaders : []),
      ...(dropsAllKeys ? keyHeaders : []),
    ];
    const isSet = (wanted: string) => names.some((name) => name.toLowerCase() === wanted);
    this.#setsHost = isSet("host");
    this.#setsRequestId = isSet("x-request-id");
    for (const name of names) {
      const value = scope.compile(utf8(setHeaders[name]!));
      const lower = name.toLowerCase();
      const isEncoding = lower === "accept-encoding";
      const isKey = lower === "authorization";
      this.#set.push({ name, value, isEncoding, isRequestId: lower === "x-request-id", isKey });
    }
  }

  /**
   * A request head, as latin1 text with its blank line.
   * @param isRead the dialect reads the response
   * @param uri path and query as the engine gets them
   * @param host the engine's own address, for where the route sets no `Host`
   * @param lines of the dialect, each with its CRLF
   * @param requestId given to the request by the proxy; "" = the client's own goes through, if any
   * @param isTransferLine the KV transfer needs this id, whatever the route sets
   * @param engineKey that the engine asks for, in place of the client's; "" = it asks for none
   */
  render(
    context: RequestContext,
    isRead: boolean,
    uri: string,
    host: string,
    requestId: string,
    bodyBytes: number,
    lines = "",
    isTransferLine = false,
    engineKey = "",
  ): string {
    const { head } = context;
    let text = `${context.method} ${uri} HTTP/1.1\r\n`;
    if (!this.#setsHost) text += `Host: ${host}\r\n`;
    for (const { name, value, isEncoding, isRequestId, isKey } of this.#set) {
      if ((isEncoding && isRead) || (isRequestId && isTransferLine) || (isKey && engineKey))
        continue;
      const rendered = value(context);
      if (rendered !== "") text += `${name}: ${singleLine(rendered)}\r\n`;
    }
    const givesId = isTransferLine || (requestId !== "" && !this.#setsRequestId);
    // A response that a dialect reads must not be compressed.
    const drops = (isRead ? dropsEncoding : 0) + (givesId ? dropsId : 0);
    text += forwardedLines(head.fields, this.#dropsOf(drops + (engineKey === "" ? 0 : dropsKeys)));
    if (engineKey !== "") text += `Authorization: Bearer ${engineKey}\r\n`;
    if (givesId) text += `X-Request-Id: ${requestId}\r\n`;
    // A request that came without a body goes without; a length of zero is said only where the client said it.
    if (bodyBytes > 0 || head.contentLength >= 0 || head.chunked)
      text += `Content-Length: ${bodyBytes}\r\n`;
    return `${text}${lines}\r\n`;
  }

  #dropsOf(sum: number): FieldSet {
    const known = this.#drops[sum];
    if (known !== undefined) return known;
    const encoding = sum & dropsEncoding ? ["Accept-Encoding"] : [];
    const id = sum & dropsId ? ["X-Request-Id"] : [];
    const keys = sum & dropsKeys ? keyHeaders : [];
    const made = new FieldSet([...this.#dropped, ...encoding, ...id, ...keys]);
    this.#drops[sum] = made;
    return made;
  }
}
