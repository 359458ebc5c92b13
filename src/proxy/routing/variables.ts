/** The built-in variables: name → value of a request. Names are listed in `config/values/variables.ts`. */
import { hostname } from "node:os";
import type { VariableName } from "../../config/values/variables.ts";
import { requestBodyVariableBytesMax } from "../../limits.ts";
import type { LegRecord } from "../context/legs.ts";
import { type Outcome, outcomes } from "../context/outcomes.ts";
import type { RequestContext } from "../context/request-context.ts";
import { parseTraceParent } from "../context/trace-context.ts";
import { binaryAddress } from "./binary-address.ts";
import { bodyMember } from "./body-member.ts";
import type { Render } from "./render.ts";
import { tlsValues } from "./tls-variables.ts";

const seconds = (ms: number) => (ms / 1000).toFixed(3);

/** When the request ended, or now: of the monotonic clock. */
function endOf({ endMs, sources }: RequestContext): number {
  return endMs < 0 ? sources.clock.nowMs() : endMs;
}

/** The same, in ms since the epoch. */
function wallMs(context: RequestContext): number {
  const { clock } = context.sources;
  return clock.wallMs() - (clock.nowMs() - endOf(context));
}

/** One value per try of the decode leg (of the prefill if the response is the prefill's), as nginx joins them. */
function perTry(context: RequestContext, value: (leg: LegRecord) => string): string {
  const tries = context.decodes.length > 0 ? context.decodes : context.prefills;
  return tries.map(value).join(", ");
}

const sinceSent = (leg: LegRecord, ms: number) => (ms < 0 ? "-" : seconds(ms - leg.sentMs));

function headValue(head: string, name: string): string {
  const wanted = `${name.replaceAll("_", "-")}:`;
  for (const line of head.split("\r\n")) {
    if (line.slice(0, wanted.length).toLowerCase() === wanted)
      return line.slice(wanted.length).trim();
  }
  return "";
}

function plainAddress(address: string): string {
  return address.startsWith("::ffff:") ? address.slice(7) : address;
}

/** A Host header without port and final dot, in lower case. */
export function hostName(host: string): string {
  return host.toLowerCase().replace(/\.?(?::\d*)?$/, "");
}

/** The request's host; the server's name where the request has none. */
function host(context: RequestContext): string {
  const name = hostName(context.head.host);
  return name === "" ? context.serverName : name;
}

/** As it came, before an absolute target was taken apart. */
function requestLine({ head, connection }: RequestContext): string {
  const { text } = head.fields;
  const line = text.slice(0, Math.max(0, text.indexOf("\r")));
  return connection.http2 === "" ? line : line.replace(/ HTTP\/1\.1$/, " HTTP/2.0");
}

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const two = (n: number) => String(n).padStart(2, "0");

function offset(date: Date, separator: string): string {
  const minutes = -date.getTimezoneOffset();
  const absolute = Math.abs(minutes);
  return `${minutes < 0 ? "-" : "+"}${two(Math.floor(absolute / 60))}${separator}${two(absolute % 60)}`;
}

