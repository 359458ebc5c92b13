/** Where each leg of a request may go, and what a policy has to know of the request to choose an engine there. */
import { KeyName } from "../../body/json/key-name.ts";
import { scanTopLevel } from "../../body/json/top-level.ts";
import { promptBlocks } from "../../body/prompt/prompt-blocks.ts";
import type { EngineInfo, Engines, LegName } from "../../dialects/dialect.ts";
import { memberValueOf } from "../../dialects/shared/member-facts.ts";
import { promptUsageOf } from "../../dialects/shared/prompt-usage.ts";
import { usualBytesPerToken } from "../../estimates/token-ratio.ts";
import { promptBlockBytes, promptBlocksMax } from "../../limits.ts";
import type { PickRequest } from "../../policies/shared/policy.ts";
import type { Engine } from "../../pool/engine.ts";
import type { Pool } from "../../pool/pool.ts";
import { CapacityWait, type CapacityWaitRequest } from "../admission/capacity-wait.ts";
import { PrefillWait, type PrefillWaitRequest } from "../admission/prefill-wait.ts";
import { type FoundPrompt, PromptLookUp } from "../admission/prompt-look-up.ts";
import { holderOf, requestedResponse } from "../response/stored-response.ts";
import { dpRankHeader } from "../routing/head-plan.ts";
import { type InternalRoute, internalRoute } from "../routing/internal-route.ts";
import type { Destination, Route } from "../routing/route.ts";
import type { ForwardedRequest } from "../upstream/forwarded-request.ts";
import type { Leg } from "../upstream/leg.ts";
import type { Exchange, Order } from "./exchange.ts";

/** vLLM's member of this name. */
const priorityKey = new KeyName("priority");
const noBlocks: readonly number[] = [];

export class LegPlaces {
  readonly #request: ForwardedRequest;
  readonly #route: Route;
  /** Path and pool of the prefill, found by internal routing once. */
  #prefill: InternalRoute | undefined;
  /** Hashes of the prompt's blocks, made once, where a policy goes by them. */
  #blocks: number[] | undefined;
  /** Where the prompt is held until a prefill engine can take it. */
  #held: PrefillWait | undefined;
  /** Where the request waits for room instead. */
  #admission: CapacityWait | undefined;
  #lookUp: PromptLookUp | undefined;
  /** What engines have told of the prompt. */
  #found: FoundPrompt | undefined;
  /** Any engine can answer, and one that prefills is there for it: none of its work is waited for token by token. */
  readonly #prefersPrefill: boolean;
  /** The decode engine that has so much of the prompt cached that it computes the rest itself. */
  #warm: Engine | undefined;
  /** The answer that the request is about, which one engine keeps; "" = none. */
  readonly #storedResponse: string;

  constructor(request: ForwardedRequest, route: Route) {
    const { endpoint, context, members, worker } = request;
    this.#request = request;
    this.#route = route;
    this.#prefersPrefill =
      endpoint?.servedBy === "any-engine" &&
      route.prefillPool !== undefined &&
      route.prefillPool.vacancy(worker.clock.wallMs()) === undefined;
    this.#storedResponse = requestedResponse(endpoint, context.path, members);
  }

  /** The route whose header lines the prefill gets. */
  get prefillRoute(): Route {
    return this.#prefill?.route ?? this.#route;
  }

  destination(name: LegName): Destination | undefined {
    const found = this.#destination(name);
    const pool = found?.pool.current;
    return pool === found?.pool ? found : { pool: pool!, uri: found!.uri };
  }

  #destination(name: LegName): Destination | undefined {
    const route = this.#route;
    const { context, server } = this.#request;
    if (name === "decode" && !this.#prefersPrefill) return route.destination(context);
    if (route.prefillPool !== undefined) {
      const destination = route.destination(context);
      return destination && { pool: route.prefillPool, uri: destination.uri };
    }
    this.#prefill ??= internalRoute(server, context, route.prefillLocation);
    return this.#prefill?.destination;
  }

