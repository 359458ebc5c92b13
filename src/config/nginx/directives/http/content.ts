/** Directives about content types, charsets, and how long clients may keep responses. */
import { parseLifetime } from "../../../values/lifetime.ts";
import {
  flag,
  invalidValue,
  many,
  none,
  reading,
  template,
  text,
  words,
} from "../../reading/arguments.ts";
import { anyHttp, anyHttpAndIf } from "../../reading/context.ts";
import { type Directive, honoured, ignored } from "../../reading/directive.ts";
import type { Scope } from "../../reading/scope.ts";
import { parseSize } from "../../reading/units.ts";
import type { Word } from "../../syntax/lexer.ts";
import type { RouteInput } from "./location.ts";

export const defaultType = honoured("default_type", anyHttp, text, "`textType`", {
  byDefault: "text/plain",
});
/** Extension → type. */
export const types = honoured(
  "types",
  anyHttp,
  { ...none, read: (_, scope) => typesIn(scope.node.block ?? []) },
  "`contentTypes`",
  { block: "entries", repeats: true },
);

function typesIn(nodes: NonNullable<Scope["node"]["block"]>): ReadonlyMap<string, string> {
  return new Map(
    nodes.flatMap(({ name, args }) => args.map((word) => [word.text.toLowerCase(), name.text])),
  );
}

export const charset = honoured("charset", anyHttpAndIf, template, "`charset.name`", {
  byDefault: "off",
});
export const charsetTypes = honoured("charset_types", anyHttp, words(1, many), "`charset.types`", {
  byDefault: "those of texts",
});
const sourceCharset = ignored(
  "source_charset",
  anyHttpAndIf,
  text,
  "responses keep their encoding: charset only names it",
);

function readExpires(words: readonly Word[], scope: Scope): RouteInput["expires"] {
  const [first] = words;
  const fromChange = words.length === 2;
  if (fromChange && first!.text !== "modified") {
    return scope.fail(`"expires" directive invalid value`, first);
  }
  const word = words.at(-1)!;
  const value = scope.template(word);
  if (value.includes("$")) return { value, fromChange };
  if (value === "off" && !fromChange) return undefined;
  if (parseLifetime(value, fromChange) === undefined) {
    const isDaily = value.startsWith("@");
    if (isDaily && fromChange) {
      scope.fail(`"expires" directive daily time cannot be used with "modified" parameter`, word);
    }
    const isLong = isDaily && parseLifetime(value.slice(1), false) !== undefined;
    const problem = isLong ? "daily time value must be less than 24 hours" : "invalid value";
    scope.fail(`"expires" directive ${problem}`, word);
  }
  return { value, ...(fromChange && { fromChange }) };
}

export const expires = honoured("expires", anyHttpAndIf, reading(1, 2, readExpires), "`expires`", {
  byDefault: "off",
});

export const chunkedTransferEncoding = honoured(
  "chunked_transfer_encoding",
  anyHttp,
  flag,
  "`chunkedResponses`",
  { byDefault: "on" },
);

function readRate(word: Word, scope: Scope): string | number {
  const value = scope.template(word);
  return value.includes("$") ? value : (parseSize(value) ?? invalidValue(word, scope));
}

const rate = reading(1, 1, ([word], scope) => readRate(word!, scope));

export const limitRate = honoured("limit_rate", anyHttpAndIf, rate, "`clientRate.bytesPerSecond`", {
  byDefault: "0: no limit",
});
export const limitRateAfter = honoured(
  "limit_rate_after",
  anyHttpAndIf,
  rate,
  "`clientRate.afterBytes`",
  { byDefault: "0" },
);

export const contentDirectives: readonly Directive[] = [
  defaultType,
  types,
  charset,
  charsetTypes,
  sourceCharset,
  expires,
  chunkedTransferEncoding,
  limitRate,
  limitRateAfter,
];
