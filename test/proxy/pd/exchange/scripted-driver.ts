/**
 * A model of what drives an exchange: legs that are sent, cancelled, answered from. It holds the rules that every order
 * keeps, and offers the events that can happen next.
 */
import { expect } from "vitest";
import type { LegName } from "../../../../src/dialects/dialect.ts";
import type { PickFailure } from "../../../../src/pool/pool.ts";
import type { LegFailure } from "../../../../src/proxy/context/legs.ts";
import { type Outcome, outcomes } from "../../../../src/proxy/context/outcomes.ts";
import { Exchange } from "../../../../src/proxy/pd/exchange/exchange.ts";
import type { ExchangeOptions, Order } from "../../../../src/proxy/pd/exchange/exchange-actions.ts";

export interface Event {
  readonly name: string;
  readonly run: () => void;
}

type LegState = "in-flight" | "answered" | "refused" | "whole";

export class ModelDriver {
  readonly exchange: Exchange;
  readonly log: string[] = [];
  readonly sends: Record<LegName, number> = { prefill: 0, decode: 0 };
  readonly finishes: Outcome[] = [];
  readonly #options: ExchangeOptions;
  readonly #legs: Partial<Record<LegName, LegState>> = {};
  /** Places that are taken, with what happens when something is sent there. */
  readonly #reserved: Partial<Record<LegName, "fails" | "works">> = {};
  /** Whether an engine can be found for a leg, and what happens while it is being sent. */
  readonly #place: (leg: LegName) => PickFailure | "fails" | undefined;
  /** Whether a prefill is done whose KV cache no decode engine has taken yet. */
  #hasKv = false;
  #prefillDone = false;
  #deliveringLeg: LegName | undefined;
  /** Something of an answer is with the client. */
  #hasBegun = false;
  givenUp = 0;
  /** Call-backs that wait for their answer. */
  #calls = 0;
  /** While a decode fails whose KV cache is still there. */
  #keptKv = false;
  /** Decode has said in this round that it needs a prefill. */
  #needsPrefill = false;
  /** Decode's answer has come, and cannot be told without the prefill's. */
  #needsPrefillAnswer = false;
  /** In the queue, once more. */
  #waits = false;
  waitsAgain = 0;

  /** @param hasQueue where a request waits for a place that it has found taken */
  constructor(
    options: ExchangeOptions,
    place: (leg: LegName) => PickFailure | "fails" | undefined,
    hasQueue = false,
  ) {
    this.#options = options;
    this.#place = place;
    this.exchange = new Exchange(options, {
      openAttempt: () => {
        this.log.push("round");
        expect(this.inFlight, `a round beside another; ${this.#text()}`).toEqual([]);
        this.#needsPrefill = false;
        this.#needsPrefillAnswer = false;
        this.#hasKv = false;
        this.#prefillDone = false;
      },
      countRetry: () => undefined,
      lookFor: () => undefined,
      reserve: (leg) => this.#reserve(leg),
      send: (leg) => this.#send(leg),
      waitAgain: () => {
        expect(this.inFlight, `it waits beside a leg; ${this.#text()}`).toEqual([]);
        expect(this.#hasKv, this.#text()).toBe(false);
        expect(this.#order, `it waits for a prefill that is not wanted; ${this.#text()}`).toBe(
          options.order,
        );
        this.#waits = hasQueue;
        if (hasQueue) this.waitsAgain += 1;
        return hasQueue;
      },
      cancel: (leg) => {
        delete this.#legs[leg];
        delete this.#reserved[leg];
      },
      deliverFrom: (leg) => this.#deliverFrom(leg),
      respondToCallback: (ok) => this.#respondToCallback(ok),
      finish: (outcome) => this.#finish(outcome),
    });
  }

  /** It changes once, where decode computes the prompt because no prefill is to be had. */
  get #order(): Order {
    return this.exchange.order;
  }

  get inFlight(): LegName[] {
    return (["prefill", "decode"] as const).filter(
      (leg) => this.#legs[leg] !== undefined || this.#reserved[leg] !== undefined,
    );
  }

