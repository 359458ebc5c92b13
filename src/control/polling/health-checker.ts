/**
 * Active health checks: asks engines whether they are well, and writes to the scoreboard whether they get requests. As
 * in Envoy and NGINX Plus, several results in a row are needed for a change, both ways.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { HealthCheckConfig } from "../../config/schema/pool/health-check.ts";
import type { Config } from "../../config/schema/schema.ts";
import type { Address } from "../../pool/address.ts";
import { enginesOf } from "../../pool/engines.ts";
import { engineIdentity, type SlotsByIdentity } from "../../pool/slots.ts";
import type { Scoreboard } from "../../scoreboard/scoreboard.ts";
import { probesAtOnceMax } from "../limits.ts";
import { type AskEngine, type EngineResponse, eachOf, type NoResponse } from "./ask-engine.ts";
import { Rounds } from "./rounds.ts";

interface Checked {
  readonly name: string;
  readonly slot: number;
  readonly address: Address;
  readonly config: HealthCheckConfig;
  /** Results in a row that are unlike its state. */
  contrary: number;
  isUnhealthy: boolean;
  /** A slow engine is not asked twice at a time, and delays no other. */
  isAsked: boolean;
}

export interface HealthCheckerDeps {
  readonly board: Scoreboard;
  readonly log: (level: "notice" | "warn", message: string) => void;
  readonly ask: AskEngine;
}

/** Engines that respond so have no such path. */
const unknownPath: ReadonlySet<number> = new Set([404, 405, 501]);

export class HealthChecker {
  readonly #deps: HealthCheckerDeps;
  readonly #ask: AskEngine;
  #checked = new Map<string, Checked>();
  readonly #rounds = new Rounds((intervalMs) => this.round(intervalMs));
  #isClosed = false;

  constructor(deps: HealthCheckerDeps) {
    this.#deps = deps;
    this.#ask = deps.ask;
  }

  /** Checks the engines of this configuration from now on. What is known of those that stay is kept. */
  use(config: Config, slots: SlotsByIdentity): void {
    const before = this.#checked;
    this.#checked = new Map();
    for (const [identity, one] of checkedOf(config, slots)) {
      const { contrary, isUnhealthy } = before.get(identity) ?? one;
      before.delete(identity);
      this.#checked.set(identity, { ...one, contrary, isUnhealthy });
    }
    for (const { slot } of before.values()) this.#deps.board.health.setUnhealthy(slot, false);
    this.#rounds.use(new Set([...this.#checked.values()].map((one) => one.config.intervalMs)));
  }

  close(): void {
    this.#isClosed = true;
    this.#rounds.close();
  }

  /** Asks all engines of this interval once. */
  async round(intervalMs: number): Promise<void> {
    // All ranks of one engine share a server, in all pools: it is asked once.
    const results = new Map<string, Promise<boolean>>();
    const due = [...this.#checked.values()].filter(
      (one) => one.config.intervalMs === intervalMs && !one.isAsked,
    );
    for (const one of due) one.isAsked = true;
    await eachOf(due, probesAtOnceMax, async (one) => {
      const { path, inference, timeoutMs } = one.config;
      const key = `${one.address.key} ${path} ${inference} ${timeoutMs}`;
      const result = results.get(key) ?? this.#isWell(one);
      results.set(key, result);
      const isWell = await result;
      one.isAsked = false;
      if (!this.#isClosed && [...this.#checked.values()].includes(one)) this.#take(one, isWell);
    });
  }

  /** Both questions of an inference share its time. */
  async #isWell({ address, config }: Checked): Promise<boolean> {
    const { path, timeoutMs, inference } = config;
    const response = await Promise.race([
      inference
        ? this.#infer(address, timeoutMs)
        : this.#ask(address, path, { method: "GET", timeoutMs }),
      delay(timeoutMs, "failed" as const, { ref: false }),
    ]);
    if (typeof response === "string") return false;
    return response.status < 400 || (!inference && unknownPath.has(response.status));
  }

  /** Has the engine generate one token of the first model that it lists. */
  async #infer(address: Address, timeoutMs: number): Promise<EngineResponse | NoResponse> {
    const models = await this.#ask(address, "/v1/models", { method: "GET", timeoutMs });
    if (typeof models === "string") return models;
    const body = JSON.stringify({ model: firstModel(models.body), prompt: "1", max_tokens: 1 });
    return this.#ask(address, "/v1/completions", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: Buffer.from(body),
      timeoutMs,
    });
  }

  #take(one: Checked, isWell: boolean): void {
    const { healthyThreshold, unhealthyThreshold, path } = one.config;
    if (isWell !== one.isUnhealthy) {
      one.contrary = 0;
      return;
    }
    one.contrary += 1;
    if (one.contrary < (isWell ? healthyThreshold : unhealthyThreshold)) return;
    one.contrary = 0;
    one.isUnhealthy = !isWell;
    this.#deps.board.health.setUnhealthy(one.slot, one.isUnhealthy);
    if (isWell) this.#deps.log("notice", `${one.name} is healthy again`);
    else {
      const asked = one.config.inference ? "one token" : path;
      const times = `${unhealthyThreshold} checks in a row (${asked})`;
      this.#deps.log(
        "warn",
        `${one.name} is unhealthy: ${times} have failed; it gets no requests, see its own log`,
      );
    }
  }
}

function firstModel(body: Buffer): string {
  try {
    const { data } = JSON.parse(body.toString()) as { data?: { id?: unknown }[] };
    return String(data?.[0]?.id ?? "");
  } catch {
    return "";
  }
}

function checkedOf(config: Config, slots: SlotsByIdentity): [string, Checked][] {
  return Object.entries(config.pools).flatMap(([pool, poolConfig]) => {
    const { healthCheck } = poolConfig;
    if (healthCheck === undefined) return [];
    return enginesOf(poolConfig).map(({ name, address }): [string, Checked] => {
      const identity = engineIdentity(pool, name);
      const where = `engine ${name} of pool "${pool}"`;
      const state = { contrary: 0, isUnhealthy: false, isAsked: false };
      return [
        identity,
        { name: where, slot: slots[identity]!, address, config: healthCheck, ...state },
      ];
    });
  });
}
