/** `upstream`: engines, how one of them is chosen, and the connections to them. */
import { isIPv6 } from "node:net";
import { didYouMean } from "../../../problems/suggest.ts";
import type { PolicyInput } from "../../../schema/pool/policies.ts";
import { queueLimits } from "../../../schema/pool/queue.ts";
import type { ConfigInput } from "../../../schema/schema.ts";
import { engineAttributes, isEngineAttribute } from "../../../values/engine-attributes.ts";
import { parseEngineUrl } from "../../../values/engine-url.ts";
import { many, number, reading, time, words } from "../../reading/arguments.ts";
import type { Context } from "../../reading/context.ts";
import { type Directive, honoured, ignored } from "../../reading/directive.ts";
import type { Scope } from "../../reading/scope.ts";
import { parseNumber, parseSize, parseTime } from "../../reading/units.ts";
import type { Word } from "../../syntax/lexer.ts";
import { engineKnowledge } from "./engine-knowledge.ts";
import { policyDirectives, policySettingDirectives } from "./policy-directives.ts";
import { resolver, type ServerEngine } from "./resolve.ts";

type PoolInput = NonNullable<ConfigInput["pools"]>[string];
export type EngineInput = NonNullable<PoolInput["engines"]>[number];
type QueueInput = NonNullable<PoolInput["queue"]>;

const here: readonly Context[] = ["upstream"];

export const upstream = honoured("upstream", ["http"], words(1), "an item of `pools`", {
  block: "upstream",
  repeats: true,
});

/**
 * An engine's address in nginx's words.
 * @param text `host:port`, `host`, `[::1]:port` or `unix:/path`
 */
export function readAddress(text: string, word: Word, scope: Scope): string {
  const fail = (reason: string): never => scope.fail(`${reason} in upstream "${text}"`, word);
  if (text.startsWith("unix:")) {
    if (text === "unix:") fail("no path in the unix domain socket");
    return `unix:${scope.socketPath(text.slice("unix:".length))}`;
  }
  const [, bracketed, plain, port] =
    /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(.*))?$/s.exec(text) ??
    fail(text.startsWith("[") ? "invalid host" : "invalid port");
  if (plain?.includes("/")) fail("invalid host");
  const number = /^\d{1,5}$/.test(port ?? "80") ? Number(port ?? "80") : 0;
  if (number < 1 || number > 65_535) fail("invalid port");
  if (bracketed !== undefined && !isIPv6(bracketed)) fail("invalid IPv6 address");
  if (plain === "") fail("no host");
  if (bracketed === undefined && !/^[\w.-]+$/.test(plain!)) fail("invalid host");
  return `${bracketed === undefined ? plain : `[${bracketed}]`}:${number}`;
}

function readEngine([address, ...parameters]: readonly Word[], scope: Scope): ServerEngine {
  if (/^\w+:\/\//.test(address!.text)) {
    const hint = "an engine is host:port, without http:// and path";
    scope.fail(`invalid host in upstream "${address!.text}"`, address, hint);
  }
  const [, text = "", rank = ""] = /^([^@]*)(@.*)?$/s.exec(address!.text)!;
  const engine: ServerEngine = { url: readAddress(text, address!, scope) + rank };
  if (rank !== "") checkRank(address!, scope);
  for (const word of parameters) readEngineParameter(engine, word, scope);
  if (engine.service !== undefined && !engine.resolve) {
    scope.fail('"service" needs the parameter "resolve"', address);
  }
  return engine;
}

/** `host:port@0` or `host:port@0-7`: data-parallel ranks, which nginx does not have. */
function checkRank(word: Word, scope: Scope): void {
  const parsed = parseEngineUrl(word.text);
  if (!("problem" in parsed)) return;
  scope.fail(`invalid host in upstream "${word.text}": ${parsed.problem}`, word, parsed.hint);
}

