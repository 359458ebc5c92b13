/** Directives of the main and events blocks. */

import { parseOperatorAddress } from "../../schema/operators.ts";
import type { ConfigInput } from "../../schema/schema.ts";
import { logLevels } from "../../values/log-levels.ts";
import { isSyslog } from "../../values/syslog-target.ts";
import {
  flag,
  invalidValue,
  many,
  none,
  number,
  offset,
  oneOf,
  parameter,
  reading,
  size,
  text,
  time,
  words,
} from "../reading/arguments.ts";
import { anyHttp } from "../reading/context.ts";
import { type Directive, honoured, ignored } from "../reading/directive.ts";
import type { Scope } from "../reading/scope.ts";
import { parseNumber } from "../reading/units.ts";
import type { Word } from "../syntax/lexer.ts";
import { logFile, syslogFile } from "./http/log.ts";

/** The schema's bound. */
const workersMax = 64;

export const workerProcesses = honoured(
  "worker_processes",
  ["main"],
  reading(1, 1, ([word], scope): number | "auto" => {
    if (word!.text === "auto") return "auto";
    const count = parseNumber(word!.text) ?? invalidValue(word!, scope);
    if (count > workersMax) scope.notice(`"worker_processes" is limited to ${workersMax}`, word);
    return Math.min(Math.max(count, 1), workersMax);
  }),
  "`workers`: worker threads",
  { byDefault: "1" },
);

export const pid = honoured("pid", ["main"], text, "`pidFile`");

export const admin = honoured(
  "pd_admin",
  ["main"],
  reading(1, 4, (args, scope) => operatorListener(args, scope)),
  "`admin`, as `[HOST:]PORT [token_file=FILE | token_env=NAME] " +
    "[tls_certificate=FILE tls_certificate_key=FILE]` (`docs/admin.md`)",
  { byDefault: "none" },
);

export const metrics = honoured(
  "pd_metrics",
  ["main"],
  reading(1, 4, (args, scope): ConfigInput["metrics"] =>
    args[0]!.text === "off" && args.length === 1
      ? { enabled: false }
      : operatorListener(args, scope),
  ),
  "`metrics`, as `[HOST:]PORT [token_file=FILE | token_env=NAME]`, or `off` (`docs/metrics.md`)",
  { byDefault: "on the admin listener" },
);

export const metricsVllmNames = honoured(
  "pd_metrics_vllm_names",
  ["main"],
  flag,
  "`metrics.vllmNames`",
  { byDefault: "off" },
);

/** An address for operators, and where its token is. */
function operatorListener([word, ...parameters]: readonly Word[], scope: Scope) {
  const address = parseOperatorAddress(word!.text);
  if ("problem" in address) {
    return scope.fail(`invalid address "${word!.text}": ${address.problem}`, word);
  }
  const given = new Map<string, string>();
  for (const one of parameters) {
    const [, name, where = ""] =
      /^(token_file|token_env|tls_certificate|tls_certificate_key)=(.+)$/.exec(one.text) ?? [];
    if (name === undefined || given.has(name)) {
      return scope.fail(`invalid parameter "${one.text}"`, one);
    }
    given.set(name, where);
  }
  const [file, env] = [given.get("token_file"), given.get("token_env")];
  const certificate = given.get("tls_certificate");
  const key = given.get("tls_certificate_key");
  if ((certificate === undefined) !== (key === undefined)) {
    scope.fail('"tls_certificate" and "tls_certificate_key" go together', word);
  }
  return {
    ...address,
    ...(file !== undefined ? { token: { file } } : env !== undefined && { token: { env } }),
    ...(certificate !== undefined &&
      key !== undefined && {
        tls: {
          certificate: { file: scope.configPath(certificate), keyFile: scope.configPath(key) },
        },
      }),
  };
}

export const workerShutdownTimeout = honoured(
  "worker_shutdown_timeout",
  ["main"],
  time,
  "`drainTimeoutMs`",
  { byDefault: "no limit" },
);

