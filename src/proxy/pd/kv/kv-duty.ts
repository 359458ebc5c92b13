/**
 * What one request owes prefill engines: follows the obligation of its attempt, and has it discharged when the attempt
 * is over.
 */
import type { RouteConfig } from "../../../config/schema/schema.ts";
import type { KvRelease, KvTransfer, LegName } from "../../../dialects/dialect.ts";
import type { Engine } from "../../../pool/engine.ts";
import type { LegFailure } from "../../context/legs.ts";
import type { CollectedBody } from "../../response/body/collected-body.ts";
import type { Route } from "../../routing/route.ts";
import type { EngineConnection } from "../../upstream/connection/engine-connection.ts";
import type { Leg } from "../../upstream/leg.ts";
import type { Attempt } from "../driver/attempt.ts";
import type { ExchangeRequest } from "../driver/exchange-services.ts";
import type { Legs } from "../legs/legs.ts";
import { KvObligation, type KvStep, type PrefillEnd } from "./kv-obligation.ts";
import { KvReleaser } from "./kv-releaser.ts";

/** What of an exchange has a say in what is owed. */
export interface KvParts {
  readonly request: ExchangeRequest;
  readonly route: Route;
  readonly legs: Legs;
  readonly attempt: Attempt;
  /** Undefined = there is nothing to prefill. */
  readonly prefillResponse: CollectedBody | undefined;
}

export class KvDuty {
  readonly #parts: KvParts;
  readonly #release: KvRelease;
  /** Of the attempt under way; undefined = nothing is owed, or not any more. */
  #obligation: KvObligation | undefined;
  #transfer: KvTransfer | undefined;
  /** The prefill's, if its response may be on the way though nobody waits for it any more. */
  #pending: EngineConnection | undefined;
  /** It is read by a releaser, though the attempt is not over. */
  #isReadOn = false;
  /** A decode engine that has failed, or has rejected its request: it has not fetched the KV cache. */
  #over: Engine | undefined;
  /** One that has failed. */
  #failed: Engine | undefined;
  /** Its time was over. */
  #isSilent = false;

  constructor(parts: KvParts, release: KvRelease) {
    this.#parts = parts;
    this.#release = release;
  }

  /** A prefill engine may hold a KV cache that decode has not taken yet. */
  get isOpen(): boolean {
    return this.#obligation !== undefined;
  }

  /** The prefill's request is sent, or sent once more over another connection. */
  prefillSent(): void {
    const { attempt, legs, request } = this.#parts;
    const { transfer } = attempt;
    if (transfer === undefined || transfer === this.#transfer) return;
    this.#transfer = transfer;
    const { slot } = legs.prefill!.engine!;
    this.#obligation = new KvObligation(this.#release, request.worker.kvLedger, slot);
  }

  /** The prefill's response names no KV cache. @returns what the route does about it */
  transferMissing(): RouteConfig["onMissingTransfer"] {
    const { legs, request, route } = this.#parts;
    const { pool, engine } = legs.prefill!;
    request.worker.reports.transferMissing(pool!, engine!);
    this.prefillEnded("empty");
    return route.config.onMissingTransfer;
  }

  prefillEnded(how: PrefillEnd): void {
    this.#obligation?.prefillEnded(how);
  }

  /** A leg has failed. @param unsent its engine has nothing of the request */
  failed(
    leg: Leg["name"],
    failure: LegFailure,
    unsent: boolean,
    connection: EngineConnection,
  ): void {
    if (leg === "prefill") {
      const isEmpty = this.#parts.prefillResponse!.isEmpty;
      // Its response may be on the way all the same.
      if (failure === "timeout" && isDelivered(connection)) this.#readOn(connection);
      else this.prefillEnded(unsent ? "empty" : isEmpty ? "none" : "cut");
      return;
    }
    this.#over = this.#parts.legs.decode.engine;
    this.#failed = this.#over;
    this.#isSilent = failure === "timeout";
  }

  /** A leg's engine has responded with an error. */
  refused(leg: Leg["name"]): void {
    if (leg === "prefill") this.prefillEnded("empty");
    else this.#over = this.#parts.legs.decode.engine;
  }

  /**
   * Some of a response of decode has come, or its end.
   * @param generates whether it is one, as far as it shows; undefined = that does not show yet
   */
  decodeResponds(status: number, generates: boolean | undefined): void {
    if (this.#obligation === undefined || status >= 300 || generates === undefined) return;
    if (!generates) {
      this.refused("decode");
      return;
    }
    this.#obligation.taken();
    this.#obligation = undefined;
  }

  /** A leg is not wanted any more. */
  giveUp(name: LegName): void {
    const { prefill, decode } = this.#parts.legs;
    const connection = name === "prefill" ? prefill?.detach() : decode.detach();
    if (connection === undefined) return;
    const hasAll = isDelivered(connection);
    if (name === "prefill" && hasAll && this.#obligation !== undefined) {
      this.#pending = connection;
      return;
    }
    if (name === "decode" && hasAll && decode.engine !== this.#over) {
      this.#obligation?.decodeCancelled();
    }
    connection.cancel();
  }

  /** The attempt is over. */
  end(): void {
    const obligation = this.#obligation;
    const pending = this.#pending;
    this.#obligation = undefined;
    this.#pending = undefined;
    if (!this.#isReadOn) this.#discharge(obligation, pending);
    this.#isReadOn = false;
    this.#over = undefined;
    this.#failed = undefined;
    this.#isSilent = false;
  }

  /** The prefill's time is over, and its attempt may go on without it. What comes of it is read on its own. */
  #readOn(connection: EngineConnection): void {
    this.#isReadOn = this.#discharge(this.#obligation, connection) === "drain";
  }

  #discharge(obligation: KvObligation | undefined, pending: EngineConnection | undefined): KvStep {
    const step = obligation?.drop(pending !== undefined) ?? "nothing";
    if (step === "drain") this.#releaser(obligation!).drain(pending!);
    else {
      pending?.cancel();
      if (step === "release") this.#releaser(obligation!).release();
    }
    return step;
  }

  #releaser(obligation: KvObligation): KvReleaser {
    const { attempt, legs, prefillResponse, request, route } = this.#parts;
    const { prefill, decode, targets } = legs;
    const dropped = {
      obligation,
      request,
      route,
      dialectRequest: attempt.dialectRequest!,
      transfer: this.#transfer!,
      prefill: prefill!.engine!,
      destination: targets.destination("decode"),
      decode: decode.engine,
      failed: this.#failed,
      isSilent: this.#isSilent,
      isBoundToDecode: route.dialect.choosesDecodeFirst ?? false,
      response: prefillResponse!.take(),
    };
    return new KvReleaser(dropped, request.worker.kvLedger);
  }
}

/** Whether the engine has, or will have, the whole request. */
function isDelivered({ connecting, pendingBytes }: EngineConnection): boolean {
  return !connecting && pendingBytes === 0;
}

/** Undefined = engines of the route hold nothing for requests. */
export function kvDutyOf(parts: KvParts): KvDuty | undefined {
  const { release } = parts.route.dialect;
  return release && new KvDuty(parts, release);
}
