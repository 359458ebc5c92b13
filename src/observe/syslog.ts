/**
 * A log that goes to a syslog daemon by UDP, a datagram a line (RFC 3164, as nginx writes it). Nothing waits for it:
 * what cannot be sent is lost, as datagrams are.
 */
import { createSocket, type Socket } from "node:dgram";
import { isIPv6 } from "node:net";
import { hostname } from "node:os";
import type { LogLevel } from "../config/schema/schema.ts";
import { logLevels } from "../config/values/log-levels.ts";
import { parseSyslog, type SyslogTarget } from "../config/values/syslog-target.ts";
import type { LogOutput } from "./log-output.ts";

/** Datagrams that may wait for the socket; further lines are dropped. */
const waitingMax = 4_096;
/** Longer lines are cut: a datagram has 65,507 bytes at most, and daemons take less. */
const lineBytesMax = 32_768;

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

export class SyslogOutput implements LogOutput {
  readonly file: string;
  dropped = 0;
  readonly #target: SyslogTarget;
  readonly #wallMs: () => number;
  readonly #onError: ((error: Error) => void) | undefined;
  #socket: Socket | undefined;
  #waiting = 0;
  #failing = false;
  #closed = false;

  /** @param file with `syslog:` */
  constructor(file: string, wallMs: () => number, onError?: (error: Error) => void) {
    const target = parseSyslog(file.slice("syslog:".length));
    if ("problem" in target) throw new Error(target.problem);
    this.file = file;
    this.#target = target;
    this.#wallMs = wallMs;
    this.#onError = onError;
  }

  write(lines: string, level: LogLevel = this.#target.severity): void {
    const head = this.#head(level);
    for (const line of lines.split("\n")) if (line !== "") this.#send(head + line);
  }

  /** It has no file. */
  reopen(): void {}

  /** It has nothing that can be waited for. */
  flush(): void {}

  /** What is under way still goes out. */
  close(): void {
    this.#closed = true;
    this.#closeIfIdle();
  }

  #head(level: LogLevel): string {
    const { facility, tag, namesHost } = this.#target;
    // Levels are listed from the least severe one on, severities from the most severe one.
    const severity = logLevels.length - 1 - logLevels.indexOf(level);
    const time = syslogTime(new Date(this.#wallMs()));
    const host = namesHost ? ` ${hostname()}` : "";
    return `<${facility * 8 + severity}>${time}${host} ${tag}: `;
  }

  #send(message: string): void {
    if (this.#closed || this.#waiting >= waitingMax) {
      this.dropped += 1;
      return;
    }
    const { host, port } = this.#target;
    this.#socket ??= this.#open();
    this.#waiting += 1;
    this.#socket.send(Buffer.from(message).subarray(0, lineBytesMax), port, host, (error) => {
      this.#waiting -= 1;
      if (error === null || error === undefined) this.#failing = false;
      else this.#failed(error);
      if (this.#closed) this.#closeIfIdle();
    });
  }

  #open(): Socket {
    const socket = createSocket(isIPv6(this.#target.host) ? "udp6" : "udp4");
    socket.on("error", (error) => this.#failed(error));
    socket.unref();
    return socket;
  }

  #closeIfIdle(): void {
    if (this.#waiting > 0) return;
    this.#socket?.close();
    this.#socket = undefined;
  }

  #failed(error: Error): void {
    this.dropped += 1;
    if (this.#failing) return;
    this.#failing = true;
    this.#onError?.(error);
  }
}

/** `Nov  5 09:08:07`, local. */
function syslogTime(date: Date): string {
  const two = (part: number) => String(part).padStart(2, "0");
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return `${months[date.getMonth()]} ${String(date.getDate()).padStart(2)} ${time}`;
}
