/**
 * Keeps the turns of Node's event loop short. In one turn libuv reads each socket up to 32 times, and timers run
 * between turns only: many engines that send faster than clients read would hold up time-outs and signs of life.
 */
import { readTurnBytesMax, readTurnSocketsMax } from "../limits.ts";

/** A socket that can wait for the next turn. */
export interface TurnTaker {
  holdTurn(): void;
  /** The next turn begins. */
  takeTurn(): void;
}

export class ReadTurn {
  #bytes = 0;
  /** Sockets that were read after too much had been read in a turn, in the order in which they go on. */
  readonly #waiting: TurnTaker[] = [];
  readonly #defer: (task: () => void) => void;
  /** Called with each read in a turn that has become long: a sign of life that needs no timer. */
  goesOn: () => void = () => {};

  /** @param defer runs the task once timers have had their turn */
  constructor(defer: (task: () => void) => void) {
    this.#defer = defer;
  }

  /** So many bytes of the socket were read. If that is too much for one turn, it waits for a later one. */
  took(socket: TurnTaker, bytes: number): void {
    // Counted over short turns, too: to know where one begins would cost more than a socket that waits now and then.
    this.#bytes += bytes;
    if (this.#bytes < readTurnBytesMax) return;
    this.goesOn();
    if (this.#waiting.length === 0) this.#defer(this.#next);
    this.#waiting.push(socket);
    socket.holdTurn();
  }

  readonly #next = () => {
    const next = this.#waiting.splice(0, readTurnSocketsMax);
    if (this.#waiting.length > 0) this.#defer(this.#next);
    this.#bytes = 0;
    for (const socket of next) socket.takeTurn();
  };
}

/** That of the calling thread. */
export const readTurn = new ReadTurn(setImmediate);
