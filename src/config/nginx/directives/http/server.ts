/** `server` of http: where it listens, and its names. */
import { many, none, number, oneOf, reading, size } from "../../reading/arguments.ts";
import { anyHttp } from "../../reading/context.ts";
import { type Directive, honoured, ignored } from "../../reading/directive.ts";
import type { Word } from "../../syntax/lexer.ts";
import { http2, http2Ignored, http2MaxConcurrentStreams } from "./http2.ts";
import { readListen } from "./listen.ts";

export const server = honoured("server", ["http"], none, "an item of `servers`", {
  block: "server",
  repeats: true,
});

export const listen = honoured("listen", ["server"], reading(1, many, readListen), "`listen`", {
  repeats: true,
  byDefault: "`*:80`",
  note:
    "A port, `address:port`, `[::]:port`, `unix:/path` or a range of ports, with `default_server`, `ssl`, " +
    "`http2`, `reuseport` and `backlog`. `quic` and `proxy_protocol` are errors. Options of the socket have no effect.",
});

export const serverName = honoured(
  "server_name",
  ["server"],
  reading(1, many, (words, scope) =>
    words.map((word): string => {
      const name = word.text;
      if (name.startsWith("~")) {
        if (name === "~") scope.fail(`empty regex in server name "${name}"`, word);
        return `~${scope.regex(word, name.slice(1)).pattern}`;
      }
      if (!isServerName(word)) scope.fail(`server name "${name}" is invalid`, word);
      if (name.includes("/")) {
        scope.loading.report.warn(
          word.position,
          `server name "${name}" has suspicious symbols`,
          "a server's name is a host without a path",
        );
      }
      return name.toLowerCase();
    }),
  ),
  "`names`",
  { repeats: true, note: "`example.org`, `*.example.org`, `www.*`, `.example.org` or `~regex`." },
);

/** A star is allowed first as `*.` and last as `.*`. nginx rejects it elsewhere, since no host contains one. */
function isServerName({ text }: Word): boolean {
  const inner = text.replace(/^\*\.(?=.)|(?<=.)\.\*$/, "");
  return !inner.includes("*") && text !== ".";
}

const tables = "tables grow as needed";

export const serverDirectives: readonly Directive[] = [
  server,
  listen,
  serverName,
  ignored("server_names_hash_bucket_size", ["http"], size, tables),
  ignored("server_names_hash_max_size", ["http"], number, tables),
  ignored("server_tokens", anyHttp, oneOf("on", "off", "build"), "no version is sent"),
  http2,
  http2MaxConcurrentStreams,
  ...http2Ignored,
];