function timeLocal(ms: number): string {
  const d = new Date(ms);
  const time = `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
  return `${two(d.getDate())}/${months[d.getMonth()]}/${d.getFullYear()}:${time} ${offset(d, "")}`;
}

function timeIso(ms: number): string {
  const d = new Date(ms);
  const day = `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}`;
  return `${day}T${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}${offset(d, ":")}`;
}

function remoteUser(context: RequestContext): string {
  const match = /^Basic\s+([A-Za-z0-9+/=]+)$/i.exec(context.head.fields.get("authorization") ?? "");
  if (!match) return "";
  const credentials = Buffer.from(match[1]!, "base64").toString("latin1");
  return credentials.slice(0, Math.max(0, credentials.indexOf(":")));
}

function forwardedFor(context: RequestContext): string {
  const before = context.head.fields.get("x-forwarded-for");
  const address = plainAddress(context.connection.remoteAddress);
  return before === undefined ? address : `${before}, ${address}`;
}

/** `$request_id` of nginx: 32 hexadecimal digits of its own, the same for the whole request. */
function requestIdHex(context: RequestContext): string {
  if (context.requestHex === "")
    context.requestHex = context.sources.ids.uuid().replaceAll("-", "");
  return context.requestHex;
}

/** One value, however often it is asked for: two looks at two clocks would differ by microseconds. */
function startNs(context: RequestContext): string {
  const { clock } = context.sources;
  const wallUs = (clock.wallMs() - clock.nowMs() + context.startMs) * 1000;
  context.startNs ||= String(BigInt(Math.round(wallUs)) * 1000n);
  return context.startNs;
}

/** nginx has the port of `proxy_pass`, which an upstream has not. */
function proxyPort({ proxyHost }: RequestContext): string {
  return proxyHost === "" ? "" : (/:(\d+)$/.exec(proxyHost)?.[1] ?? "80");
}

/** The client's; without one, a new trace begins with this request, which asks its engines to sample it. */
function traceParent(context: RequestContext): string {
  const { trace } = context;
  if (trace !== undefined) {
    return `00-${trace.traceId}-${trace.rootId}-0${trace.isSampled ? 1 : 0}`;
  }
  const given = context.head.fields.get("traceparent");
  if (parseTraceParent(given) !== undefined) return given!;
  context.newTrace ||= `00-${context.sources.ids.secret()}-${context.sources.ids.secret().slice(0, 16)}-01`;
  return context.newTrace;
}

const isWhole = (outcome: Outcome | undefined) =>
  outcome === outcomes.answered || outcome === outcomes.returned;
const last = (legs: readonly LegRecord[]) => legs.at(-1);
const machine = hostname();

type Family = (context: RequestContext, name: string) => string;

const families: Record<Extract<VariableName, `${string}_`>, Family> = {
  arg_: (context, name) => {
    for (const pair of context.args.split("&")) {
      const equals = pair.indexOf("=");
      if (equals > 0 && pair.slice(0, equals).toLowerCase() === name) return pair.slice(equals + 1);
    }
    return "";
  },
  body_: bodyMember,
  cookie_: (context, name) => {
    const pattern = new RegExp(`(?:^|[;,]) *${name} *= *([^;]*)`, "i");
    return pattern.exec(context.head.fields.get("cookie", "; ") ?? "")?.[1] ?? "";
  },
  http_: (context, name) =>
    context.head.fields.get(name.replaceAll("_", "-"), name === "cookie" ? "; " : ", ") ?? "",
  sent_http_: (context, name) => headValue(context.sentHead, name),
  upstream_http_: (context, name) => headValue(context.engineHead, name),
};

const values: Record<Exclude<VariableName, `${string}_`>, Render> = {
  args: (context) => context.args,
  auth_tenant: (context) => context.tenant?.name ?? "",
  binary_remote_addr: (context) => binaryAddress(plainAddress(context.connection.remoteAddress)),
  body_bytes_sent: (context) => String(context.bodyBytesSent),
  bytes_sent: (context) => String(context.bytesSent),
  connection: (context) => String(context.connection.serial),
  connection_requests: (context) => String(context.connection.requests),
  connection_time: (context) => seconds(endOf(context) - context.connection.openedMs),
  content_length: (context) => context.head.fields.get("content-length") ?? "",
  content_type: (context) => context.head.fields.get("content-type") ?? "",
  document_root: (context) => context.files?.root(context) ?? "",
  document_uri: (context) => context.path,
  host,
  hostname: () => machine,
  limit_rate: (context) => String(context.rateOfStep ?? 0),
  http2: (context) => context.connection.http2,
  is_args: (context) => (context.args === "" ? "" : "?"),
  limit_conn_status: (context) => context.connectionLimitStatus,
  limit_req_status: (context) => context.requestLimitStatus,
  msec: (context) => seconds(wallMs(context)),
  // Of the nginx that the proxy is compared with.
  nginx_version: () => "1.22.1",
  pid: () => String(process.pid),
  pipe: (context) => (context.isPipelined ? "p" : "."),
  proxy_add_x_forwarded_for: forwardedFor,
  proxy_host: (context) => context.proxyHost,
  proxy_port: proxyPort,
  query_string: (context) => context.args,
  realpath_root: (context) => context.files?.realRoot(context) ?? "",
  remote_addr: (context) => plainAddress(context.connection.remoteAddress),
  remote_port: (context) => String(context.connection.remotePort),
  remote_user: remoteUser,
  request: requestLine,
  request_body: ({ body }) =>
    body.length > requestBodyVariableBytesMax ? "" : body.toString("latin1"),
  request_completion: (context) => (isWhole(context.outcome) ? "OK" : ""),
  request_filename: (context) => context.files?.nameOf(context) ?? "",
  request_id: requestIdHex,
  request_length: (context) => String(context.requestBytes),
  request_method: (context) => context.head.method,
  request_time: (context) => seconds(endOf(context) - context.startMs),
  request_uri: (context) => context.head.target,
  https: (context) => (context.scheme === "https" ? "on" : ""),
  scheme: (context) => context.scheme,
  ...tlsValues,
  server_addr: (context) => plainAddress(context.connection.localAddress),
  server_name: (context) => context.serverName,
  server_port: (context) => String(context.connection.localPort),
  server_protocol: ({ head, connection }) =>
    connection.http2 === "" ? `HTTP/1.${head.minor}` : "HTTP/2.0",
  start_time_ns: startNs,
  status: (context) => String(context.status).padStart(3, "0"),
  time_iso8601: (context) => timeIso(wallMs(context)),
  time_local: (context) => timeLocal(wallMs(context)),
  traceparent: traceParent,
  upstream_addr: (context) => perTry(context, (leg) => leg.address),
  upstream_bytes_received: (context) => perTry(context, (leg) => String(leg.bytesReceived)),
  upstream_bytes_sent: (context) => perTry(context, (leg) => String(leg.bytesSent)),
  upstream_connect_time: (context) => perTry(context, (leg) => sinceSent(leg, leg.connectedMs)),
  upstream_header_time: (context) => perTry(context, (leg) => sinceSent(leg, leg.headMs)),
  upstream_response_length: (context) =>
    perTry(context, (leg) => String(leg.headMs < 0 ? 0 : leg.bytesReceived - leg.headBytes)),
  upstream_response_time: (context) => perTry(context, (leg) => sinceSent(leg, leg.endMs)),
  upstream_status: (context) =>
    perTry(context, (leg) => (leg.status === 0 ? "-" : String(leg.status))),
  uri: (context) => context.path,
  encode_addr: (context) => context.encodes.map((leg) => leg.address).join(", "),
  prefill_addr: (context) => context.prefills.map((leg) => leg.address).join(", "),
  decode_addr: (context) => context.decodes.map((leg) => leg.address).join(", "),
  prefill_status: (context) => String(last(context.prefills)?.status ?? ""),
  prefill_time_ms: (context) => {
    const leg = last(context.prefills);
    return leg === undefined || leg.endMs < 0 ? "" : (leg.endMs - leg.sentMs).toFixed(3);
  },
  held_ms: queueMs,
  queue_ms: queueMs,
  ttft_ms: (context) =>
    context.firstByteMs < 0 ? "" : (context.firstByteMs - context.startMs).toFixed(3),
  outcome: (context) => context.outcome?.code ?? "",
  retry_refused: (context) => (context.isRetryRefused ? "1" : ""),
};

/** How to read a built-in variable; undefined when there is none of this name. */
export function builtIn(name: string): Render | undefined {
  if (Object.hasOwn(values, name)) return (values as Record<string, Render>)[name];
  for (const [prefix, family] of Object.entries(families)) {
    if (!name.startsWith(prefix)) continue;
    if (name.length === prefix.length) return () => "";
    const rest = name.slice(prefix.length).toLowerCase();
    return (context) => family(context, rest);
  }
  return undefined;
}

/** How long the request has waited in queues, over all its waits; "" = it has not. `$held_ms` is the older name. */
function queueMs({ heldMs }: RequestContext): string {
  return heldMs < 0 ? "" : heldMs.toFixed(3);
}