/** nginx's own parameters. Attributes of engines may stand beside them. */
const parameterNames = [
  "weight",
  "max_conns",
  "max_fails",
  "fail_timeout",
  "slow_start",
  "backup",
  "down",
  "drain",
  "resolve",
  "service",
];

function readEngineParameter(engine: ServerEngine, word: Word, scope: Scope): void {
  const invalid = (): never => scope.fail(`invalid parameter "${word.text}"`, word);
  const [name = "", value = ""] = /^(\w+)(?:=(.*))?$/s.exec(word.text)?.slice(1) ?? [];
  const natural = () => parseNumber(value) ?? invalid();
  switch (word.text === name ? name : `${name}=`) {
    case "weight=":
      engine.weight = natural() || invalid();
      break;
    case "max_conns=":
      engine.maxConns = natural();
      break;
    case "max_fails=":
      engine.maxFails = natural();
      break;
    case "fail_timeout=":
      engine.failTimeoutMs = Math.min(parseTime(value, "seconds") ?? invalid(), 86_400_000);
      break;
    case "backup":
      engine.backup = true;
      break;
    case "down":
      engine.down = true;
      break;
    case "slow_start=":
      engine.slowStartMs = Math.min(parseTime(value, "seconds") ?? invalid(), 86_400_000);
      break;
    case "drain":
      engine.draining = true;
      break;
    case "resolve":
      engine.resolve = true;
      break;
    case "service=":
      engine.service = value === "" ? invalid() : value;
      break;
    case "route=":
      throw scope.error(`"${name}" of "server" is not supported yet`, word);
    default: {
      if (isEngineAttribute(name)) {
        if (value === "") invalid();
        engine.attributes = { ...engine.attributes, [name]: value };
        break;
      }
      const hint = didYouMean(name, [...parameterNames, ...Object.keys(engineAttributes)]);
      throw scope.error(`invalid parameter "${word.text}"`, word, hint);
    }
  }
}

export const engine = honoured(
  "server",
  here,
  reading(1, many, readEngine),
  "an item of `engines`",
  {
    repeats: true,
    note:
      "`host:port` (port 80 by default) or `unix:/path`, then `weight=` (1), `max_fails=` (1), `fail_timeout=` " +
      "(10s), `slow_start=` (0), `max_conns=` (no limit), `backup`, `down` and `drain`. With `resolve`, each " +
      "address of the name is an engine, and with `service=` each of its SRV records (`docs/discovery.md`). " +
      "`@RANK` or `@FIRST-LAST` may follow the port, and attributes such as `bootstrap_port=8998` may follow the " +
      "address (`docs/kv-transfer.md`).",
  },
);

function policy(
  name: string,
  [min, max]: readonly [number, number],
  read: (args: readonly Word[], scope: Scope) => PolicyInput,
  note?: string,
): Directive<PolicyInput> {
  const options = { repeats: true, ...(note !== undefined && { note }) };
  return honoured(name, here, reading(min, max, read), "`policy`", options);
}

function readRandom([two, method]: readonly Word[], scope: Scope): PolicyInput {
  if (two !== undefined && two.text !== "two") {
    scope.fail(`invalid parameter "${two.text}"`, two);
  }
  if (method !== undefined && method.text !== "least_conn") {
    scope.fail(`invalid parameter "${method.text}"`, method, "valid: least_conn");
  }
  return { name: "random", two: two !== undefined };
}

function readHash([key, consistent]: readonly Word[], scope: Scope): PolicyInput {
  if (consistent !== undefined && consistent.text !== "consistent") {
    scope.fail(`invalid parameter "${consistent.text}"`, consistent);
  }
  if (key!.text === "") scope.fail('the key of "hash" is empty', key);
  return { name: "hash", key: scope.template(key!), consistent: consistent !== undefined };
}

const nginxPolicies: readonly Directive<PolicyInput>[] = [
  policy("least_conn", [0, 0], () => ({ name: "least_conn" })),
  policy("ip_hash", [0, 0], () => ({ name: "ip_hash" })),
  policy("random", [0, 2], readRandom, "Alone, or with `two` or `two least_conn`."),
  policy("hash", [1, 2], readHash, "A key as a template, then `consistent` if wanted."),
];

