/** A progress bar on standard error, if that is a terminal. */
import { printError } from "./print.ts";

const barLength = 30;

export class Progress {
  readonly #expected: number;
  readonly #isShown = process.stderr.isTTY;
  #steps = 0;

  /** @param expected about how many steps there will be */
  constructor(expected: number) {
    this.#expected = Math.max(1, expected);
  }

  step(): void {
    this.#steps += 1;
    if (!this.#isShown) return;
    const share = Math.min(1, this.#steps / this.#expected);
    const bar = "█".repeat(Math.round(share * barLength)).padEnd(barLength, "░");
    printError(`\r${bar} ${this.#steps}`);
  }

  end(): void {
    if (this.#isShown) printError("\r\x1b[K");
  }
}
