/**
 * What comes between a request's arrival and its first engine: waiting in the queue of its pool, and finding out what
 * engines have cached of its prompt. Each step is optional; the listener hears how it ends.
 */
import type { LegName, LegOrder } from "../../dialects/dialect.ts";
import type { PromptUsage } from "../../dialects/shared/prompt-usage.ts";
import type { PickRequest } from "../../policies/shared/policy.ts";
import type { PickFailure, Pool } from "../../pool/pool.ts";
import type { QueueRequest } from "../../queue/orderings/shared/ordering.ts";
import { engineModelName } from "../context/engine-model.ts";
import type { Outcome } from "../context/outcomes.ts";
import type { Route } from "../routing/route.ts";
import type { ForwardedRequest } from "../upstream/forwarded-request.ts";
import type { Leg } from "../upstream/leg.ts";
import { type FoundPrompt, PromptLookUp } from "./prompt-look-up.ts";
import { PromptTokens } from "./prompt-tokens.ts";
import { Wait, type WaitListener } from "./wait.ts";

/** The request's exchange: called once for each `start` and `waitAgain`, possibly before these return. */
export interface AdmissionListener {
  /** Which legs it has, and which of them is sent first. */
  readonly order: LegOrder | "decode-only";
  /** The request goes to engines now. */
  startAttempt(): void;
  /** No prefill engine takes requests. */
  noPrefillEngine(failure: PickFailure): void;
  /** The request ends. */
  abort(outcome: Outcome): void;
}

/** Where the request's legs may go. */
export interface AdmissionTargets {
  readonly prefillRoute: Route;
  pool(leg: LegName): Pool | undefined;
}

/** What policies are asked for the request. */
export interface AdmissionPicks {
  /** Set once the prompt was looked up. */
  found: FoundPrompt | undefined;
  blocks(pool: Pool): readonly number[];
}

export interface AdmissionLegs {
  readonly targets: AdmissionTargets;
  readonly picks: AdmissionPicks;
}

const noBlocks: readonly number[] = [];

/** Whether requests wait there until the policy can pick an engine. */
function waitsForCapacity(pool: Pool | undefined): pool is Pool {
  return (pool?.hasQueue ?? false) && !pool!.placesPrompts;
}

export class Admission implements WaitListener {
  readonly #request: ForwardedRequest;
  readonly #route: Route;
  readonly #legs: AdmissionLegs;
  readonly #listener: AdmissionListener;
  #tokens: PromptTokens | undefined;
  #wait: Wait | undefined;
  #lookUp: PromptLookUp | undefined;
  /** The queue chooses the prefill engine. */
  #isPlacedByQueue = false;
  /** The place in the queue's pool is free again once the prompt is prefilled. */
  #endsWithPrefill = false;

  constructor(
    request: ForwardedRequest,
    route: Route,
    legs: AdmissionLegs,
    listener: AdmissionListener,
  ) {
    this.#request = request;
    this.#route = route;
    this.#legs = legs;
    this.#listener = listener;
  }

  start(): void {
    const { targets } = this.#legs;
    const { order } = this.#listener;
    const prefill = order === "decode-only" ? undefined : targets.pool("prefill");
    // If decode asks for a prefill only in its response, there may be none to wait for.
    const isCertain = order !== "decode-first" || this.#route.dialect.callsBack;
    if (prefill?.placesPrompts && isCertain) {
      this.#isPlacedByQueue = true;
      this.#endsWithPrefill = true;
      this.#tokenise(prefill);
      return;
    }
    const decode = targets.pool("decode");
    const pool = waitsForCapacity(prefill) ? prefill : decode;
    if (waitsForCapacity(pool)) {
      this.#endsWithPrefill = pool === prefill;
      const isBoth = pool === prefill && waitsForCapacity(decode);
      this.#enqueue(pool, isBoth ? decode : undefined, undefined);
    } else this.#lookUpPrompt();
  }

  /** Gives its place back, and waits for another; false = there is no queue. */
  waitAgain(): boolean {
    this.#wait?.cancel();
    this.#wait?.enqueue();
    return this.#wait !== undefined;
  }

  /** Takes the engine that the queue has chosen for the prefill; false = a policy is to pick one. */
  reserve(leg: Leg, uri: string, pick: PickRequest): boolean {
    return this.#isPlacedByQueue && this.#wait!.reserve(leg, uri, pick);
  }

  /** The prefill engine that was granted is not wanted. */
  releasePrefill(): void {
    if (this.#isPlacedByQueue) this.#wait?.releasePrefill();
  }

  /** Whether the queue learns from what the prefill engine reports of the prompt. */
  get learnsUsage(): boolean {
    return this.#isPlacedByQueue;
  }

  /** @param usage undefined = nobody has read it */
  prefillDone(usage?: PromptUsage): void {
    if (this.#endsWithPrefill) this.#wait?.prefillDone(usage);
  }

  /** The request is over. */
  cancel(): void {
    this.#tokens?.cancel();
    this.#lookUp?.cancel();
    this.#wait?.cancel();
  }

  // ---- How the wait ends ----

  admitted(): void {
    if (this.#isPlacedByQueue) this.#listener.startAttempt();
    else this.#lookUpPrompt();
  }

  noEngine(): void {
    if (this.#isPlacedByQueue) this.#listener.noPrefillEngine("no-healthy-engine");
    // What is the matter with its engines is found out by the leg that looks for one.
    else this.#listener.startAttempt();
  }

  rejected(outcome: Outcome): void {
    this.#listener.abort(outcome);
  }

  // ---- Steps ----

  #tokenise(pool: Pool): void {
    const { targets } = this.#legs;
    const decode = targets.pool("decode");
    const tokenizers = this.#request.worker.tokenizers(pool);
    if (tokenizers === undefined) {
      this.#enqueue(pool, decode, undefined);
      return;
    }
    const enqueue = (ids: Int32Array | undefined) => this.#enqueue(pool, decode, ids);
    this.#tokens = new PromptTokens(this.#request, targets.prefillRoute, tokenizers, enqueue);
    this.#tokens.start();
  }

  #enqueue(pool: Pool, decodePool: Pool | undefined, tokenIds: Int32Array | undefined): void {
    const { context, promptBytes, worker } = this.#request;
    const queueRequest: QueueRequest = {
      pool: pool.name,
      decodePool: decodePool?.name ?? "",
      model: engineModelName(context),
      bytes: promptBytes,
      blocks: this.#isPlacedByQueue ? this.#legs.picks.blocks(pool) : noBlocks,
      tokenIds,
      ...worker.poolKeys.queue(pool, context),
      explains: this.#isPlacedByQueue && context.explanation !== undefined,
    };
    this.#wait = new Wait(this.#request, pool, queueRequest, this);
    this.#wait.enqueue();
  }

  /** Once, however often the request waits. */
  #lookUpPrompt(): void {
    const { targets, picks } = this.#legs;
    const leg = this.#listener.order === "decode-only" ? "decode" : "prefill";
    const pool = targets.pool(leg);
    const tokenizers = pool && this.#request.worker.tokenizers(pool);
    if (tokenizers === undefined || this.#lookUp !== undefined) {
      this.#listener.startAttempt();
      return;
    }
    const from = leg === "prefill" ? targets.prefillRoute : this.#route;
    this.#lookUp = new PromptLookUp(this.#request, from, tokenizers, (found) => {
      picks.found = found;
      this.#listener.startAttempt();
    });
    this.#lookUp.start();
  }
}
