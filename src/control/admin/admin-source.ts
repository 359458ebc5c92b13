/** What the pages of the admin listener read, and what they may change. */
import type { ConfigProblem } from "../../config/problems/problem.ts";
import type { Config } from "../../config/schema/schema.ts";
import type { ConfigChange } from "../../config/values/config-changes.ts";
import type { MetricsMemory } from "../../observe/metrics/metrics-memory.ts";
import type { Pool } from "../../pool/pool.ts";
import type { ShadowReport } from "../../pool/shadow.ts";
import type { WorkerQuestion } from "../../proxy/worker/messages.ts";
import type { QueueState } from "../../queue/pool-queues.ts";
import type { RequestCounts } from "../../scoreboard/request-counts.ts";
import type { Discovery } from "../discovery/discovery.ts";
import type { AskEngine } from "../polling/ask-engine.ts";
import type { SignalState } from "../polling/load-poller.ts";
import type { WorkerCounts } from "../workers/restarts.ts";
import type { PageFiles } from "./dashboard/page-files.ts";
import type { Build } from "./metrics/process-families.ts";
import type { AdminResponse } from "./response.ts";

export interface AdminSource {
  /** What runs. */
  readonly build: Build;
  readonly workers: WorkerCounts;
  readonly isDraining: boolean;
  /** In force, as written, and with what operators have changed since. */
  readonly config: Config;
  /** The same with what was discovered: engines of sources, dialects. */
  readonly resolved: Config;
  readonly configuration: ConfigurationControl;
  readonly pools: readonly Pool[];
  /** Undefined = there are no workers yet. */
  readonly requests: RequestCounts | undefined;
  readonly metrics: MetricsMemory | undefined;
  readonly signals: ReadonlyMap<string, SignalState>;
  /** Where engines come from, and which of them drain. */
  readonly discovery: Pick<
    Discovery,
    "add" | "remove" | "drain" | "undrain" | "drains" | "sourcesOf"
  >;
  /** Tells pages what happens. */
  readonly dashboard: { stream(): AdminResponse };
  readonly askEngine: AskEngine;
  pageFiles(): Promise<PageFiles>;
  queue(): Promise<QueueState>;
  ask(question: WorkerQuestion): Promise<readonly unknown[]>;
  shadows(): Promise<readonly ShadowReport[]>;
}

/** How operators change the configuration of a running proxy. */
export interface ConfigurationControl {
  /** As the file or the flags had it at the last reload. */
  readonly written: Config;
  reload(): Promise<ReloadReport>;
  /** What a reload would change now. */
  difference(): Promise<ReloadReport>;
  /** Until the next reload. @returns why it cannot be; none = it is in force */
  change(update: (config: Config) => Config): Promise<readonly string[]>;
}

/** What a reload has changed or would change, or why it has not; then the old configuration is in force. */
export type ReloadReport =
  | { readonly changes: readonly ConfigChange[]; readonly warnings: readonly string[] }
  | { readonly failed: string; readonly problems: readonly ConfigProblem[] };
