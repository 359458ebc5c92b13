/**
 * The obligation that a prefill opens: the KV cache that its engine may hold is fetched by decode, or freed. It is
 * closed once, by exactly one end. A state machine without I/O: what has happened goes in, what is to be done comes
 * out.
 */
import type { KvRelease } from "../../../dialects/dialect.ts";
import type { KvEnd } from "../../../scoreboard/kv-counts.ts";
import { KvEntry, type KvLedger } from "./kv-ledger.ts";

/**
 * What frees the KV cache of an attempt that is over. `drain`: first the prefill's response has to come, or not to
 * come. `release`: a request that frees it has to be sent.
 */
export type KvStep = "nothing" | "drain" | "release";

/**
 * What has come of the prefill's response. `held` = the engine holds the KV cache; `empty` = it holds none: an error, a
 * response that names none, a request that has never reached it; `cut` = the beginning of a response; `none` = the
 * engine has closed without one, or was left before.
 */
export type PrefillEnd = "held" | "empty" | "cut" | "none";

export class KvObligation extends KvEntry {
  readonly #release: KvRelease;
  readonly #ledger: KvLedger;
  #isHeld = false;
  #isDecodeCancelled = false;
  #isOpen = true;

  /** @param slot of the engine to which the prefill is sent */
  constructor(release: KvRelease, ledger: KvLedger, slot: number) {
    super(slot);
    this.#release = release;
    this.#ledger = ledger;
    ledger.open(this);
  }

  prefillEnded(how: PrefillEnd): void {
    if (how === "held" || (how !== "empty" && this.#release.holdsEarly)) this.#isHeld = true;
    else if (how === "empty") this.#close("empty");
    else if (how === "none") this.#close("released_by_prefill");
    // It was done, and has not said by which name its KV cache can be freed.
    else this.#close(this.#isDecodeCancelled ? "released_by_cancel" : "leaked");
  }

  /** Decode, whose whole request its engine has, is cancelled before its response has begun. */
  decodeCancelled(): void {
    this.#isDecodeCancelled = this.#release.by === "cancelled-decode";
  }

  /** The decode engine's response has begun: it has the KV cache. */
  taken(): void {
    this.#close("taken");
  }

  /**
   * The attempt is over.
   * @param isPrefillPending the engine has the prefill's whole request, and its response may be on the way
   */
  drop(isPrefillPending: boolean): KvStep {
    if (!this.#isHeld && isPrefillPending && this.#isOpen) return "drain";
    return this.#afterPrefill("none");
  }

  drained(how: PrefillEnd): KvStep {
    return this.#afterPrefill(how);
  }

  /** @param isDone an engine has the request that frees the KV cache */
  released(isDone: boolean): void {
    this.#close(isDone ? "released_by_request" : "leaked");
  }

  #afterPrefill(how: PrefillEnd): KvStep {
    if (!this.#isHeld) this.prefillEnded(how);
    if (!this.#isOpen) return "nothing";
    if (this.#isDecodeCancelled) this.#close("released_by_cancel");
    else if (this.#release.by === "nothing") this.#close("leaked");
    else return "release";
    return "nothing";
  }

  #close(end: KvEnd): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#ledger.close(this, end);
  }
}