  /** What can happen now, apart from the client's going away. */
  events(retry: boolean, kvKept: boolean, kind: LegFailure): Event[] {
    if (this.exchange.ended) return [];
    const events: Event[] = [];
    const add = (name: string, run: () => void) => {
      events.push({
        name,
        run: () => {
          this.log.push(name);
          run();
        },
      });
    };
    const { exchange } = this;
    if (this.#waits) {
      add("there is room again", () => {
        this.#waits = false;
        exchange.startAttempt();
      });
      return events;
    }
    const { prefill, decode } = this.#legs;
    if (this.#deliveringLeg !== undefined && this.#legs[this.#deliveringLeg] === "whole") {
      add("the held answer was sent", () => exchange.responseEnded());
      return events;
    }
    for (const leg of this.inFlight) {
      if (this.#legs[leg] === "whole") continue;
      add(`${leg} fails`, () => this.#fail(leg, kind, retry, kvKept));
    }
    if (this.#deliveringLeg !== undefined) {
      add("the answer ends", () => {
        delete this.#legs[this.#deliveringLeg!];
        exchange.responseEnded();
      });
    }
    if (this.#deliveringLeg === "decode" && prefill === "in-flight") {
      // Nothing of decode's answer has gone out yet: the failure of the prefill may lead to another one.
      add("prefill fails before a token", () => {
        this.#deliveringLeg = undefined;
        exchange.retractResponse();
        this.#fail("prefill", kind, retry, kvKept);
      });
    }
    if (this.#deliveringLeg === "decode") {
      add("decode gives up in the middle", () => this.#giveUp(true));
      add("decode gives up at once", () => this.#giveUp(false));
    }
    if (prefill === "in-flight" && this.#deliveringLeg !== "prefill") {
      add("prefill is done", () => {
        delete this.#legs.prefill;
        this.#hasKv = true;
        this.#prefillDone = true;
        exchange.prefillDone();
      });
      add("prefill's answer is all", () => {
        delete this.#legs.prefill;
        const isLate = this.#deliveringLeg !== undefined;
        if (isLate) this.#prefillDone = true;
        else this.#deliveringLeg = "prefill";
        exchange.deliverPrefillResponse();
        // Decode's answer is on its way to the client, and stays the only one.
        expect(exchange.ended, this.#text()).toBe(!isLate);
      });
      add("prefill is refused", () => {
        this.#legs.prefill = "refused";
        exchange.prefillRefused(retry, true);
      });
    }
    if (this.#deliveringLeg !== "decode") {
      if (decode === "in-flight") {
        add("decode answers", () => this.#answered("answered", true, retry));
        add("decode needs the prefill's answer", () =>
          this.#answered("answered", true, retry, true),
        );
        add("decode refuses", () => this.#answered("refused", false, retry));
      }
      // While it is held back, more of it comes, up to the end.
      if (decode === "answered") {
        add("decode goes on", () => this.#answered("answered", true, false));
        add("decode is whole", () => this.#answered("whole", true, false));
      }
    }
    if (this.#order === "decode-first" && decode === "in-flight") {
      // Its answer has ended with that, so nothing but a new leg can come of it.
      add("decode misses", () => {
        delete this.#legs.decode;
        const before = this.sends.prefill;
        const isFirst = prefill === undefined && !this.#prefillDone;
        this.#needsPrefill = isFirst;
        exchange.decodeNeedsPrefill();
        if (!isFirst) expect(this.sends.prefill, this.#text()).toBe(before);
      });
    }
    if (this.#order === "decode-first" && decode !== undefined) {
      add("decode calls back", () => {
        const before = this.sends.prefill;
        this.#calls += 1;
        exchange.calledBack();
        // One that is ignored gets the answer of the first, which the driver sees to.
        if (this.sends.prefill === before && this.#calls > 0) this.#calls -= 1;
      });
    }
    return events;
  }

  /** Most have a request for the rest. */
  #giveUp(hasBegun: boolean): void {
    this.givenUp += 1;
    this.#deliveringLeg = undefined;
    this.#hasBegun ||= hasBegun;
    this.#hasKv = false;
    this.exchange.decodePreempted(hasBegun, this.givenUp < 4);
  }

  #reserve(leg: LegName): PickFailure | undefined {
    const place = this.#place(leg);
    if (place === "no-healthy-engine" || place === "at-capacity") return place;
    this.#reserved[leg] = place ?? "works";
    return undefined;
  }

  #send(leg: LegName): PickFailure | undefined {
    expect(this.finishes, this.#text()).toEqual([]);
    expect(this.#legs[leg], `${leg} is in flight; ${this.#text()}`).toBeUndefined();
    const refusal = this.#reserved[leg] === undefined ? this.#reserve(leg) : undefined;
    if (refusal !== undefined) return refusal;
    const place = this.#reserved[leg];
    delete this.#reserved[leg];
    this.log.push(`send ${leg}`);
    this.#legs[leg] = "in-flight";
    this.sends[leg] += 1;
    if (leg === "prefill") {
      expect(this.#keptKv, `a prefill though the KV cache is there; ${this.#text()}`).toBe(false);
      expect(this.#order, `a prefill for decode alone; ${this.#text()}`).not.toBe("decode-only");
      const { order, choosesDecodeFirst } = this.#options;
      if (order === "prefill-first" && choosesDecodeFirst) {
        expect(this.#reserved.decode, `no decode to name; ${this.#text()}`).toBeDefined();
      }
      this.#hasKv = false;
      this.#prefillDone = false;
    } else if (this.#order === "prefill-first" || this.#needsPrefill) {
      expect(this.#hasKv, `decode without a prefill; ${this.#text()}`).toBe(true);
      this.#keptKv = false;
    }
    if (place === "fails") {
      this.log.push(`${leg} fails at once`);
      this.#fail(leg, "error", true, true);
    }
    return undefined;
  }

  #fail(leg: LegName, kind: LegFailure, retry: boolean, kvKept: boolean): void {
    delete this.#legs[leg];
    if (leg === "prefill") {
      this.exchange.prefillFailed(kind, retry);
      return;
    }
    if (!kvKept) this.#hasKv = false;
    const prefills = this.sends.prefill;
    const isAfterPrefill =
      this.#order === "prefill-first" || (this.#needsPrefill && this.#prefillDone);
    this.#keptKv = kvKept && isAfterPrefill && !this.#options.choosesDecodeFirst;
    this.exchange.decodeFailed(kind, retry, kvKept);
    if (this.#keptKv) expect(this.sends.prefill, this.#text()).toBe(prefills);
    this.#keptKv = false;
  }

  #answered(state: LegState, ok: boolean, retry: boolean, needsPrefill = false): void {
    this.#legs.decode = state;
    if (!ok && retry) this.#hasKv = false;
    const waits = needsPrefill || this.#needsPrefillAnswer;
    this.#needsPrefillAnswer = ok && waits && this.exchange.isPrefillPending;
    this.exchange.decodeResponded(ok, retry, needsPrefill);
    this.#needsPrefillAnswer &&= this.#legs.decode !== undefined;
  }

  #deliverFrom(leg: LegName): void {
    this.log.push(`answer from ${leg}`);
    expect(this.#deliveringLeg, `two answers; ${this.#text()}`).toBeUndefined();
    // What goes on where another one was given up is an answer of the same kind.
    const isRefusal = leg === "prefill" || this.#legs.decode === "refused";
    if (this.#hasBegun) expect(isRefusal, `a refusal in an answer; ${this.#text()}`).toBe(false);
    expect(this.finishes, this.#text()).toEqual([]);
    expect(this.#legs[leg], `the answer of a leg that is gone; ${this.#text()}`).toBeDefined();
    if (this.#needsPrefillAnswer && leg === "decode" && this.#legs.decode !== "refused") {
      expect(this.#prefillDone, `decode's answer before the prefill; ${this.#text()}`).toBe(true);
    }
    this.#deliveringLeg = leg;
  }

  #respondToCallback(ok: boolean): void {
    this.log.push(`call back ${ok}`);
    expect(this.#options.order).toBe("decode-first");
    expect(this.#calls, `a call-back is answered twice; ${this.#text()}`).toBeGreaterThan(0);
    if (ok) expect(this.#prefillDone || this.#deliveringLeg === "decode", this.#text()).toBe(true);
    this.#calls -= 1;
  }

  #finish(outcome: Outcome): void {
    this.log.push(`finish ${outcome.code}`);
    this.finishes.push(outcome);
    expect(this.finishes.length, this.#text()).toBe(1);
    expect(this.inFlight, `left in flight; ${this.#text()}`).toEqual([]);
    expect(this.#calls, `a call-back waits for ever; ${this.#text()}`).toBe(0);
    if (outcome === outcomes.answered) expect(this.#deliveringLeg, this.#text()).toBeDefined();
    // A status can be answered only while nothing of another answer has gone out.
    if ((this.#deliveringLeg !== undefined || this.#hasBegun) && outcome !== outcomes.answered) {
      expect(outcome.status, `an error after an answer; ${this.#text()}`).toBe(0);
    }
  }

  #text(): string {
    return `${this.#order}: ${this.log.join(", ")}`;
  }
}
