/** One engine of a pool: what the configuration says about it, and what was discovered while it runs. */
import type { PoolConfig } from "../config/schema/schema.ts";
import type { EngineInfo } from "../dialects/dialect.ts";
import type { Scoreboard } from "../scoreboard/scoreboard.ts";
import type { Address } from "./address.ts";
import type { DiscoveredAttributes } from "./discovered-attributes.ts";
import { enginesOf } from "./engines.ts";
import { cardsIn, type ModelCard, modelsAttribute } from "./model-cards.ts";
import { engineIdentity, type SlotsByIdentity } from "./slots.ts";

export interface Engine {
  /** Position in the pool, from 0, in the order of the configuration. */
  readonly index: number;
  /** On the scoreboard. */
  readonly slot: number;
  readonly address: Address;
  /** As logs name it: the address, with its data-parallel rank if it has one. */
  readonly name: string;
  readonly weight: number;
  readonly maxFails: number;
  readonly failTimeoutMs: number;
  /** How many requests it takes at once; 0 = no limit. */
  readonly maxConns: number;
  readonly slowStartMs: number;
  readonly backup: boolean;
  readonly down: boolean;
  /** It takes nothing new, and finishes what it has. */
  readonly isDraining: boolean;
  /** False = discovery found that it does not take requests of its dialect yet. */
  readonly isReady: boolean;
  /** Most tokens of prompt and response together (`max_model_len`); 0 = not known. */
  readonly contextTokens: number;
  /** As it lists them; undefined = not known, or nobody asks. */
  readonly models: readonly ModelCard[] | undefined;
  readonly info: EngineInfo;
}

/** The engine as its pool holds it: discovery changes it while it runs. */
export class PoolEngine implements Engine {
  readonly index: number;
  readonly slot: number;
  readonly address: Address;
  readonly name: string;
  readonly weight: number;
  readonly maxFails: number;
  readonly failTimeoutMs: number;
  readonly maxConns: number;
  readonly slowStartMs: number;
  readonly backup: boolean;
  readonly down: boolean;
  isDraining: boolean;
  isReady = true;
  contextTokens: number;
  models: readonly ModelCard[] | undefined;
  info: EngineInfo;
  readonly #configured: Readonly<Record<string, string>>;
  readonly #drains: boolean;
  /** What `models` was read from. */
  #modelsText: string | undefined;

  constructor(engine: ReturnType<typeof enginesOf>[number], index: number, slot: number) {
    const { config, address, dpRank, name, attributes } = engine;
    this.index = index;
    this.slot = slot;
    this.address = address;
    this.name = name;
    this.weight = config.weight;
    this.maxFails = config.maxFails;
    this.failTimeoutMs = config.failTimeoutMs;
    this.maxConns = config.maxConns;
    this.slowStartMs = config.slowStartMs;
    this.backup = config.backup;
    this.down = config.down;
    this.isDraining = config.draining;
    this.#drains = config.draining;
    this.info = { host: address.host ?? "", port: address.port ?? 0, dpRank, attributes };
    this.contextTokens = contextTokensOf(attributes);
    this.#configured = attributes;
  }

  /** Replaces what was discovered before. Attributes of the configuration take precedence. */
  applyDiscovered(discovered: DiscoveredAttributes | undefined): void {
    this.isReady = discovered?.isReady ?? true;
    this.isDraining = this.#drains || discovered?.isDraining === true;
    const { [modelsAttribute]: models, ...found } = discovered?.attributes ?? {};
    const attributes = { ...found, ...this.#configured };
    this.info = { ...this.info, attributes };
    this.contextTokens = contextTokensOf(attributes);
    if (models !== this.#modelsText) this.models = models === undefined ? models : cardsIn(models);
    this.#modelsText = models;
  }
}

function contextTokensOf({ max_model_len }: Readonly<Record<string, string>>): number {
  const tokens = Number(max_model_len);
  return Number.isSafeInteger(tokens) && tokens > 0 ? tokens : 0;
}

/** What the engine with the longest context takes; 0 = that is not known of all of them. */
export function mostContextTokens(engines: readonly Engine[]): number {
  let most = 0;
  for (const { contextTokens } of engines) {
    if (contextTokens === 0) return 0;
    most = Math.max(most, contextTokens);
  }
  return most;
}

/** Whether the engine takes one more request. */
export function hasCapacity({ maxConns, slot }: Engine, board: Scoreboard): boolean {
  return maxConns === 0 || board.inFlight(slot) < maxConns;
}

export function poolEnginesOf(
  pool: string,
  config: Pick<PoolConfig, "engines">,
  slots: SlotsByIdentity,
): PoolEngine[] {
  return enginesOf(config).map(
    (engine, index) => new PoolEngine(engine, index, slots[engineIdentity(pool, engine.name)]!),
  );
}
