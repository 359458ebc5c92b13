/**
 * Polls engines for their load and writes the external load to the scoreboard: reported load − this proxy's own
 * requests. A policy adds the requests in flight now, so a request that was sent or has ended since the poll counts at
 * once.
 */
import type { SignalsConfig } from "../../config/schema/pool/signals.ts";
import type { Config } from "../../config/schema/schema.ts";
import type { Address } from "../../pool/address.ts";
import { enginesOf } from "../../pool/engines.ts";
import { engineIdentity, type SlotsByIdentity } from "../../pool/slots.ts";
import type { Scoreboard } from "../../scoreboard/scoreboard.ts";
import { probeFailuresMax, probesAtOnceMax, zeroPollsMax } from "../limits.ts";
import { type AskEngine, type EngineResponse, eachOf, type NoResponse } from "./ask-engine.ts";
import { type LoadReport, readLoad } from "./load-report.ts";
import { Rounds } from "./rounds.ts";

/** `dead` = the engine reports no load, or an impossible one; then only the proxy's own requests count. */
export type SignalState = "live" | "dead";

interface Watched {
  readonly pool: string;
  readonly engine: string;
  readonly slot: number;
  readonly address: Address;
  readonly rank: number;
  readonly config: SignalsConfig;
  /** Slots of this engine in all pools. */
  readonly ownSlots: readonly number[];
  /** Where it reports its load; undefined = not known yet. */
  path: string | undefined;
  failures: number;
  /** Polls in a row that reported no requests although requests of this proxy were there. */
  zeroPolls: number;
  state: SignalState;
  /** A poll is running: a slow engine is not polled twice at a time, and delays no other. */
  isPolled: boolean;
}

export interface LoadPollerDeps {
  readonly board: Scoreboard;
  /** The scoreboard of shadow policies, for which external load counts as well. */
  readonly shadowBoard?: Scoreboard;
  readonly log: (level: "notice" | "warn", message: string) => void;
  readonly ask: AskEngine;
}

/** Where engines report their load, in the order in which they are asked. */
export const loadPaths: readonly string[] = ["/metrics", "/prometheus/metrics", "/v1/loads"];

export class LoadPoller {
  readonly #deps: LoadPollerDeps;
  readonly #ask: AskEngine;
  #watched = new Map<string, Watched>();
  readonly #rounds = new Rounds((intervalMs) => this.round(intervalMs));
  #isClosed = false;

  constructor(deps: LoadPollerDeps) {
    this.#deps = deps;
    this.#ask = deps.ask;
  }

  /** Polls the engines of this configuration from now on. */
  use(config: Config, slots: SlotsByIdentity): void {
    const before = this.#watched;
    this.#watched = new Map();
    for (const one of watchedOf(config, slots)) {
      const identity = engineIdentity(one.pool, one.engine);
      const old = before.get(identity);
      before.delete(identity);
      const { path, failures, zeroPolls, state } = old ?? one;
      const isSame = old?.config.path === one.config.path;
      this.#watched.set(identity, isSame ? { ...one, path, failures, zeroPolls, state } : one);
    }
    for (const { slot } of before.values()) this.#forget(slot);
    this.#rounds.use(new Set([...this.#watched.values()].map((one) => one.config.intervalMs)));
  }

