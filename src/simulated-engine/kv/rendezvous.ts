/** Two sides meet under a key: whichever comes first waits until the other comes, or times out. */

import type { Clock } from "../clock.ts";

interface Waiter<T> {
  readonly met: (value: T) => void;
  readonly end: () => void;
}

interface Offer<T> {
  readonly value: T;
  readonly end: () => void;
}

/** A wait timed out, or another one waits under the same key. */
export class RendezvousError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "RendezvousError";
  }
}

export class Rendezvous<T> {
  /** Waits that timed out. */
  timedOut = 0;
  readonly #clock: Clock;
  readonly #offersMax: number;
  readonly #waiters = new Map<string, Waiter<T>>();
  readonly #offers = new Map<string, Offer<T>>();

  constructor(clock: Clock, offersMax: number) {
    this.#clock = clock;
    this.#offersMax = offersMax;
  }

  /** The keys that someone waits for. */
  get waiting(): string[] {
    return [...this.#waiters.keys()];
  }

  /** Resolves to the offered value. Rejects with a RendezvousError, or with the signal's reason. */
  wait(key: string, timeoutMs: number, signal: AbortSignal): Promise<T> {
    const offer = this.#offers.get(key);
    if (offer !== undefined) {
      offer.end();
      return Promise.resolve(offer.value);
    }
    return new Promise((resolve, reject) => {
      if (signal.aborted) reject(signal.reason);
      else if (this.#waiters.has(key))
        reject(new RendezvousError(`Another request waits for "${key}".`));
      else this.#startWaiting(key, timeoutMs, signal, resolve, reject);
    });
  }

  /** Resolves the wait for the key; without one, the value stays on offer for `keepMs` and replaces an earlier one. */
  offer(key: string, value: T, keepMs: number): void {
    const waiter = this.#waiters.get(key);
    if (waiter !== undefined) {
      waiter.end();
      waiter.met(value);
      return;
    }
    this.#offers.get(key)?.end();
    if (this.#offers.size >= this.#offersMax) this.#offers.values().next().value!.end();
    const cancel = this.#clock.after(keepMs, () => this.#offers.delete(key));
    const end = (): void => {
      cancel();
      this.#offers.delete(key);
    };
    this.#offers.set(key, { value, end });
  }

  /** Withdraws an offer. */
  withdraw(key: string): void {
    this.#offers.get(key)?.end();
  }

  close(): void {
    for (const { end } of [...this.#waiters.values(), ...this.#offers.values()]) end();
  }

  #startWaiting(
    key: string,
    timeoutMs: number,
    signal: AbortSignal,
    resolve: (value: T) => void,
    reject: (reason: unknown) => void,
  ): void {
    const onAbort = (): void => {
      end();
      reject(signal.reason);
    };
    const cancel = this.#clock.after(timeoutMs, () => {
      this.timedOut++;
      end();
      reject(new RendezvousError(`Nobody came for "${key}" within ${timeoutMs} ms.`));
    });
    const end = (): void => {
      cancel();
      signal.removeEventListener("abort", onAbort);
      this.#waiters.delete(key);
    };
    signal.addEventListener("abort", onAbort);
    this.#waiters.set(key, { met: resolve, end });
  }
}
