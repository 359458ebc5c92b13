/** What the pages of the admin listener read, and what they may change. */
import type { Config } from "../../config/schema/schema.ts";
import type { MetricsMemory } from "../../observe/metrics/metrics-memory.ts";
import type { Pool } from "../../pool/pool.ts";
import type { ShadowReport } from "../../pool/shadow.ts";
import type { WorkerQuestion } from "../../proxy/worker/messages.ts";
import type { QueueState } from "../../queue/pool-queues.ts";
import type { RequestCounts } from "../../scoreboard/request-counts.ts";
import type { Discovery } from "../discovery/discovery.ts";
import type { SignalState } from "../polling/load-poller.ts";
import type { WorkerCounts } from "../workers/restarts.ts";
import type { Build } from "./metrics/process-families.ts";

export interface AdminSource {
  /** What runs. */
  readonly build: Build;
  readonly workers: WorkerCounts;
  readonly isDraining: boolean;
  /** In force, as written. */
  readonly config: Config;
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
  queue(): Promise<QueueState>;
  ask(question: WorkerQuestion): Promise<readonly unknown[]>;
  shadows(): Promise<readonly ShadowReport[]>;
}
