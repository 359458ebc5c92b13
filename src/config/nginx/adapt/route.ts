/** One location → one route, with everything it inherits from the server and from http. */
import type { Block } from "../directives/block.ts";
import {
  clientBodyTimeout,
  clientMaxBodySize,
  perConnection,
  sendTimeout,
} from "../directives/http/http.ts";
import { internal, type RouteInput } from "../directives/http/location.ts";
import { omniProxy } from "../directives/proxy/omni.ts";
import {
  encode,
  explain,
  onPrefillFailure,
  pdDialect,
  prefill,
  prefillMinTokens,
  setRequestId,
  streamOps,
  traceHeadersForce,
} from "../directives/proxy/prefill.ts";
import {
  proxyConnectTimeout,
  proxyNextUpstream,
  proxyNextUpstreamTimeout,
  proxyNextUpstreamTries,
  proxyPass,
  proxyReadTimeout,
  proxySendTimeout,
  proxySetHeader,
} from "../directives/proxy/proxy.ts";
import type { Loading } from "../reading/scope.ts";
import { DirectiveError } from "../syntax/report.ts";
import { readAccess } from "./access.ts";
import { type ContentTypes, readFiles } from "./files.ts";
import { readLimits } from "./limits.ts";
import type { FlatLocation } from "./locations.ts";
import { readAccessLogs } from "./logs.ts";
import { readOmni } from "./omni.ts";
import { readPage } from "./page.ts";
import type { Pools } from "./pools.ts";
import { type Pass, readProxyPass } from "./proxy-pass.ts";
import { readAbsoluteRedirects } from "./redirects.ts";
import { readEngineResponses, readResponses } from "./responses.ts";
import { readSteps, type Variants } from "./steps.ts";

export interface RouteContext {
  readonly loading: Loading;
  readonly pools: Pools;
  readonly contentTypes: ContentTypes;
}

/** @param variants of its conditions; a variant has none */
export function readRoute(
  location: FlatLocation,
  context: RouteContext,
  variants?: Variants,
): RouteInput {
  const { block, match, named } = location;
  const { report } = context.loading;
  const isInternal = named || block.responding(internal).length > 0;
  const pass = readPass(location, context);
  const prefillLocation = block.value(prefill, "");
  // The location of the prefill must not prefill its own requests.
  const prefills =
    pass !== undefined && prefillLocation !== "" && !isInternal && match.path !== prefillLocation;
  const encodeLocation = block.value(encode, "");
  const encodes =
    pass !== undefined && encodeLocation !== "" && !isInternal && match.path !== encodeLocation;
  if (pass === undefined && block.has(prefill) && prefillLocation !== "") {
    const place = block.own(prefill)[0]!.node.name.position;
    report.emerg(place, 'a location with "prefill" needs a "proxy_pass" for its decode');
  }
  const omni = readOmni(block, context.pools, report);
  const page = readPage(block, pass !== undefined, report);
  noticeConnectionDirectives(block, context.loading);
  const splits = prefills || omni.prefill !== undefined;
  const asksUpgrade = pass !== undefined && upgrades(block);
  if (splits && asksUpgrade) {
    const { position } = block.inherited(proxySetHeader)[0]!.node.name;
    const message = "WebSockets are refused here: prefill and decode are on different engines";
    report.notice("proxy_set_header with prefill", position, message);
  }
  return {
    match,
    internal: isInternal,
    ...(page && { page }),
    ...readFiles(location, context.loading),
    ...readTypes(block, context),
    steps: readSteps(block, variants),
    ...(pass && { target: pass.target, byEndpoint: false, engineControl: true }),
    ...(pass && block.value(streamOps, "off") !== "off" && { streamUsage: true }),
    ...(encodes && { encode: { location: encodeLocation } }),
    ...(prefills && {
      prefill: { location: prefillLocation },
      ...readTransfer(block),
    }),
    ...(omni.prefill && readTransfer(block)),
    ...omni,
    ...(pass && { setHeaders: readHeaders(block, pass, context.loading) }),
    ...(asksUpgrade && !splits && { upgrade: true }),
    ...(pass && readEngineResponses(block)),
    ...readSettings(block),
    accessLogs: readAccessLogs(block),
  };
}

/** Types are for what the proxy itself responds with. */
export function readTypes(block: Block, { contentTypes }: RouteContext): Partial<RouteInput> {
  const forwardsAll = block.responding(proxyPass).length > 0 && readSteps(block).length === 0;
  return forwardsAll ? {} : contentTypes.of(block);
}

