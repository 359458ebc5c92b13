/**
 * A log file that is only ever appended to, so that workers and rotation can share it, and that never throws: a full
 * disk, a missing folder or a closed pipe costs lines, not requests.
 */
import { closeSync, openSync } from "node:fs";
import sonicBoom, { type SonicBoom } from "sonic-boom";
import { describeOpenError } from "../config/problems/system-error.ts";
import { isSyslog } from "../config/values/syslog-target.ts";

export interface LogFileOptions {
  /** A path, `stdout` or `stderr`. */
  readonly file: string;
  /** Writes before `write` returns. For the few lines of the main thread, which must be out before it exits. */
  readonly sync: boolean;
  /** Called once when lines start to be lost, and again only after lines were written in between. */
  onError?(error: Error): void;
}

/** Bytes that may wait for a slow disk or pipe; further lines are dropped. */
const waitingBytesMax = 4_194_304;
/** A sync write to a pipe that is full is tried this often, 100 ms apart, before its line is dropped. */
const syncTriesMax = 5;

const standardStreams: Readonly<Record<string, number>> = { stdout: 1, stderr: 2 };

export class LogFile {
  readonly file: string;
  /** Lines that were dropped. */
  dropped = 0;
  readonly #sync: boolean;
  readonly #onError: ((error: Error) => void) | undefined;
  #stream: SonicBoom | undefined;
  #failing = false;

  constructor({ file, sync, onError }: LogFileOptions) {
    this.file = file;
    this.#sync = sync;
    this.#onError = onError;
    this.#stream = this.#open();
  }

  /** @param lines one or more lines, each with its line end. They are never torn apart. */
  write(lines: string): void {
    if (this.#stream === undefined) {
      this.dropped += 1;
      return;
    }
    this.#stream.write(lines);
  }

  /**
   * Opens the path again, since the file was moved. What was written before goes to the old file. Keeps it on failure.
   */
  reopen(): void {
    if (this.file in standardStreams) return;
    const next = this.#open();
    if (next === undefined) return;
    this.#stream?.end();
    this.#stream = next;
    this.#failing = false;
  }

  /** Writes all waiting lines before it returns. */
  flush(): void {
    try {
      this.#stream?.flushSync();
    } catch (error) {
      this.#failed(error as Error);
    }
  }

  /**
   * Writes all waiting lines and closes. A file that is not `sync` does so afterwards, and keeps the thread alive until
   * then.
   */
  close(): void {
    const stream = this.#stream;
    this.#stream = undefined;
    if (stream === undefined) return;
    if (!this.#sync) {
      stream.end();
      return;
    }
    try {
      stream.flushSync();
    } catch (error) {
      this.#failed(error as Error);
    }
    stream.destroy();
  }

  #open(): SonicBoom | undefined {
    try {
      // Opened here and not by the library, which would accept lines for a file that it could not open.
      const fd = standardStreams[this.file] ?? openSync(this.file, "a", 0o644);
      let tries = 0;
      const stream = new sonicBoom.SonicBoom({
        fd,
        sync: this.#sync,
        maxLength: waitingBytesMax,
        retryEAGAIN: () => {
          tries += 1;
          return !this.#sync || tries <= syncTriesMax;
        },
      });
      stream.on("error", (error) => this.#failed(error));
      stream.on("drop", () => this.#dropped());
      stream.on("drain", () => {
        tries = 0;
        this.#failing = false;
      });
      return stream;
    } catch (error) {
      this.#failed(error as Error);
      return undefined;
    }
  }

  #dropped(): void {
    this.dropped += 1;
    this.#failed(
      new Error(`"${this.file}" is written too slowly: take a faster disk, or log less`),
    );
  }

  #failed(error: Error): void {
    if (this.#failing) return;
    this.#failing = true;
    this.#onError?.(error);
  }
}

/** Whether a log can be opened for appending; creates it if it is missing. @returns what is wrong, as nginx words it */
export function logFileProblem(file: string): string | undefined {
  if (file in standardStreams || isSyslog(file)) return undefined;
  try {
    closeSync(openSync(file, "a", 0o644));
    return undefined;
  } catch (error) {
    return describeOpenError(file, error as NodeJS.ErrnoException);
  }
}
