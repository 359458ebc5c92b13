/** The only place that writes to the command's standard output and error. */
import { writeSync } from "node:fs";
import { type ConfigProblem, formatProblem } from "../config/problems/problem.ts";
import { maskText } from "../config/values/secrets.ts";
import { visibleLines } from "../observe/visible.ts";

/** How often a full pipe is tried, every 10 ms: a reader has 10 s. */
const fullPipeTriesMax = 1000;

/** To standard output, unchanged. Returns when all is written, so that the process may exit. */
export function print(text: string): void {
  write(1, text);
}

/** To standard error, unchanged. */
export function printError(text: string): void {
  write(2, text);
}

/** `global-proxy: [level] message` to standard error, with secrets hidden. */
export function printMessage(
  level: ConfigProblem["level"] | "error" | "alert",
  message: string,
): void {
  printError(`global-proxy: [${level}] ${visibleLines(maskText(message))}\n`);
}

export function printProblem(problem: ConfigProblem): void {
  printError(`global-proxy: ${visibleLines(maskText(formatProblem(problem)))}\n`);
}

function write(fd: 1 | 2, text: string): void {
  let rest = Buffer.from(text);
  for (let tries = 0; rest.length > 0; ) {
    try {
      rest = rest.subarray(writeSync(fd, rest));
      tries = 0;
    } catch (error) {
      // A reader that has gone (`global-proxy -T | head`) is not an error.
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "EAGAIN" || ++tries > fullPipeTriesMax) return;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }
}
