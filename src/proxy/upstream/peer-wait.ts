/**
 * Whether a leg waits in vain for the engine at the other end of its KV transfer: that one has shown no sign of life
 * since the leg was sent, or hardly since. The leg's own engine may serve others meanwhile.
 */
import type { Placement } from "../../pool/pool.ts";
import type { Clock } from "../../transport/clock.ts";
import type { Deadlines } from "../../transport/deadlines.ts";
import { EngineSilence } from "./engine-silence.ts";

export class PeerWait {
  readonly #peer: Placement;
  readonly #clock: Clock;
  readonly #silence = new EngineSilence();

  constructor(peer: Placement, deadlines: Deadlines, clock: Clock) {
    this.#peer = peer;
    this.#clock = clock;
    this.#silence.start(peer, deadlines, clock.nowMs(), clock.wallMs());
  }

  /**
   * @param waitedMs since the leg was sent
   * @param lateMs how long a first byte, and the transfer before it, may take
   * @param isOvertaken the leg's own engine has served what was sent to it later
   */
  isVain(waitedMs: number, lateMs: number, isOvertaken: boolean): boolean {
    const silentMs = this.#silence.lastsMs(this.#clock.nowMs(), this.#clock.wallMs());
    // Where it fell silent long after the leg was sent, it had time enough for the transfer.
    if (silentMs < lateMs || waitedMs - silentMs > lateMs) return false;
    const { pool, engine } = this.#peer;
    return isOvertaken || pool.health.failuresOf(engine) > 0;
  }
}
