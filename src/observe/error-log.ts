/**
 * The error log, in nginx's form, one line per event:
 *
 *     2026/11/22 19:13:27 [error] 7851#0: message, client: 10.0.0.1, upstream: "127.0.0.1:8090"
 *
 * The number after the process id is the thread: 0 is the main thread, worker N has N. Times are local, as in nginx.
 * What is said again and again (an engine that refuses connections) is written once a second, with how often it was.
 */

import type { LogLevel } from "../config/schema/schema.ts";
import { logLevels } from "../config/values/log-levels.ts";
import { maskText } from "../config/values/secrets.ts";
import type { LogOutput } from "./log-output.ts";
import { openLog } from "./open-log.ts";
import { Repeats } from "./repeats.ts";
import { visible } from "./visible.ts";

/** The part of a clock that a log needs. */
export interface WallClock {
  /** Since the epoch, in ms. */
  wallMs(): number;
}

export interface ErrorLogOptions {
  /** A path or `stderr`. */
  readonly file: string;
  readonly level: LogLevel;
  /** 0 is the main thread. */
  readonly thread: number;
  /** See `LogFileOptions`: the main thread writes at once, workers never wait. */
  readonly sync: boolean;
  readonly clock: WallClock;
}

/** Details of an event, written in this order as `, name: value`. `undefined` is left out. */
export type LogFields = Readonly<Record<string, string | number | undefined>>;

const rankOf = Object.fromEntries(logLevels.map((level, rank) => [level, rank])) as Record<
  LogLevel,
  number
>;

export class ErrorLog {
  readonly #thread: number;
  readonly #sync: boolean;
  readonly #clock: WallClock;
  readonly #repeats = new Repeats((level, message) => this.#write(level, message));
  #file: LogOutput;
  #rank: number;
  #second = 0;
  #stamp = "";

  constructor({ file, level, thread, sync, clock }: ErrorLogOptions) {
    this.#thread = thread;
    this.#sync = sync;
    this.#clock = clock;
    this.#rank = rankOf[level];
    this.#file = this.#open(file);
  }

  /** Whether events of this level are written: check before composing a costly message. */
  isOn(level: LogLevel): boolean {
    return rankOf[level] >= this.#rank;
  }

  /** @param message the same for the same event: what differs by request stands in the fields, which do not count */
  log(level: LogLevel, message: string, fields?: LogFields): void {
    if (rankOf[level] < this.#rank) return;
    // Who reads `debug` wants all of it.
    if (level !== "debug" && this.#repeats.isRepeat(level, message)) return;
    this.#write(level, message, fields);
  }

  #write(level: LogLevel, message: string, fields?: LogFields): void {
    let line = `${this.#now()} [${level}] ${process.pid}#${this.#thread}: ${message}`;
    if (fields !== undefined) line += formatFields(fields);
    // One line, whatever a client has sent.
    this.#file.write(`${visible(maskText(line))}\n`, level);
  }

  debug(message: string, fields?: LogFields): void {
    if (this.#rank <= rankOf.debug) this.log("debug", message, fields);
  }
  info(message: string, fields?: LogFields): void {
    if (this.#rank <= rankOf.info) this.log("info", message, fields);
  }
  notice(message: string, fields?: LogFields): void {
    this.log("notice", message, fields);
  }
  warn(message: string, fields?: LogFields): void {
    this.log("warn", message, fields);
  }
  error(message: string, fields?: LogFields): void {
    this.log("error", message, fields);
  }
  crit(message: string, fields?: LogFields): void {
    this.log("crit", message, fields);
  }
  alert(message: string, fields?: LogFields): void {
    this.log("alert", message, fields);
  }
  emerg(message: string, fields?: LogFields): void {
    this.log("emerg", message, fields);
  }

  /** Another level or file from now on, after a reload. */
  configure({ file, level }: { readonly file: string; readonly level: LogLevel }): void {
    this.#rank = rankOf[level];
    if (file === this.#file.file) return;
    this.#repeats.flush();
    this.#file.close();
    this.#file = this.#open(file);
  }

  reopen(): void {
    this.#repeats.flush();
    this.#file.reopen();
  }

  flush(): void {
    this.#repeats.flush();
    this.#file.flush();
  }

  close(): void {
    this.#repeats.flush();
    this.#file.close();
  }

  #open(file: string): LogOutput {
    return openLog({ file, sync: this.#sync }, () => this.#clock.wallMs());
  }

  /** The time to the second, composed once per second. */
  #now(): string {
    const nowMs = this.#clock.wallMs();
    const second = Math.floor(nowMs / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#stamp = formatLocalTime(new Date(nowMs));
    }
    return this.#stamp;
  }
}

function formatLocalTime(time: Date): string {
  const two = (part: number) => String(part).padStart(2, "0");
  const date = `${time.getFullYear()}/${two(time.getMonth() + 1)}/${two(time.getDate())}`;
  return `${date} ${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
}

function formatFields(fields: LogFields): string {
  let text = "";
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    // As in nginx: text from outside is quoted, plain addresses and numbers are not.
    const plain = typeof value === "number" || /^[\w.:/[\]-]+$/.test(value);
    text += plain ? `, ${name}: ${value}` : `, ${name}: "${value.replaceAll('"', '\\"')}"`;
  }
  return text;
}
