/**
 * The dashboard's side in the main thread: once a second it looks at the scoreboard and at what workers have counted,
 * keeps a point of history, and tells whoever reads. Without a reader only the point and the states of engines are
 * taken; without an admin listener nothing is.
 */
import type { RequestLists } from "../../../proxy/worker/explanations.ts";
import type { Clock } from "../../../transport/clock.ts";
import { dashboardPointMs, dashboardSlowPoints } from "../../limits.ts";
import type { AdminSource } from "../admin-source.ts";
import { type PoolReport, reportsOf } from "../engines.ts";
import { health } from "../health.ts";
import { AdminError } from "../problem.ts";
import type { AdminResponse, AdminSink } from "../response.ts";
import { Changes } from "./changes.ts";
import { EngineWatch } from "./engine-watch.ts";
import { Feed } from "./feed.ts";
import { fleetOf, loadOf, rolesOf } from "./fleet.ts";
import { History } from "./history.ts";
import type { Fleet, OutcomeCount, PointField } from "./messages.ts";
import { OutcomeCounts } from "./outcome-counts.ts";
import { requestsOf } from "./requests.ts";
import { shadowVerdict } from "./shadows.ts";
import { Traffic } from "./traffic.ts";
import { verdictOf } from "./verdict.ts";

export class Dashboard {
  readonly #source: () => AdminSource;
  readonly #clock: Pick<Clock, "nowMs" | "wallMs">;
  readonly #history = new History();
  readonly #feed = new Feed(() => this.#history.message());
  readonly #traffic = new Traffic();
  readonly #outcomes = new OutcomeCounts();
  readonly #watch = new EngineWatch();
  readonly #changes = new Changes();
  /** By pool: since when its queue is not empty. */
  readonly #queuedSince = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;
  #looks = 0;
  #isLooking = false;

  constructor(source: () => AdminSource, clock: Pick<Clock, "nowMs" | "wallMs">) {
    this.#source = source;
    this.#clock = clock;
  }

