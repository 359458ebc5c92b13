/** The access logs of one worker: one sink per file, whose lines are written together. */
import type { LogOutput } from "./log-output.ts";
import { openLog } from "./open-log.ts";

export interface AccessLogSink {
  /** @param line with its line end. Costs an append to a string; the file is written later. */
  write(line: string): void;
}

/** A line waits at most this long for others, to be written together. */
const flushIntervalMs = 200;
/** This many characters are written at once, without waiting for more. */
const flushLengthMax = 16_384;

class BufferedSink implements AccessLogSink {
  readonly file: LogOutput;
  #lines = "";
  #timer: NodeJS.Timeout | undefined;

  constructor(file: LogOutput) {
    this.file = file;
  }

  write(line: string): void {
    // The library would scan all waiting text with each line; here a line costs a concatenation.
    this.#lines += line;
    if (this.#lines.length >= flushLengthMax) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), flushIntervalMs).unref();
  }

  /** Passes the waiting lines to the file. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#lines === "") return;
    const lines = this.#lines;
    this.#lines = "";
    this.file.write(lines);
  }
}

export class AccessLogs {
  readonly #sinks = new Map<string, BufferedSink>();
  readonly #onError: (message: string) => void;
  readonly #wallMs: () => number;

  /**
   * @param onError called once when lines of a file start to be lost
   * @param wallMs the time since the epoch
   */
  constructor(onError: (message: string) => void, wallMs: () => number) {
    this.#onError = onError;
    this.#wallMs = wallMs;
  }

  /** The sink of a path, `stdout` or `stderr`; the same one each time. */
  sink(file: string): AccessLogSink {
    let sink = this.#sinks.get(file);
    if (sink === undefined) {
      const onError = (error: Error) => {
        this.#onError(`access log "${file}" loses lines: ${error.message}`);
      };
      sink = new BufferedSink(openLog({ file, sync: false, onError }, this.#wallMs));
      this.#sinks.set(file, sink);
    }
    return sink;
  }

  /** Closes the sinks of all other files, once a reload has made them unused. */
  keepOnly(files: ReadonlySet<string>): void {
    for (const [file, sink] of this.#sinks) {
      if (files.has(file)) continue;
      this.#sinks.delete(file);
      sink.flush();
      sink.file.close();
    }
  }

  reopen(): void {
    for (const sink of this.#sinks.values()) {
      // The lines so far belong to the old file.
      sink.flush();
      sink.file.reopen();
    }
  }

  /** Writes all waiting lines before it returns. */
  flush(): void {
    for (const sink of this.#sinks.values()) {
      sink.flush();
      sink.file.flush();
    }
  }

  close(): void {
    this.keepOnly(new Set());
  }
}
