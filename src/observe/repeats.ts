/**
 * Which lines of the error log are repeats. Windows of a second follow each other while there are lines: in each the
 * first of equal lines is written, and the others are counted.
 */

import type { LogLevel } from "../config/schema/schema.ts";
import { repeatedKeyCharsMax, repeatedLinesMax, repeatWindowMs } from "../limits.ts";

interface Repeated {
  readonly level: LogLevel;
  readonly message: string;
  count: number;
}

export class Repeats {
  readonly #lines = new Map<string, Repeated>();
  readonly #say: (level: LogLevel, message: string) => void;
  #timer: NodeJS.Timeout | undefined;

  /** @param say writes the one line for all repeats of a message */
  constructor(say: (level: LogLevel, message: string) => void) {
    this.#say = say;
  }

  /** Whether the same was said within the last second; counts it then. */
  isRepeat(level: LogLevel, message: string): boolean {
    const key = `${level} ${message.slice(0, repeatedKeyCharsMax)}`;
    const before = this.#lines.get(key);
    if (before !== undefined) {
      before.count += 1;
      return true;
    }
    if (this.#lines.size >= repeatedLinesMax) this.#dropOldest();
    this.#lines.set(key, { level, message, count: 0 });
    this.#timer ??= setTimeout(() => this.flush(), repeatWindowMs).unref();
    return false;
  }

  /** Says what has repeated so far; from now on nothing is a repeat. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const lines = [...this.#lines.values()];
    this.#lines.clear();
    for (const line of lines) this.#close(line);
  }

  #dropOldest(): void {
    for (const [key, line] of this.#lines) {
      this.#lines.delete(key);
      this.#close(line);
      return;
    }
  }

  #close({ level, message, count }: Repeated): void {
    if (count > 0)
      this.#say(level, `${message}: … and ${count} more in ${repeatWindowMs / 1_000} s`);
  }
}
