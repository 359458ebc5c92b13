/** What all checks share: the engines, how they are asked, the bounds of the whole run, and where findings go. */

import type { LoadReport } from "../control/polling/load-report.ts";
import {
  type HttpFailure,
  type HttpRequest,
  type HttpResponse,
  isFailure,
  requestOnce,
} from "../control/polling/request-once.ts";
import type { EngineFacts } from "../dialects/advice/facts.ts";
import type { EngineResponses } from "../dialects/definition.ts";
import type { Detection } from "../dialects/detect.ts";
import type { DialectName } from "../dialects/registry.ts";
import type { KvEndpoint } from "../kv-events/feed.ts";
import type { Address } from "../pool/address.ts";
import type { ConfiguredEngine } from "../pool/engines.ts";
import type { Clock } from "../transport/clock.ts";
import { checkResponseBytesMax } from "./limits.ts";
import type { ProxyUnderTest } from "./proxy.ts";
import type { Finding, FindingStatus, ReportedEngine } from "./report.ts";

/** What is asked: by default a GET, or a POST where there is something to send. */
export interface Question extends Partial<Pick<HttpRequest, "headers" | "timeoutMs" | "leave">> {
  readonly path: string;
  readonly json?: unknown;
}

export interface TimedResponse extends HttpResponse {
  /** From the request to the last byte of its response. */
  readonly ms: number;
}

/** One server. All data-parallel ranks behind its address are checked together. */
export interface CheckedEngine extends ReportedEngine {
  readonly engine: ConfiguredEngine;
  /** Where it publishes KV events; undefined = nobody said. */
  readonly kvEvents: KvEndpoint | undefined;

  // ---- What the checks find out, for those that follow. ----

  /** It responds to requests for models. Only such engines are asked anything more. */
  isUp: boolean;
  responses: EngineResponses;
  facts: EngineFacts | undefined;
  detection: Detection | undefined;
  /** That it serves, by their names. */
  models: readonly string[];
  contextTokens: number | undefined;
  /** Where it reports its load; undefined = nowhere. */
  loadPath: string | undefined;
  /** Its load before the check sent anything to be computed. */
  loadBefore: LoadReport | undefined;
}

export interface CheckedPair {
  /** `prefill A → decode B`, or the name of the engine that does both. */
  readonly name: string;
  /** Undefined = the engine does both. */
  readonly prefill: CheckedEngine | undefined;
  readonly decode: CheckedEngine;
  /** Where the proxy under test serves this pair alone. */
  readonly address: Address;
}

export interface CheckBounds {
  /** For one request, or one wait for counters. */
  readonly stepMs: number;
  /** For the KV caches of requests whose clients have left. */
  readonly abortWaitMs: number;
}

export interface ContextOptions {
  readonly engines: readonly CheckedEngine[];
  readonly clock: Clock;
  readonly random: () => number;
  readonly bounds: CheckBounds;
  /** Of the whole run, on the clock. */
  readonly deadlineMs: number;
  /** Sent with each request. */
  readonly headers: Readonly<Record<string, string>>;
  /** Asked for instead of what the engines list. */
  readonly model: string | undefined;
  readonly onFinding: (finding: Finding) => void;
  /** Ends the run early: all that is left has no time any more. */
  readonly stop: AbortSignal;
}

export class CheckContext {
  readonly engines: readonly CheckedEngine[];
  readonly clock: Clock;
  readonly random: () => number;
  readonly bounds: CheckBounds;
  readonly findings: Finding[] = [];
  /** By which the proxy is started; undefined = not known. */
  dialect: DialectName | undefined;
  /** Undefined = it does not serve. */
  proxy: ProxyUnderTest | undefined;
  pairs: readonly CheckedPair[] = [];
  /** The proxy takes requests. */
  isReady = true;
  /** Requests so far, to the engines and to the proxy. */
  requests = 0;
  readonly #options: ContextOptions;

  constructor(options: ContextOptions) {
    this.#options = options;
    this.engines = options.engines;
    this.clock = options.clock;
    this.random = options.random;
    this.bounds = options.bounds;
  }

  /** Prefill and decode run on different engines. */
  get splits(): boolean {
    return this.engines.some(({ role }) => role === "prefill");
  }

  get leftMs(): number {
    const { stop, deadlineMs } = this.#options;
    return stop.aborted ? 0 : Math.max(0, deadlineMs - this.clock.nowMs());
  }

  /** Never rejects. Bounded by a step, by what is left of the run, and by what the question says. */
  async ask(
    address: Address,
    { path, json, headers, leave, timeoutMs: askedMs }: Question,
  ): Promise<TimedResponse | HttpFailure> {
    this.requests += 1;
    const { stepMs } = this.bounds;
    const body = json === undefined ? undefined : Buffer.from(JSON.stringify(json));
    const type = body && { "content-type": "application/json" };
    const startMs = this.clock.nowMs();
    const response = await requestOnce(address, {
      method: body === undefined ? "GET" : "POST",
      path,
      headers: { accept: "*/*", ...type, ...this.#options.headers, ...headers },
      body,
      timeoutMs: Math.max(1, Math.min(askedMs ?? stepMs, stepMs, this.leftMs)),
      bytesMax: checkResponseBytesMax,
      leave,
      stop: this.#options.stop,
    });
    return isFailure(response) ? response : { ...response, ms: this.clock.nowMs() - startMs };
  }

  /** A model that all engines serve, if there is one. */
  get model(): string {
    if (this.#options.model !== undefined) return this.#options.model;
    const [first, ...others] = this.engines.filter(({ isUp }) => isUp);
    const shared = first?.models.find((name) => others.every((one) => one.models.includes(name)));
    return shared ?? first?.models[0] ?? "";
  }

  /** The shortest context of all engines. */
  get contextTokens(): number | undefined {
    const known = this.engines.flatMap(({ contextTokens }) => contextTokens ?? []);
    return known.length === 0 ? undefined : Math.min(...known);
  }

  report(
    status: FindingStatus,
    code: string,
    about: string | { readonly name: string },
    message: string,
    more: Pick<Finding, "remedy" | "data"> = {},
  ): void {
    const name = typeof about === "string" ? about : about.name;
    const finding: Finding = { code, status, about: name, message, ...more };
    this.findings.push(finding);
    this.#options.onFinding(finding);
  }
}

/** One check. It never rejects for what an engine does. */
export interface Check {
  /** What stands before the dot in its codes. */
  readonly name: string;
  /** What it needs; without it, it does not run. */
  readonly needs: "engines" | "proxy";
  run(context: CheckContext): Promise<void>;
}
