/** Asks the main thread for keys of the issuer of tokens that it may have got since. */
import { issuerAskedAgainMs } from "../../limits.ts";
import type { Clock } from "../../transport/clock.ts";

type Send = (message: { readonly type: "issuer-keys-wanted" }) => void;

export class RemoteIssuer {
  readonly #clock: Pick<Clock, "nowMs">;
  readonly #send: Send;
  #askedMs = Number.NEGATIVE_INFINITY;
  #waiting: (() => void)[] = [];

  constructor(clock: Pick<Clock, "nowMs">, send: Send) {
    this.#clock = clock;
    this.#send = send;
  }

  /** Resolves when it has asked the issuer: true; false = it was asked lately. */
  ask(): Promise<boolean> {
    const nowMs = this.#clock.nowMs();
    if (this.#waiting.length === 0) {
      if (nowMs - this.#askedMs < issuerAskedAgainMs) return Promise.resolve(false);
      this.#askedMs = nowMs;
      this.#send({ type: "issuer-keys-wanted" });
    }
    return new Promise((resolve) => {
      this.#waiting.push(() => resolve(true));
    });
  }

  /** It has; new keys have come before this. */
  asked(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