export const errorLog = honoured(
  "error_log",
  ["main", ...anyHttp],
  reading(1, many, ([file, ...levels], scope) => {
    const [level, second] = levels;
    const known = level === undefined ? "error" : level.text.replace(/^debug_\w+$/, "debug");
    const name = logLevels.find((candidate) => candidate === known);
    if (name === undefined) scope.fail(`invalid log level "${level!.text}"`, level);
    if (second !== undefined) scope.fail(`duplicate log level "${second.text}"`, second);
    if (isSyslog(file!.text)) return { file: syslogFile(file!, scope), level: name };
    if (/^memory:/.test(file!.text)) {
      scope.fail(`an error log in "${file!.text}" is not supported yet`, file);
    }
    return { file: logFile(file!.text), level: name };
  }),
  "`errorLog`",
  {
    repeats: true,
    byDefault: "`stderr error`",
    note: "The whole proxy has one error log: that of http, else of main, else of the first server that has one.",
  },
);

export const events = honoured("events", ["main"], none, "opens a block", { block: "events" });
export const http = honoured("http", ["main"], none, "opens a block", { block: "http" });

export const workerConnections = honoured(
  "worker_connections",
  ["events"],
  reading(1, 1, ([word], scope) => {
    const count = parseNumber(word!.text) ?? scope.fail(`invalid number "${word!.text}"`, word);
    if (count === 0) scope.fail("0 worker_connections are not enough", word);
    return Math.min(count, 1_000_000);
  }),
  "`connectionsMax`",
  {
    byDefault: "65536",
    note: "Counts connections to clients; nginx counts those to engines as well.",
  },
);

const threads = "workers are threads of one process";
const system = "the operating system and the runtime decide it";

export const mainDirectives: readonly Directive[] = [
  workerProcesses,
  pid,
  admin,
  metrics,
  metricsVllmNames,
  workerShutdownTimeout,
  errorLog,
  events,
  workerConnections,
  http,
  ignored("user", ["main"], words(1, 2), "the proxy runs as the user that starts it"),
  ignored("env", ["main"], words(1), "workers have the whole environment", { repeats: true }),
  ignored("daemon", ["main"], flag, "the proxy runs in the foreground"),
  ignored("master_process", ["main"], flag, threads),
  ignored("worker_cpu_affinity", ["main"], words(1, many), threads),
  ignored(
    "worker_priority",
    ["main"],
    reading(1, 1, ([word], scope) =>
      /^-?\d+$/.test(word!.text) ? true : scope.fail(`invalid number "${word!.text}"`, word),
    ),
    threads,
  ),
  ignored("worker_rlimit_core", ["main"], offset, system),
  ignored("worker_rlimit_nofile", ["main"], number, "set the limit before the proxy starts"),
  ignored(
    "working_directory",
    ["main"],
    text,
    "the proxy runs in the directory where it is started",
  ),
  ignored("lock_file", ["main"], text, threads),
  ignored("pcre_jit", ["main"], flag, "the runtime compiles regular expressions"),
  ignored("timer_resolution", ["main"], time, system),
  ignored("debug_points", ["main"], oneOf("stop", "abort"), "it serves to debug nginx"),
  ignored(
    "thread_pool",
    ["main"],
    reading(2, 3, ([name, ...rest], scope) => {
      if (!rest.some((word) => (parseNumber(parameter(word, "threads") ?? "") ?? 0) > 0)) {
        scope.fail(`missing "threads" parameter in thread pool "${name!.text}"`);
      }
    }),
    "files are read in pieces, as clients take them",
    { repeats: true },
  ),
  ignored(
    "use",
    ["events"],
    reading(1, 1, ([word], scope) => {
      const known = ["select", "poll", "kqueue", "epoll", "/dev/poll", "eventport"];
      if (!known.includes(word!.text)) scope.fail(`invalid event type "${word!.text}"`, word);
    }),
    system,
  ),
  ignored("accept_mutex", ["events"], flag, system),
  ignored("accept_mutex_delay", ["events"], time, system),
  ignored("multi_accept", ["events"], flag, system),
  ...["epoll_events", "kqueue_changes", "kqueue_events", "devpoll_changes", "devpoll_events"].map(
    (name) => ignored(name, ["events"], number, system),
  ),
  ignored("worker_aio_requests", ["events"], number, "files are read in pieces"),
  ignored("debug_connection", ["events"], text, "the error log has one level for all clients", {
    repeats: true,
  }),
  ignored("ssl_engine", ["main"], text, "TLS is not supported yet"),
  ignored("variables_hash_bucket_size", ["http"], size, "tables grow as needed"),
  ignored("variables_hash_max_size", ["http"], number, "tables grow as needed"),
];