/** Only what the file sets, so that the defaults stand in one place. */
function readTransfer(block: Block): Partial<RouteInput> {
  const [dialect] = block.inherited(pdDialect);
  const [onFailure] = block.inherited(onPrefillFailure);
  const [minTokens] = block.inherited(prefillMinTokens);
  return {
    ...(dialect && { dialect: dialect.value }),
    ...(onFailure && { onPrefillFailure: onFailure.value }),
    ...(minTokens && { prefillMinTokens: minTokens.value }),
  };
}

/** What every route has, even the one for requests that no location takes. */
export function readSettings(block: Block) {
  return {
    requestId: block.value(setRequestId, false),
    ...(block.value(explain, false) && { explain: true }),
    connectTimeoutMs: block.value(proxyConnectTimeout, 60_000),
    sendTimeoutMs: block.value(proxySendTimeout, 60_000),
    readTimeoutMs: block.value(proxyReadTimeout, 60_000),
    clientSendTimeoutMs: block.value(sendTimeout, 60_000),
    bodyTimeoutMs: block.value(clientBodyTimeout, 60_000),
    bodyBytesMax: block.value(clientMaxBodySize, 1_048_576),
    ...readAbsoluteRedirects(block),
    ...readResponses(block),
    ...readAccess(block),
    ...readLimits(block),
    retry: {
      on: block.value(proxyNextUpstream, ["error", "timeout"]),
      rules: "nginx",
      tries: Math.min(block.value(proxyNextUpstreamTries, 0), 100),
      timeoutMs: block.value(proxyNextUpstreamTimeout, 0),
      budget: { share: 0 },
    },
  } satisfies Partial<RouteInput>;
}

function readPass(location: FlatLocation, { loading, pools }: RouteContext): Pass | undefined {
  const { block } = location;
  const [omni] = block.responding(omniProxy);
  const asPass = omni && { ...omni, value: { ...omni.value, text: `http://${omni.value.text}` } };
  const [entry] = [...block.responding(proxyPass), ...(asPass ? [asPass] : [])];
  if (entry === undefined) return undefined;
  try {
    return readProxyPass(entry, location, pools, loading);
  } catch (error) {
    if (!(error instanceof DirectiveError)) throw error;
    const { position = entry.node.name.position, message, hint } = error;
    loading.report.emerg(position, message, hint);
    return undefined;
  }
}

/** Headers of one hop, or about the framing of the body: the proxy sets them itself. */
const ownHeaders =
  /^(?:connection|keep-alive|proxy-connection|te|trailer|transfer-encoding|upgrade|content-length)$/i;
/** What configurations write so that connections to upstreams are reused, as they always are here. */
const keepsConnections = /^(?:keep-alive)?$/i;

/** Whether it sets both headers that ask for another protocol, by whatever variable. */
function upgrades(block: Block): boolean {
  const headers = block.inherited(proxySetHeader);
  const sets = (wanted: string, pattern: RegExp) =>
    headers.some(
      ({ value }) => value.name.text.toLowerCase() === wanted && pattern.test(value.value),
    );
  return sets("upgrade", /./) && sets("connection", /upgrade|\$/i);
}

function readHeaders(block: Block, { host }: Pass, { report }: Loading): Record<string, string> {
  const headers = new Map<string, [name: string, value: string]>([["host", ["Host", host]]]);
  const given = new Set<string>();
  const isUpgraded = upgrades(block);
  for (const { value } of block.inherited(proxySetHeader)) {
    const { text: name, position } = value.name;
    const key = name.toLowerCase();
    if (ownHeaders.test(name)) {
      const isMeant = key === "connection" && (isUpgraded || keepsConnections.test(value.value));
      if (!isMeant && !(key === "upgrade" && isUpgraded)) {
        const message = `setting the header "${name}" has no effect: the proxy sets it`;
        report.notice(`proxy_set_header ${key}`, position, message);
      }
      continue;
    }
    if (given.has(key)) {
      report.emerg(position, `setting the header "${name}" twice is not supported yet`);
    }
    given.add(key);
    headers.set(key, [name, value.value]);
  }
  if (block.value(traceHeadersForce, false)) {
    for (const [name, value] of traceHeaders) headers.set(name.toLowerCase(), [name, value]);
  }
  return Object.fromEntries(headers.values());
}

/** Of `set_trace_headers_force`: a request's trace, and when it came, under the names that patched engines read. */
const traceHeaders = [
  ["Traceparent", "$traceparent"],
  ["TTFT_traceparent", "$traceparent"],
  ["Start_time_ns", "$start_time_ns"],
  ["TTFT_Start_time", "$start_time_ns"],
] as const;

function noticeConnectionDirectives(block: Block, { report }: Loading): void {
  for (const directive of perConnection) {
    for (const { node } of block.own(directive)) {
      const { text, position } = node.name;
      const message = `"${text}" has no effect in a location: it concerns the connection`;
      report.notice(`location ${text}`, position, message);
    }
  }
}
