/** Where two sides meet under a key: who comes first waits, until the other comes or its time is up. */

import type { Clock } from "../core/timing.ts";

interface QueueListener<T> {
  readonly met: (value: T) => void;
  readonly end: () => void;
}

interface Offer<T> {
  readonly value: T;
  readonly end: () => void;
}

/** Who waited has waited too long, or another waits for the same. */
export class RendezvousError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "RendezvousError";
  }
}

export class Rendezvous<T> {
  /** Waits that ended without the other side. */
  timedOut = 0;
  readonly #clock: Clock;
  readonly #offersMax: number;
  readonly #listeners = new Map<string, QueueListener<T>>();
  readonly #offers = new Map<string, Offer<T>>();

  constructor(clock: Clock, offersMax: number) {
    this.#clock = clock;
    this.#offersMax = offersMax;
  }

  /** The keys for which somebody waits. */
  get waiting(): string[] {
    return [...this.#listeners.keys()];
  }

  /** Rejects with a RendezvousError, or with the signal's reason. */
  wait(key: string, timeoutMs: number, gone: AbortSignal): Promise<T> {
    const offer = this.#offers.get(key);
    if (offer !== undefined) {
      offer.end();
      return Promise.resolve(offer.value);
    }
    return new Promise((resolve, reject) => {
      if (gone.aborted) reject(gone.reason);
      else if (this.#listeners.has(key)) reject(new RendezvousError(`Another waits for "${key}".`));
      else this.#startWaiting(key, timeoutMs, gone, resolve, reject);
    });
  }

  /** Who waits for the key gets the value; as long as nobody does, it is kept for `keepMs`, in place of an earlier one. */
  offer(key: string, value: T, keepMs: number): void {
    const listener = this.#listeners.get(key);
    if (listener !== undefined) {
      listener.end();
      listener.met(value);
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

  /** Takes an offer back. */
  withdraw(key: string): void {
    this.#offers.get(key)?.end();
  }

  close(): void {
    for (const { end } of [...this.#listeners.values(), ...this.#offers.values()]) end();
  }

  #startWaiting(
    key: string,
    timeoutMs: number,
    gone: AbortSignal,
    resolve: (value: T) => void,
    reject: (reason: unknown) => void,
  ): void {
    const onGone = (): void => {
      end();
      reject(gone.reason);
    };
    const cancel = this.#clock.after(timeoutMs, () => {
      this.timedOut++;
      end();
      reject(new RendezvousError(`Nobody came for "${key}" within ${timeoutMs} ms.`));
    });
    const end = (): void => {
      cancel();
      gone.removeEventListener("abort", onGone);
      this.#listeners.delete(key);
    };
    gone.addEventListener("abort", onGone);
    this.#listeners.set(key, { met: resolve, end });
  }
}
