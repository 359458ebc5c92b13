/**
 * Asks engines for their load, again and again, and puts on the scoreboard what others have there: what the engine says, less what this proxy has
 * in flight there. A policy adds what is in flight now, so that a request which was sent, or has ended, since then counts at once.
 */

import type { SignalsConfig } from "../../config/schema/pool/signals.ts";
import type { Config } from "../../config/schema/schema.ts";
import { mutePollsMax, probeFailuresMax, probesAtOnceMax } from "../../limits.ts";
import type { Address } from "../../pool/address.ts";
import { enginesOf } from "../../pool/engines.ts";
import { engineIdentity, type SlotsByIdentity } from "../../pool/slots.ts";
import type { Scoreboard } from "../../scoreboard/scoreboard.ts";
import { askEngine, type EngineResponse, eachOf, type NoResponse } from "./ask-engine.ts";
import { type LoadReport, readLoad } from "./load-report.ts";

/** `dead` = it does not tell, or nothing that can be; the proxy's own counts stand alone then. */
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
  /** Where it has told its load; undefined = it is still to be found out. */
  path: string | undefined;
  failures: number;
  /** Polls in a row in which it has said that nothing is there, though requests of this proxy were. */
  mutePolls: number;
  state: SignalState;
  /** A question is under way: one that is slow to tell is not asked twice at a time, and holds up no other. */
  isAsked: boolean;
}

export interface LoadPollerDeps {
  readonly board: Scoreboard;
  /** Of second policies, for which what others have counts as well. */
  readonly shadowBoard?: Scoreboard;
  readonly log: (level: "notice" | "warn", message: string) => void;
  /** For tests. */
  readonly ask?: (address: Address, path: string) => Promise<EngineResponse | NoResponse>;
}

const usualPaths = ["/metrics", "/prometheus/metrics", "/v1/loads"];

export class LoadPoller {
  readonly #deps: LoadPollerDeps;
  readonly #ask: NonNullable<LoadPollerDeps["ask"]>;
  #watched = new Map<string, Watched>();
  readonly #timers = new Map<number, NodeJS.Timeout>();
  #isClosed = false;

  constructor(deps: LoadPollerDeps) {
    this.#deps = deps;
    this.#ask = deps.ask ?? askEngine;
  }

  /** Asks the engines of this configuration from now on. */
  use(config: Config, slots: SlotsByIdentity): void {
    const before = this.#watched;
    this.#watched = new Map();
    for (const one of watchedOf(config, slots)) {
      const identity = engineIdentity(one.pool, one.engine);
      const old = before.get(identity);
      before.delete(identity);
      const { path, failures, mutePolls, state } = old ?? one;
      const isSame = old?.config.path === one.config.path;
      this.#watched.set(identity, isSame ? { ...one, path, failures, mutePolls, state } : one);
    }
    for (const { slot } of before.values()) this.#forget(slot);
    const intervals = new Set([...this.#watched.values()].map((one) => one.config.intervalMs));
    for (const [intervalMs, timer] of this.#timers) {
      if (intervals.has(intervalMs)) continue;
      clearInterval(timer);
      this.#timers.delete(intervalMs);
    }
    for (const intervalMs of intervals) {
      if (!this.#timers.has(intervalMs)) this.#repeat(intervalMs);
    }
  }

  /** Of engines that are asked, by identity. */
  get states(): ReadonlyMap<string, SignalState> {
    return new Map([...this.#watched].map(([identity, { state }]) => [identity, state]));
  }

  close(): void {
    this.#isClosed = true;
    for (const timer of this.#timers.values()) clearInterval(timer);
    this.#timers.clear();
  }

  /** Asks once all that are asked so often. */
  async round(intervalMs: number): Promise<void> {
    // Ranks of one engine, and its places in several pools, have one server to ask.
    const answers = new Map<string, Promise<EngineResponse | NoResponse>>();
    const due = [...this.#watched.values()].filter(
      (one) => one.config.intervalMs === intervalMs && !one.isAsked,
    );
    for (const one of due) one.isAsked = true;
    await eachOf(due, probesAtOnceMax, async (one) => {
      await this.#poll(one, answers);
      one.isAsked = false;
    });
  }

  #repeat(intervalMs: number): void {
    const again = () => void this.round(intervalMs);
    this.#timers.set(intervalMs, setInterval(again, intervalMs).unref());
    again();
  }

  async #poll(
    one: Watched,
    answers: Map<string, Promise<EngineResponse | NoResponse>>,
  ): Promise<void> {
    const before = this.#inFlight(one);
    for (const path of one.path === undefined ? pathsOf(one.config) : [one.path]) {
      const key = `${one.address.key} ${path}`;
      const asked = answers.get(key) ?? this.#ask(one.address, path);
      answers.set(key, asked);
      const response = await asked;
      const reported =
        typeof response !== "string" && response.status === 200 ? response.body : undefined;
      const report = reported && readLoad(reported, one.rank);
      if (report === undefined) continue;
      one.path = path;
      if (this.#isWatched(one)) this.#take(one, report, before);
      return;
    }
    // It may be another engine by now, which tells elsewhere.
    one.path = undefined;
    one.failures += 1;
    if (one.failures >= probeFailuresMax && this.#isWatched(one)) {
      this.#dead(one, `${one.failures} times in a row it has not told its load`);
    }
  }

  #take(one: Watched, { running, waiting, kvUse }: LoadReport, before: number): void {
    const { board, shadowBoard, log } = this.#deps;
    const after = this.#inFlight(one);
    const said = running + waiting;
    one.failures = 0;
    one.mutePolls = said === 0 && Math.min(before, after) > 0 ? one.mutePolls + 1 : 0;
    if (one.mutePolls >= mutePollsMax) {
      this.#dead(one, `it says that nothing is there, while ${after} requests of this proxy are`);
    }
    if (one.state === "dead") {
      // What was dead for that is alive again when it counts.
      if (said === 0 && after > 0) return;
      one.state = "live";
      log("notice", `${nameOf(one)}: its load is known again by its own word`);
    }
    // What came or went while it told may be in its number or not.
    const others = Math.max(0, said - Math.max(before, after));
    board.setSignal(one.slot, others, kvUse);
    // The KV cache in use is that of what was really sent there.
    shadowBoard?.setSignal(one.slot, others, undefined);
  }

  #dead(one: Watched, why: string): void {
    this.#forget(one.slot);
    if (one.state === "dead") return;
    one.state = "dead";
    const what = "what this proxy has sent there counts alone";
    this.#deps.log("warn", `${nameOf(one)}: its load signal is dead: ${why}; ${what}`);
  }

  #forget(slot: number): void {
    this.#deps.board.clearSignal(slot);
    this.#deps.shadowBoard?.clearSignal(slot);
  }

  #inFlight({ ownSlots }: Watched): number {
    let count = 0;
    for (const slot of ownSlots) count += this.#deps.board.inFlight(slot);
    return count;
  }

  /** A reload may have come while it was asked. */
  #isWatched(one: Watched): boolean {
    return !this.#isClosed && this.#watched.get(engineIdentity(one.pool, one.engine)) === one;
  }
}

function pathsOf({ path }: SignalsConfig): readonly string[] {
  return path === undefined ? usualPaths : [path];
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
      mutePolls: 0,
      state: "live" as const,
      isAsked: false,
    };
  });
}
