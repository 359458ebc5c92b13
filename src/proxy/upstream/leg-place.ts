/** A leg's place at an engine, and which engines of the pool it has tried before. */
import type { PickRequest } from "../../policies/shared/policy.ts";
import type { Engine } from "../../pool/engine.ts";
import { isMove } from "../../pool/health/moves.ts";
import { hasLastResort, hasOther, type Untried } from "../../pool/other-engines.ts";
import type { PickFailure, Placement, Pool } from "../../pool/pool.ts";
import type { RequestLeg } from "../../scoreboard/leg-counts.ts";
import type { Clock } from "../../transport/clock.ts";
import { append, emptyList } from "../context/append.ts";
import type { Explanation } from "../context/explained/explanation.ts";

/** The request that the leg is part of. */
interface PlacedRequest {
  readonly services: { readonly clock: Clock };
  /** Undefined = nobody asks why engines are chosen. */
  readonly explanation?: Explanation | undefined;
}

export class LegPlace {
  /** Of the try under way, or of the last one. */
  placement: Placement | undefined;
  /** Engines that list the request's model; undefined = any may have it. */
  #holders: PickRequest["holders"];
  /** One that lists it does not have it: what engines list is out of date. */
  #distrustsLists = false;
  /** No other engine can serve the request, whatever they list. */
  #isBound = false;
  readonly #leg: RequestLeg;
  readonly #request: PlacedRequest;
  /** Slots of engines that failed, and of the one that is being tried. */
  #tried: readonly number[] = emptyList;
  /** Slots of those that were only late: they may have been busy, or this machine. */
  #late: readonly number[] = emptyList;

  constructor(leg: RequestLeg, request: PlacedRequest) {
    this.#leg = leg;
    this.#request = request;
  }

  get #nowMs(): number {
    return this.#request.services.clock.wallMs();
  }

  /** Whether another engine of the pool could be tried. */
  get hasOther(): boolean {
    const pool = this.placement?.pool;
    if (pool === undefined || pool.size <= 1) return false;
    return hasOther(this.#untried(pool, this.#excluded), this.#nowMs);
  }

  /** Whether an engine is left beside that of the last try, whatever has come of that. */
  get hasNext(): boolean {
    if (this.placement === undefined) return false;
    const { pool, engine } = this.placement;
    return hasOther(this.#untried(pool, append(this.#tried, engine.slot)), this.#nowMs);
  }

  /** Whether another try would only go where the request would go if it came now. */
  get isMove(): boolean {
    if (this.placement === undefined) return false;
    const { pool, engine } = this.placement;
    return isMove(pool, engine, this.#excluded, this.#nowMs);
  }

  /**
   * An engine that has listed the request's model does not know it (any more). Whether another one may: one that lists
   * it, or else any, since that may be new.
   */
  lacksModel(): boolean {
    if (this.#isBound || (this.#holders === undefined && !this.#distrustsLists)) return false;
    if (this.hasOther) return true;
    this.#holders = undefined;
    this.#distrustsLists = true;
    return this.hasOther;
  }

  /** Whether one could be tried that is ejected: better than an error, and no better than a response. */
  get hasLastResort(): boolean {
    const pool = this.placement?.pool;
    return pool !== undefined && hasLastResort(this.#untried(pool, this.#tried), this.#nowMs);
  }

  /** Engines that are not tried now. One that was only late is tried again where no other is left. */
  get #excluded(): readonly number[] {
    const tried = this.#tried;
    const pool = this.placement?.pool;
    if (pool === undefined || this.#late.length === 0) return tried;
    if (hasOther(this.#untried(pool, tried), this.#nowMs)) return tried;
    return tried.filter((slot) => slot === tried.at(-1) || !this.#late.includes(slot));
  }

  #untried(pool: Pool, tried: readonly number[]): Untried {
    return { pool, tried, holders: this.#holders };
  }

  /** The engine was late, and is given up for another one. */
  late(): void {
    this.#late = append(this.#late, this.placement!.engine.slot);
  }

  /** Takes a place at an engine that was not tried. */
  take(pool: Pool, asked: PickRequest): PickFailure | undefined {
    const nowMs = this.#nowMs;
    const { explanation } = this.#request;
    const pick = this.#distrustsLists ? { ...asked, holders: undefined } : asked;
    this.#goBy(pick);
    const excluded = this.#excluded;
    const seen = explanation && pool.explain(pick, excluded, nowMs);
    const placement = pool.place(pick, excluded, nowMs);
    if (seen !== undefined) {
      const engine = typeof placement === "string" ? undefined : placement.engine;
      explanation?.add({
        leg: this.#leg,
        pool: pool.name,
        policy: pool.policyLabel,
        chosen: engine?.name ?? "",
        engines: seen.closest(engine?.index ?? -1),
        poolSize: pool.size,
      });
    }
    if (typeof placement === "string") return placement;
    this.#taken(placement);
    return undefined;
  }

  /** Takes a place at this engine, if it has one, and the request's model. */
  takeAt(pool: Pool, engine: Engine, pick: PickRequest): boolean {
    this.#goBy(pick);
    if (pick.holders?.[engine.index] === 0) return false;
    const placement = pool.placeAt(engine, pick, this.#nowMs);
    if (placement !== undefined) this.#taken(placement);
    return placement !== undefined;
  }

  /** The engine has not failed: the leg may come back to it. */
  untry(): void {
    this.#tried = this.#tried.length > 1 ? this.#tried.slice(0, -1) : emptyList;
  }

  /** The last engine counts as tried, though its try has not failed. */
  avoid(): void {
    const { slot } = this.placement!.engine;
    if (!this.#tried.includes(slot)) this.#tried = append(this.#tried, slot);
  }

  /**
   * A request for the rest of a response begins: only the last engine counts as tried, and not even that one if there
   * is no other.
   */
  forgetTries(): void {
    const last = this.#tried.at(-1);
    if (last === undefined) return;
    this.#tried = [last];
    if (!this.hasOther) this.#tried = emptyList;
  }

  #goBy({ holders, requiredEngine }: PickRequest): void {
    this.#holders = holders;
    this.#isBound = requiredEngine !== undefined;
  }

  #taken(placement: Placement): void {
    this.#tried = append(this.#tried, placement.engine.slot);
    this.placement = placement;
  }
}
