/** All that is known of one request: what templates, routing and the access log read. */
import type { FormField } from "../../body/form/form-field.ts";
import type { TopLevel } from "../../body/json/top-level.ts";
import type { IdGenerator } from "../../dialects/dialect.ts";
import { copyOfHead, type RequestHead } from "../../http1/head/request-head.ts";
import type { RequestLeg } from "../../scoreboard/leg-counts.ts";
import type { Clock } from "../../transport/clock.ts";
import type { Socket } from "../../transport/socket.ts";
import type { TlsSession } from "../../transport/tls/session.ts";
import { append, emptyList } from "./append.ts";
import type { EngineModel } from "./engine-model.ts";
import type { Explanation } from "./explained/explanation.ts";
import type { LegRecord } from "./legs.ts";
import type { LimitStatus } from "./limit-status.ts";
import type { Outcome } from "./outcomes.ts";
import type { RequestTenant } from "./request-tenant.ts";
import type { RequestTrace } from "./request-trace.ts";
import type { ResponseMeter } from "./response-meter.ts";

/** Where a request has its time and its ids from. */
export interface RequestSources {
  readonly clock: Clock;
  readonly ids: IdGenerator;
}

/** What the connection that a request came on contributes. */
export interface ConnectionFacts {
  readonly serial: number;
  readonly openedMs: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  /** Requests on this connection so far, this one included. */
  requests: number;
  /** Undefined = it is not encrypted, or the handshake is not over. */
  readonly tls: TlsSession | undefined;
  /** It should be encrypted, and the client speaks plain text. */
  readonly isPlainToTls: boolean;
  /** Which HTTP/2 the connection speaks: `h2` over TLS, `h2c` without; "" = it speaks HTTP/1. */
  readonly http2: "h2" | "h2c" | "";
}

/** @param socket which knows what its handshake has agreed on once that is over */
export function connectionFacts(
  socket: Pick<Socket, "remoteAddress" | "remotePort" | "localAddress" | "localPort" | "tls">,
  serial: number,
  openedMs: number,
): ConnectionFacts {
  const { remoteAddress, remotePort, localAddress, localPort } = socket;
  return {
    serial,
    openedMs,
    remoteAddress,
    remotePort,
    localAddress,
    localPort,
    requests: 0,
    http2: "",
    get tls() {
      return socket.tls === "missing" ? undefined : socket.tls;
    },
    get isPlainToTls() {
      return socket.tls === "missing";
    },
  };
}

/** Which files a request's path stands for, by the route that it is at. */
export interface RequestFiles {
  root(context: RequestContext): string;
  realRoot(context: RequestContext): string;
  nameOf(context: RequestContext): string;
}

export class RequestContext {
  readonly head: RequestHead;
  readonly connection: ConnectionFacts;
  readonly sources: RequestSources;
  /** Of the monotonic clock, in ms. */
  readonly startMs: number;
  /** Whether it was sent before the response to the request before it. */
  isPipelined = false;
  /** Bytes of the request as they came: head and body. */
  requestBytes = 0;
  body: Buffer = emptyBody;
  /** Of the body, while somebody has it scanned. */
  members: TopLevel | undefined;
  /** What engines are asked with: the client's method, unless an error page is fetched. */
  method: string;

  /** The path and query that routing looks at; rewrites change them. */
  path: string;
  args: string;
  /** Whether rewrites changed the path, so that the target as sent by the client is no longer what engines get. */
  rewritten = false;
  /** The `@name` of the route that a condition among the steps has chosen; "" = none, so far. */
  nextRoute = "";
  /** How fast the client gets the response, in bytes per second, where a step says so (`$limit_rate`); 0 = no limit. */
  rateOfStep: number | undefined;
  /** How often it was routed anew for a file. */
  redirects = 0;
  /** Undefined = its route has no files. */
  files: RequestFiles | undefined;
  captures: readonly string[] = noCaptures;
  variables: string[] = [];
  serverName = "";
  /** Where it was first routed to, as the configuration matches it; "" = nowhere. */
  route = "";
  proxyHost = "";
  /** As in `X-Request-Id`; "" = the proxy gives none. */
  requestId = "";
  /** nginx's `$request_id`, once it was asked for. */
  requestHex = "";
  /** `$traceparent` where the client sent none, once it was asked for. */
  newTrace = "";
  /** `$start_time_ns`, once it was asked for. */
  startNs = "";