  pick(pool: Pool): PickRequest {
    const { context, promptBytes, worker } = this.#request;
    const blocks = pool.usesBlocks ? this.#promptBlocks() : noBlocks;
    return {
      bytes: promptBytes,
      tokens: this.#found?.tokens ?? pool.ratio.tokensOf(promptBytes),
      blocks,
      reported: this.#reportedBlocks(pool, blocks.length),
      clientAddress: context.connection.remoteAddress,
      key: worker.policyKey(pool, context),
      shadowKey: worker.shadowKey(pool, context),
      requiredEngine: holderOf(pool, this.#storedResponse),
      stickyEngine:
        this.#warm && pool.engines.indexOf(this.#warm) >= 0 ? this.#warm.index : undefined,
      clock: worker.clock,
    };
  }

  /** The prefill's answer says how many tokens the prompt has, and of these were cached. It is read where somebody goes by that. */
  prefilled(response: Buffer): void {
    const held = this.#held;
    this.#admission?.prefilled();
    const prefill = this.destination("prefill")?.pool;
    if (held === undefined && !prefill?.usesBlocks) return;
    const usage = promptUsageOf(response);
    held?.done(usage);
    if (usage.promptTokens === undefined) return;
    const { promptBytes } = this.#request;
    // Both pools serve one model. Where the prompt was held, the desk has learnt of it.
    if (held === undefined) prefill?.ratio.observe(promptBytes, usage.promptTokens);
    this.destination("decode")?.pool?.ratio.observe(promptBytes, usage.promptTokens);
  }

  /** Whether decode would have so many tokens of the prompt to compute: all of them, but for those that an engine has cached. */
  isLong(minTokens: number): boolean {
    const { promptBytes, worker } = this.#request;
    const minBytes = minTokens * usualBytesPerToken;
    if (promptBytes < minBytes || minTokens === 0) return minTokens === 0;
    const pool = this.destination("decode")?.pool;
    if (!pool?.knowsCaches) return true;
    const warm = pool.bestCached(this.#promptBlocks(), worker.clock.wallMs());
    if (warm === undefined || promptBytes - warm.cachedBlocks * promptBlockBytes >= minBytes)
      return true;
    this.#warm = warm.engine;
    return false;
  }

  /** Waits for an engine, or for room, and has the prompt looked up, where pools are so configured; then the exchange begins. */
  begin(exchange: Exchange): void {
    const held = this.#prefillWaitRequest(exchange.order);
    if (held !== undefined) {
      this.#held = new PrefillWait(exchange, this.#request, this.prefillRoute, held);
      this.#held.wait();
      return;
    }
    if (!this.#request.worker.hasAdmissionSteps) {
      exchange.begin();
      return;
    }
    const queueRequest = this.#capacityWaitRequest(exchange.order);
    if (queueRequest === undefined) {
      this.#lookUpPrompt(exchange);
      return;
    }
    this.#admission = new CapacityWait(exchange, this.#request, queueRequest, () => {
      this.#lookUpPrompt(exchange);
    });
    this.#admission.wait();
  }

  /** Gives its place back, and waits for another; false = there is no queue. */
  waitAgain(): boolean {
    const waits = this.#held ?? this.#admission;
    waits?.leave();
    waits?.wait();
    return waits !== undefined;
  }

  /** Takes the engine that the prompt was held for. */
  reserveQueued(leg: Leg, uri: string, pick: PickRequest): boolean {
    return this.#held?.reserve(leg, uri, pick) ?? false;
  }

  /** That engine is not wanted. */
  releasePrefill(): void {
    this.#held?.skip();
  }

  /** What is asked of the desk for this request; undefined = it is not held: its pool does not hold, or there is nothing to wait for yet. */
  #prefillWaitRequest(order: Order): PrefillWaitRequest | undefined {
    // Whether there will be a prefill is decode's to say.
    if (order === "decode-only" || (order === "decode-first" && !this.#route.dialect.callsBack)) {
      return undefined;
    }
    const { context, worker } = this.#request;
    const pool = this.#route.prefillPool ?? this.destination("prefill")?.pool;
    if (pool?.config.policy.name !== "predictive") return undefined;
    const priority = worker.holdPriority(pool, context) ?? this.#bodyPriority();
    const decodePool = this.destination("decode")?.pool;
    const tenant = worker.tenant(pool, context);
    return { pool, decodePool, pick: this.pick(pool), priority, tenant };
  }