  /** The states of all polled engines, by identity. */
  get states(): ReadonlyMap<string, SignalState> {
    return new Map([...this.#watched].map(([identity, { state }]) => [identity, state]));
  }

  close(): void {
    this.#isClosed = true;
    this.#rounds.close();
  }

  /** Polls all engines of this interval once. */
  async round(intervalMs: number): Promise<void> {
    // All ranks of one engine share a server, in all pools: it is asked once.
    const responses = new Map<string, Promise<EngineResponse | NoResponse>>();
    const due = [...this.#watched.values()].filter(
      (one) => one.config.intervalMs === intervalMs && !one.isPolled,
    );
    for (const one of due) one.isPolled = true;
    await eachOf(due, probesAtOnceMax, async (one) => {
      await this.#poll(one, responses);
      one.isPolled = false;
    });
  }

  async #poll(
    one: Watched,
    responses: Map<string, Promise<EngineResponse | NoResponse>>,
  ): Promise<void> {
    const before = this.#inFlight(one);
    for (const path of one.path === undefined ? pathsOf(one.config) : [one.path]) {
      const key = `${one.address.key} ${path}`;
      const pending = responses.get(key) ?? this.#ask(one.address, path);
      responses.set(key, pending);
      const response = await pending;
      if (typeof response === "string" || response.status !== 200) continue;
      const report = readLoad(response.body, one.rank);
      if (report === undefined) continue;
      one.path = path;
      if (this.#isWatched(one)) this.#take(one, report, before);
      return;
    }
    // It may be another engine by now, which reports elsewhere.
    one.path = undefined;
    one.failures += 1;
    if (one.failures >= probeFailuresMax && this.#isWatched(one)) {
      this.#dead(one, `the last ${one.failures} polls have failed`);
    }
  }

  #take(one: Watched, { running, waiting, kvUse }: LoadReport, before: number): void {
    const { board, shadowBoard, log } = this.#deps;
    const after = this.#inFlight(one);
    const reported = running + waiting;
    one.failures = 0;
    one.zeroPolls = reported === 0 && Math.min(before, after) > 0 ? one.zeroPolls + 1 : 0;
    if (one.zeroPolls >= zeroPollsMax) {
      this.#dead(one, `it reports no requests, but ${after} requests of this proxy are there`);
    }
    if (one.state === "dead") {
      // Zero is no proof that it counts again.
      if (reported === 0 && after > 0) return;
      one.state = "live";
      log("notice", `${nameOf(one)} reports its load again`);
    }
    // Requests that were sent or ended during the poll may be in its number or not.
    const externalRequests = Math.max(0, reported - Math.max(before, after));
    board.signals.set(one.slot, externalRequests, kvUse);
    // The KV cache use is that of the real requests, not of those that a shadow policy would have sent there.
    shadowBoard?.signals.set(one.slot, externalRequests, undefined);
  }

  #dead(one: Watched, why: string): void {
    this.#forget(one.slot);
    if (one.state === "dead") return;
    one.state = "dead";
    const what = "only the requests of this proxy count as its load, see docs/signals.md";
    this.#deps.log("warn", `${nameOf(one)} does not report its load: ${why}; ${what}`);
  }

  #forget(slot: number): void {
    this.#deps.board.signals.clear(slot);
    this.#deps.shadowBoard?.signals.clear(slot);
  }

  #inFlight({ ownSlots }: Watched): number {
    let count = 0;
    for (const slot of ownSlots) count += this.#deps.board.inFlight(slot);
    return count;
  }

  /** False if a reload has replaced the entry during the poll. */
  #isWatched(one: Watched): boolean {
    return !this.#isClosed && this.#watched.get(engineIdentity(one.pool, one.engine)) === one;
  }
}

function pathsOf({ path }: SignalsConfig): readonly string[] {
  return path === undefined ? loadPaths : [path];
}

function nameOf({ engine, pool }: Watched): string {
  return `engine ${engine} of pool "${pool}"`;
}

function watchedOf(config: Config, slots: SlotsByIdentity): Watched[] {
  const all = Object.entries(config.pools).flatMap(([pool, poolConfig]) =>
    enginesOf(poolConfig).map(({ name, address, dpRank }) => ({
      pool,
      engine: name,
      slot: slots[engineIdentity(pool, name)]!,
      address,
      rank: dpRank,
      signals: poolConfig.signals,
    })),
  );
  return all.flatMap(({ signals, ...one }) => {
    if (signals === undefined) return [];
    const same = all.filter(({ engine }) => engine === one.engine);
    return {
      ...one,
      config: signals,
      ownSlots: same.map(({ slot }) => slot),
      path: undefined,
      failures: 0,
      zeroPolls: 0,
      state: "live" as const,
      isPolled: false,
    };
  });
}
