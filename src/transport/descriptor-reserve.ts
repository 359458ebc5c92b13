/**
 * File descriptors that a thread keeps back. When no other is left it gives them up: new connections can then be
 * accepted, to be closed at once. One that cannot be accepted stays at the listening socket, whose runtime (Bun) would
 * try again without a pause; and operators could not connect either.
 */
import { closeSync, openSync } from "node:fs";
import { descriptorsFreeAgain, descriptorsKept } from "../limits.ts";

export class DescriptorReserve {
  /** No descriptor is left but those of the reserve: a connection that is accepted now is to be closed at once. */
  isExhausted = false;
  readonly #sizes: ReserveSizes;
  readonly #open: () => number;
  readonly #close: (descriptor: number) => void;
  readonly #kept: number[] = [];

  constructor(sizes: ReserveSizes, open = openNothing, close = closeSync) {
    this.#sizes = sizes;
    this.#open = open;
    this.#close = close;
  }

  /** Looks whether descriptors are left. @returns true = `isExhausted` has changed */
  look(): boolean {
    const before = this.isExhausted;
    const { kept, free } = this.#sizes;
    this.isExhausted = !this.#canOpen(before ? free : kept + 1);
    const keeps = this.isExhausted ? 0 : kept;
    for (const spare of this.#kept.splice(keeps)) this.#close(spare);
    return this.isExhausted !== before;
  }

  #canOpen(count: number): boolean {
    try {
      while (this.#kept.length < count) this.#kept.push(this.#open());
      return true;
    } catch {
      return false;
    }
  }
}

export interface ReserveSizes {
  /** Descriptors that are kept. */
  readonly kept: number;
  /** So many have to be free again, with those, before clients are accepted again. */
  readonly free: number;
}

function openNothing(): number {
  return openSync("/dev/null", "r");
}

/** That of this thread. */
export const descriptorReserve = new DescriptorReserve({
  kept: descriptorsKept,
  free: descriptorsFreeAgain,
});
