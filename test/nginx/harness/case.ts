/** What a case of the wire suite says, and the few words it is written in. */
import type { DifferenceId } from "../../../src/config/docs/nginx-differences.ts";

/**
 * One step of a client or an engine: bytes that it sends (a string is latin1), or an action.
 *
 * - `until`: waits until what it got, since the last `until`, has this text.
 * - `happened`, `happens`: waits for what another side of the same case says. This orders two sides without a pause.
 * - `pauseMs`: for what only time brings, such as a time-out that is tested.
 * - `end` sends FIN, `reset` sends RST. After either, the side sends no more.
 */
export type Step =
  | string
  | Buffer
  | { readonly until: string }
  | { readonly happens: string }
  | { readonly happened: string }
  | { readonly pauseMs: number }
  | "end"
  | "reset";

export type Script = Step | readonly Step[];

export interface EngineRequest {
  readonly method: string;
  readonly target: string;
  readonly body: string;
  /** As it came, latin1. */
  readonly bytes: string;
  /** The number of the request at this engine, from 0. */
  readonly index: number;
}

/** What an engine sends when it has a whole request: `ok`, below, by default. It may refuse connections instead. */
export type EngineScript = "refuses" | Script | ((request: EngineRequest) => Script);

export interface WireCase {
  /** The hazard that it guards against. */
  readonly name: string;
  /**
   * Directives of the server block. `%engine%` is the case's engine (`host:port`), `%engine1%`, `%engine2%` … its
   * engines if there are several, `%port%` the server's port, `%id%` a word that no other case has, `%dir%` the folder
   * of the configuration. By default everything goes to `%engine%`.
   */
  readonly conf?: string;
  /** Directives of the http block beside the server, with the same words. Names need `%id%`: other cases share the file. */
  readonly http?: string;
  /** Files of the folder `%dir%/%id%`, by name, all of one age: 2 January 2024, 03:04:05 GMT. */
  readonly files?: Readonly<Record<string, string>>;
  /** One connection, or in `clients` several. By default a GET of `/`. */
  readonly request?: Script;
  /** Each a connection of its own, one after the other, or all at once with `together`. */
  readonly clients?: readonly Script[];
  readonly together?: boolean;
  readonly engine?: EngineScript;
  /** In place of `engine`. */
  readonly engines?: readonly EngineScript[];
  /** How many responses of a connection that stays open are read. A connection that closes is read to its end. */
  readonly responses?: number;
  /** A format of `access_log`: what is logged is compared as well. */
  readonly log?: string;
  /** The two are meant to differ, for the reason that the list of differences has. */
  readonly differs?: DifferenceId;
}

/** Cases of one subject. */
export interface Subject {
  /** As its file: `add-header`. */
  readonly subject: string;
  /** Directives of main and of http that all its cases need. They get processes of their own: avoid it. */
  readonly main?: string;
  readonly http?: string;
  readonly cases: readonly WireCase[];
}

/** A GET that asks to close. Lines are further header lines. */
export function get(target = "/", ...lines: readonly string[]): string {
  return message([`GET ${target} HTTP/1.1`, "Host: a.example", "Connection: close", ...lines]);
}

/** A POST that asks to close. */
export function post(target: string, body: string, ...lines: readonly string[]): string {
  const length = `Content-Length: ${body.length}`;
  return message(
    [`POST ${target} HTTP/1.1`, "Host: a.example", "Connection: close", length, ...lines],
    body,
  );
}

/** A response with a length. */
export function response(status: number | string, body = "", ...lines: readonly string[]): string {
  const first = typeof status === "number" ? `${status} Said` : status;
  return message([`HTTP/1.1 ${first}`, `Content-Length: ${body.length}`, ...lines], body);
}

/** Lines with CRLF, an empty one, and a body. */
export function message(lines: readonly string[], body = ""): string {
  return `${lines.join("\r\n")}\r\n\r\n${body}`;
}

/** What engines send by default. */
export const ok: string = response("200 OK", "ok\n", "Content-Type: text/plain");