/** Ways to choose an engine. nginx has no directive for round robin, its default. */
export const policies: readonly Directive<PolicyInput | undefined>[] = [
  ...nginxPolicies,
  ...policyDirectives(new Set(["round_robin", ...nginxPolicies.map(({ name }) => name)])),
];

export const keepalive = honoured(
  "keepalive",
  here,
  reading(1, 1, ([word], scope) => {
    const count = parseNumber(word!.text) || undefined;
    return count ?? scope.fail(`invalid value "${word!.text}" in "keepalive" directive`, word);
  }),
  "`keepAlive.connections`",
  { byDefault: "256", note: "Connections are reused without it as well." },
);

function readQueue([count, timeout]: readonly Word[], scope: Scope): QueueInput {
  const max = parseNumber(count!.text);
  if (max === undefined || !queueLimits.max.safeParse(max).success) {
    scope.fail(`invalid value "${count!.text}" in "queue" directive`, count);
  }
  if (timeout === undefined) return { max };
  const timeoutMs = parseTime(/^timeout=(.*)$/s.exec(timeout.text)?.[1] ?? "", "seconds");
  if (timeoutMs !== undefined && queueLimits.timeoutMs.safeParse(timeoutMs).success) {
    return { max, timeoutMs };
  }
  return scope.fail(`invalid parameter "${timeout.text}"`, timeout);
}

export const queue = honoured("queue", here, reading(1, 2, readQueue), "`queue`", {
  byDefault: "none",
  note:
    "As in NGINX Plus: requests wait while all engines have `max_conns` requests, for at most `timeout=` (60s). " +
    "Then they get 503; nginx responds with 502.",
});

export const panicThreshold = honoured(
  "pd_panic_threshold",
  here,
  reading(1, 1, ([word], scope) => {
    const [, digits = ""] = /^(\d{1,3})%$/.exec(word!.text) ?? [];
    if (digits !== "" && Number(digits) <= 100) return Number(digits);
    return scope.fail(`invalid share "${word!.text}"`, word, "write for example 50%");
  }),
  "`ejection.panicPercent` (`docs/ejection.md`)",
  { byDefault: "0%: never" },
);

export const upstreamKeepaliveTimeout = honoured(
  "keepalive_timeout",
  here,
  time,
  "`keepAlive.idleMs`",
  {
    byDefault: "4s",
    note:
      "nginx's default is 60 s. uvicorn closes connections after 5 s, and a request that meets a closing connection " +
      "must be retried.",
  },
);
export const upstreamKeepaliveRequests = honoured(
  "keepalive_requests",
  here,
  number,
  "`keepAlive.requests`",
  { byDefault: "100000" },
);

export const upstreamDirectives: readonly Directive[] = [
  upstream,
  engine,
  ...policies,
  ...policySettingDirectives,
  ...engineKnowledge,
  keepalive,
  queue,
  panicThreshold,
  resolver,
  upstreamKeepaliveTimeout,
  upstreamKeepaliveRequests,
  ignored("keepalive_time", here, time, "the age of connections has no limit"),
  ignored(
    "zone",
    here,
    reading(1, 2, ([name, bytes], scope: Scope) => {
      const size = bytes === undefined ? 32_768 : parseSize(bytes.text);
      if (size === undefined) scope.fail(`invalid zone size "${bytes!.text}"`, bytes);
      if (size < 32_768) scope.fail(`zone "${name!.text}" is too small`, name);
    }),
    "all workers share one scoreboard",
    { repeats: true },
  ),
  ignored(
    "resolver",
    ["server", "location"],
    words(1, many),
    "it counts only in http and upstream, for server NAME resolve",
    { repeats: true },
  ),
  ignored(
    "resolver_timeout",
    ["http", "server", "location", "upstream"],
    time,
    "the system resolves host names",
  ),
];