  /** Where a form names the model, once somebody has looked; undefined = the body is no form, or names none. */
  modelField: FormField | undefined;
  /** The protocols that it asks for on its connection, where the route lets it; "" = it stays HTTP/1.1. */
  upgrade = "";

  /** The model that the request names, if its route has several; "" = it names none, or the route does not look. */
  model = "";
  /** What engines call that model; undefined = the same. */
  engineModel: EngineModel | undefined;

  status = 0;
  bytesSent = 0;
  bodyBytesSent = 0;
  endMs = -1;
  firstByteMs = -1;
  /** How long the request waited in queues, in ms; -1 = it has not waited. */
  heldMs = -1;
  /** Set where somebody may ask why engines were chosen: the client, or an operator. */
  explanation: Explanation | undefined;
  /** When a refused request may be worth another try; 0 = not known. */
  retryAfterMs = 0;
  /** A failure is its response because too many other requests were being retried. */
  isRetryRefused = false;
  /** Why its route does not let it in; undefined = it does. */
  refusal: Outcome | undefined;
  requestLimitStatus: LimitStatus = "";
  connectionLimitStatus: LimitStatus = "";
  /** How long it is to wait, from its start on, so that its key keeps to its rate. */
  delayMs = 0;
  /** Gives back what it counts for in limits of connections; undefined = it counts for none. */
  releaseLimits: (() => void) | undefined;
  /** Whose request it is; undefined = the route asks nobody for a key. */
  tenant: RequestTenant | undefined;
  /** It is served without a key on a route that asks for one, so it does not get the engine's, either. */
  isOpen = false;
  /** Set where requests are traced. */
  trace: RequestTrace | undefined;
  /** Set where traffic is recorded, or tokens are counted. */
  meter: ResponseMeter | undefined;
  outcome: Outcome | undefined;
  /** No prefill could be had, and decode computes the prompt. */
  fellBack = false;
  /** How often a response was continued that its decode engine had preempted or left. */
  resumes = 0;
  /** Of the prompt, as a prefill engine has said; -1 = nobody has read it. */
  promptTokens = -1;
  cachedTokens = -1;
  /** Header lines of a response that a page replaces, which its client gets nevertheless, each with its CRLF. */
  keptLines = "";
  /** Tries of the legs so far, for the log. */
  encodes: readonly LegRecord[] = emptyList;
  prefills: readonly LegRecord[] = emptyList;
  decodes: readonly LegRecord[] = emptyList;
  /** The response's head as sent to the client, for `$sent_http_…`; the engine's, for `$upstream_http_…`. */
  sentHead = "";
  engineHead = "";

  constructor(head: RequestHead, connection: ConnectionFacts, sources: RequestSources) {
    this.head = head;
    this.connection = connection;
    this.sources = sources;
    this.startMs = sources.clock.nowMs();
    this.method = head.method;
    this.path = head.path;
    this.args = head.query;
  }

  /** Header lines of the proxy's own for the client, each with its CRLF. */
  get ownLines(): string {
    return this.keptLines + (this.explanation?.line() ?? "") + (this.tenant?.limitLines() ?? "");
  }

  /** Of the URL that the client asks for. */
  get scheme(): "http" | "https" {
    return this.connection.tls === undefined ? "http" : "https";
  }

  /** A leg is sent to an engine. */
  addTry(leg: RequestLeg, record: LegRecord): void {
    if (leg === "decode") this.decodes = append(this.decodes, record);
    else if (leg === "prefill") this.prefills = append(this.prefills, record);
    else this.encodes = append(this.encodes, record);
  }

  /** A copy that stays as it is, also when the client's connection has its next request. */
  snapshot(): RequestContext {
    const copy = new RequestContext(copyOfHead(this.head), this.connection, this.sources);
    return Object.assign(copy, this, { head: copy.head });
  }
}

const emptyBody = Buffer.alloc(0);
const noCaptures: readonly string[] = [];