  /** @param isOn there is a listener that shows it */
  use(isOn: boolean): void {
    if (isOn === (this.#timer !== undefined)) return;
    clearInterval(this.#timer);
    this.#timer = isOn
      ? setInterval(() => void this.look(true), dashboardPointMs).unref()
      : undefined;
  }

  close(): void {
    this.use(false);
  }

  /** A response that goes on: an event of each kind, and then what changes. Throws `AdminError`. */
  stream(): AdminResponse {
    if (this.#feed.isFull) {
      const message = "too many pages are open: close some, or wait for them to be dropped";
      throw new AdminError(503, "too_many_readers", message);
    }
    const open = (sink: AdminSink) => {
      const closed = this.#feed.add(sink);
      this.#looks = 0;
      void this.look(false);
      return closed;
    };
    return { status: 200, contentType: "text/event-stream", body: { open } };
  }

  /** Never rejects; one look at a time. @param isRegular a point of history is due */
  async look(isRegular: boolean): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      await this.#look(this.#source(), isRegular);
    } catch {
      // A worker has died meanwhile: the next look says so.
    } finally {
      this.#isLooking = false;
    }
  }

  async #look(source: AdminSource, isRegular: boolean): Promise<void> {
    const nowMs = this.#clock.wallMs();
    const reports = await reportsOf(source, nowMs);
    if (isRegular) {
      const changed = this.#watch.look(source.pools, nowMs);
      this.#changes.engines(changed, rolesOf(source.config), nowMs);
      this.#changes.workers(source.workers, nowMs);
      this.#changes.config(source.config, nowMs);
      this.#count(source, nowMs);
      this.#noteQueues(reports, nowMs);
    }
    const fleet = fleetOf(source, reports, this.#watch);
    if (isRegular)
      this.#feed.send("point", this.#history.add(this.#pointOf(fleet, reports, nowMs)));
    if (this.#feed.isRead) await this.#tell(source, fleet, reports, nowMs);
  }

  async #tell(
    source: AdminSource,
    fleet: Fleet,
    reports: readonly PoolReport[],
    nowMs: number,
  ): Promise<void> {
    const outcomes = this.#outcomes.list();
    this.#feed.send("fleet", fleet);
    this.#feed.send("load", loadOf(reports, this.#watch, nowMs));
    this.#feed.send("verdict", this.#verdictOf(source, fleet, reports, outcomes, nowMs));
    this.#feed.send("outcomes", outcomes);
    this.#feed.send("changes", this.#changes.all);
    const lists = await source.ask({ about: "requests" });
    this.#feed.send("requests", requestsOf(lists as RequestLists[]));
    this.#looks += 1;
    if (this.#looks % dashboardSlowPoints !== 1) return;
    this.#feed.send("shadows", (await source.shadows()).map(shadowVerdict));
  }

  #count({ metrics }: AdminSource, nowMs: number): void {
    if (metrics === undefined) return;
    this.#outcomes.take(metrics.outcomes.read(), nowMs);
    this.#traffic.take(metrics, this.#outcomes.ended, this.#clock.nowMs());
  }

  #noteQueues(reports: readonly PoolReport[], nowMs: number): void {
    for (const { pool, waiting = 0 } of reports) {
      if (waiting === 0) this.#queuedSince.delete(pool);
      else if (!this.#queuedSince.has(pool)) this.#queuedSince.set(pool, nowMs);
    }
  }

  #pointOf(
    { pools }: Fleet,
    reports: readonly PoolReport[],
    atMs: number,
  ): Record<PointField, number | null> {
    const traffic = this.#traffic;
    const sum = (count: (report: PoolReport, index: number) => number) =>
      reports.reduce((total, report, index) => total + count(report, index), 0);
    const inFlight = (isCounted: (role: string) => boolean) =>
      sum(({ engines }, index) =>
        isCounted(pools[index]!.role)
          ? engines.reduce((total, engine) => total + engine.inFlight, 0)
          : 0,
      );
    return {
      atMs,
      requests: traffic.requestsPerSecond,
      failed: traffic.failedPerSecond,
      promptTokens: traffic.tokensPerSecond("promptTokens"),
      outputTokens: traffic.tokensPerSecond("outputTokens"),
      firstToken50: traffic.quantile("firstToken", 0.5),
      firstToken95: traffic.quantile("firstToken", 0.95),
      interToken50: traffic.quantile("interToken", 0.5),
      interToken95: traffic.quantile("interToken", 0.95),
      queue95: traffic.quantile("queue", 0.95),
      prefill95: traffic.quantile("prefill", 0.95),
      transfer95: traffic.quantile("transfer", 0.95),
      waiting: sum(({ waiting }) => waiting ?? 0),
      prefilling: inFlight((role) => role === "prefill" || role === "encode"),
      decoding: inFlight((role) => role === "decode" || role === "serve"),
      kvOpen: sum(({ engines }) => engines.reduce((total, engine) => total + engine.kvOpen, 0)),
    };
  }

  #verdictOf(
    source: AdminSource,
    fleet: Fleet,
    reports: readonly PoolReport[],
    outcomes: readonly OutcomeCount[],
    nowMs: number,
  ) {
    const lately = ({ minutes }: OutcomeCount) => (minutes.at(-1) ?? 0) + (minutes.at(-2) ?? 0);
    const failure = outcomes
      .filter(({ fault }) => fault !== "client" && fault !== "none")
      .sort((a, b) => lately(b) - lately(a))[0];
    const { poolsWithoutFitEngine = [], sparedPoolsWithoutFitEngine = [] } = health(source, nowMs);
    return verdictOf({
      fleet,
      unfitPools: [...poolsWithoutFitEngine, ...sparedPoolsWithoutFitEngine],
      ended: this.#outcomes.allLately,
      failed: this.#outcomes.lately,
      failure,
      queues: reports.flatMap(({ pool, waiting = 0 }) => {
        const sinceMs = this.#queuedSince.get(pool);
        return sinceMs === undefined ? [] : [{ pool, waiting, sinceMs }];
      }),
      nowMs,
    });
  }
}
