/** How much of a location one client may use. */
import { flag, number, oneOf, reading } from "../../reading/arguments.ts";
import { anyHttp } from "../../reading/context.ts";
import { type Directive, honoured } from "../../reading/directive.ts";
import type { Scope } from "../../reading/scope.ts";
import { parseNumber, parseSize } from "../../reading/units.ts";
import type { Word } from "../../syntax/lexer.ts";

export interface LimitZone {
  readonly name: string;
  readonly key: string;
  readonly bytes: number;
  readonly perMinute: number;
}

/** nginx's smallest: eight pages. */
const zoneBytesMin = 32_768;

function readZone([key, ...words]: readonly Word[], scope: Scope): LimitZone {
  const template = scope.template(key!);
  let zone: { readonly name: string; readonly bytes: number } | undefined;
  let perMinute = 60;
  for (const word of words) {
    const { text } = word;
    if (text.startsWith("zone=")) zone = readSizedZone(word, scope);
    else if (text.startsWith("rate=") && scope.name === "limit_req_zone") {
      const [, digits, unit] = /^rate=(.*?)(r\/s|r\/m)?$/.exec(text) ?? [];
      const rate = parseNumber(digits!);
      if (rate === undefined || rate === 0) scope.fail(`invalid rate "${text}"`, word);
      perMinute = unit === "r/m" ? rate : rate * 60;
    } else scope.fail(`invalid parameter "${text}"`, word);
  }
  if (zone === undefined) scope.fail(`"${scope.name}" must have "zone" parameter`);
  return { ...zone, key: template, perMinute };
}

function readSizedZone(word: Word, scope: Scope) {
  const [, name = "", size] = /^zone=([^:]*):(.*)$/.exec(word.text) ?? [];
  const bytes = size === undefined ? undefined : parseSize(size);
  if (bytes === undefined) scope.fail(`invalid zone size "${word.text}"`, word);
  if (bytes < zoneBytesMin) scope.fail(`zone "${word.text}" is too small`, word);
  if (name === "") scope.fail(`"${scope.name}" must have "zone" parameter`);
  return { name, bytes };
}

export const limitReqZone = honoured(
  "limit_req_zone",
  ["http"],
  reading(3, 3, readZone),
  "an item of `requestZones`",
  { repeats: true, note: "A key takes 128 bytes of the zone, as in nginx." },
);
export const limitConnZone = honoured(
  "limit_conn_zone",
  ["http"],
  reading(2, 2, readZone),
  "an item of `connectionZones`",
  { repeats: true, note: "A key takes 64 bytes of the zone, as in nginx." },
);

export interface RequestLimit {
  readonly zone: string;
  readonly burst: number;
  readonly delayAfter: number;
}

const burstMax = 1_000_000;

function readRequestLimit(words: readonly Word[], scope: Scope): RequestLimit {
  let zone: string | undefined;
  let burst = 0;
  let delay: number | undefined = 0;
  for (const word of words) {
    const [, name, value = ""] = /^(zone|burst|delay)=(.*)$/.exec(word.text) ?? [];
    if (name === "zone") zone = value;
    else if (name !== undefined) {
      const count = parseNumber(value);
      if (count === undefined || count === 0) {
        scope.fail(`invalid ${name} value "${word.text}"`, word);
      }
      if (name === "burst") burst = Math.min(count, burstMax);
      else delay = count;
    } else if (word.text === "nodelay") delay = undefined;
    else scope.fail(`invalid parameter "${word.text}"`, word);
  }
  if (zone === undefined) scope.fail('"limit_req" must have "zone" parameter');
  return { zone, burst, delayAfter: Math.min(delay ?? burst, burstMax) };
}

export const limitReq = honoured(
  "limit_req",
  anyHttp,
  reading(1, 3, readRequestLimit),
  "an item of `requestLimits.zones`",
  { repeats: true, note: "`nodelay` is a `delayAfter` that is the burst." },
);

export interface ConnectionLimit {
  readonly zone: string;
  readonly max: number;
}

function readConnectionLimit([zone, count]: readonly Word[], scope: Scope): ConnectionLimit {
  const max = parseNumber(count!.text);
  if (max === undefined || max === 0) {
    scope.fail(`invalid number of connections "${count!.text}"`, count);
  }
  if (max > 65_535) scope.fail("connection limit must be less 65536", count);
  return { zone: zone!.text, max };
}

export const limitConn = honoured(
  "limit_conn",
  anyHttp,
  reading(2, 2, readConnectionLimit),
  "an item of `connectionLimits.zones`",
  { repeats: true },
);

const status = reading(1, 1, (words, scope) => {
  const value = number.read(words, scope);
  if (value < 400 || value > 599) scope.fail("value must be between 400 and 599", words[0]);
  return value;
});
const level = oneOf("info", "notice", "warn", "error");

export const limitReqStatus = honoured(
  "limit_req_status",
  anyHttp,
  status,
  "`requestLimits.status`",
  { byDefault: "503" },
);
export const limitReqLogLevel = honoured(
  "limit_req_log_level",
  anyHttp,
  level,
  "`requestLimits.logLevel`",
  { byDefault: "error" },
);
export const limitReqDryRun = honoured(
  "limit_req_dry_run",
  anyHttp,
  flag,
  "`requestLimits.dryRun`",
  { byDefault: "off" },
);
export const limitConnStatus = honoured(
  "limit_conn_status",
  anyHttp,
  status,
  "`connectionLimits.status`",
  { byDefault: "503" },
);
export const limitConnLogLevel = honoured(
  "limit_conn_log_level",
  anyHttp,
  level,
  "`connectionLimits.logLevel`",
  { byDefault: "error" },
);
export const limitConnDryRun = honoured(
  "limit_conn_dry_run",
  anyHttp,
  flag,
  "`connectionLimits.dryRun`",
  { byDefault: "off" },
);

export const limitDirectives: readonly Directive[] = [
  limitReqZone,
  limitReq,
  limitReqStatus,
  limitReqLogLevel,
  limitReqDryRun,
  limitConnZone,
  limitConn,
  limitConnStatus,
  limitConnLogLevel,
  limitConnDryRun,
];