  #capacityWaitRequest(order: Order): CapacityWaitRequest | undefined {
    const prefill = order === "decode-only" ? undefined : this.destination("prefill")?.pool;
    const decode = this.destination("decode")?.pool;
    const pool = prefill?.hasQueue ? prefill : decode;
    if (!pool?.hasQueue) return undefined;
    const decodePool = pool === prefill && decode?.hasQueue ? decode : undefined;
    const { context, worker } = this.#request;
    const priority = worker.holdPriority(pool, context) ?? this.#bodyPriority();
    const tenant = worker.tenant(pool, context);
    return { pool, endsWithPrefill: pool === prefill, decodePool, priority, tenant };
  }

  #lookUpPrompt(exchange: Exchange): void {
    const name = exchange.order === "decode-only" ? "decode" : "prefill";
    const pool = this.destination(name)?.pool;
    const tokenizers = pool && this.#request.worker.tokenizers(pool);
    if (tokenizers === undefined || this.#lookUp !== undefined) {
      exchange.begin();
      return;
    }
    const route = name === "prefill" ? this.prefillRoute : this.#route;
    this.#lookUp = new PromptLookUp(this.#request, route, tokenizers, (found) => {
      this.#found = found;
      exchange.begin();
    });
    this.#lookUp.begin();
  }

  /** The request is over. */
  leave(): void {
    this.#held?.leave();
    this.#lookUp?.cancel();
    this.#admission?.leave();
  }

  /** Whole blocks of the prompt, as if all had as many tokens. */
  #reportedBlocks(pool: Pool, count: number): Int32Array | undefined {
    if (this.#found?.pool !== pool || this.#found.leadingTokens.size === 0) return undefined;
    const { leadingTokens, tokens } = this.#found;
    return Int32Array.from(pool.engines, ({ name }) => {
      const leading = leadingTokens.get(name);
      return leading === undefined ? -1 : Math.floor((count * leading) / tokens);
    });
  }

  #bodyPriority(): number {
    const { members } = this.#request;
    const text = members && memberValueOf(members, priorityKey)?.toString("latin1", 0, 11);
    return text !== undefined && /^-?\d{1,9}$/.test(text) ? Number(text) : 0;
  }

  #promptBlocks(): readonly number[] {
    if (this.#blocks !== undefined) return this.#blocks;
    this.#blocks = [];
    const { members, context, worker } = this.#request;
    if (members !== undefined) {
      promptBlocks(members, promptBlockBytes, promptBlocksMax, this.#blocks);
      return this.#blocks;
    }
    // What goes to one engine as it is was not read before; it may be no JSON, and then no prompt is known of.
    const own = worker.takeTopLevel();
    const { body } = context;
    if (scanTopLevel(body, 0, body.length, own) === undefined) {
      promptBlocks(own, promptBlockBytes, promptBlocksMax, this.#blocks);
    }
    worker.giveTopLevel(own);
    return this.#blocks;
  }
}

/** For an engine that is one data-parallel rank of several behind its address. */
export function rankLine({ engine }: Leg): string {
  const rank = engine?.info.dpRank ?? -1;
  return rank < 0 ? "" : `${dpRankHeader}: ${rank}\r\n`;
}

/** Stands for an engine that has not been chosen. */
const nowhere: EngineInfo = Object.freeze({ host: "", port: 0, dpRank: -1, attributes: {} });

export const noEngines: Engines = Object.freeze({ prefill: nowhere, decode: nowhere });

/** Where the KV cache comes from, if it could have come from elsewhere. */
export function sourceAmongOthers(prefill: Leg | undefined): Engine | undefined {
  return (prefill?.pool?.size ?? 0) > 1 ? prefill!.engine : undefined;
}

/** Of both legs, as far as they are chosen. */
export function enginesOf(
  prefill: Leg | undefined,
  decode: Leg,
): { prefill: EngineInfo; decode: EngineInfo } {
  return { prefill: prefill?.engine?.info ?? nowhere, decode: decode.engine?.info ?? nowhere };
}
