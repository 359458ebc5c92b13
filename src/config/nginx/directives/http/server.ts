/** `server` of http, where it listens and by which names. */
import { flag, many, none, number, reading, size } from "../../reading/arguments.ts";
import { anyHttp, httpAndServer } from "../../reading/context.ts";
import { type Directive, honoured, ignored } from "../../reading/directive.ts";
import type { Word } from "../../syntax/lexer.ts";
import { readListen } from "./listen.ts";

export const server = honoured("server", ["http"], none, "one of `servers`", {
  block: "server",
  repeats: true,
});

export const listen = honoured(
  "listen",
  ["server"],
  reading(1, many, readListen),
  "`listen`: port, `address:port`, `[::]:port`, `unix:/path`, port ranges, with `default_server`, `reuseport`, `backlog`; `*:80` when not given. `ssl`, `http2`, `quic` and `proxy_protocol` are refused, socket options have no effect",
  { repeats: true },
);

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
          "a server's name is a host, without path",
        );
      }
      return name.toLowerCase();
    }),
  ),
  "`names`: exact, `*.example.org`, `www.*`, `.example.org`, `~regex`",
  { repeats: true },
);

/** A star stands first as `*.` or last as `.*`; anywhere else it is a letter that no host has, and nginx refuses it. */
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
  ignored("server_name_in_redirect", anyHttp, flag, "redirects are sent as they are configured"),
  ignored("absolute_redirect", anyHttp, flag, "redirects are sent as they are configured"),
  ignored("port_in_redirect", anyHttp, flag, "redirects are sent as they are configured"),
  ignored(
    "server_tokens",
    anyHttp,
    reading(1, 1, () => true),
    "no version is told",
  ),
  ignored("http2_max_concurrent_streams", httpAndServer, number, "there is no HTTP/2 yet"),
];
