/** Kinds of arguments: how many there are, and how they are read. Messages are nginx's. */
import type { Word } from "../syntax/lexer.ts";
import type { Scope } from "./scope.ts";
import { parseNumber, parseSize, parseTime } from "./units.ts";

export interface Arguments<Value> {
  readonly min: number;
  readonly max: number;
  /** @throws DirectiveError */
  read(args: readonly Word[], scope: Scope): Value;
}

/** From `min` to `max` words, unchanged. */
export function words(min: number, max: number = min): Arguments<readonly Word[]> {
  return { min, max, read: (args) => args };
}

/** From `min` to `max` words, from which `read` makes a value. */
export function reading<Value>(
  min: number,
  max: number,
  read: (args: readonly Word[], scope: Scope) => Value,
): Arguments<Value> {
  return { min, max, read };
}

export const many = Number.POSITIVE_INFINITY;
export const none: Arguments<true> = { min: 0, max: 0, read: () => true };

function one<Value>(read: (word: Word, scope: Scope) => Value): Arguments<Value> {
  return { min: 1, max: 1, read: ([word], scope) => read(word!, scope) };
}

export const text: Arguments<string> = one((word) => word.text);
export const template: Arguments<string> = one((word, scope) => scope.template(word));

export const flag: Arguments<boolean> = one((word, scope) => {
  const value = word.text.toLowerCase();
  if (value === "on" || value === "off") return value === "on";
  const rule = 'it must be "on" or "off"';
  return scope.fail(`invalid value "${word.text}" in "${scope.name}" directive, ${rule}`, word);
});

export function oneOf<Name extends string>(...names: readonly Name[]): Arguments<Name> {
  return one((word, scope) => oneOfNames(word, names, scope));
}

/** One or several of the names. */
export function someOf<Name extends string>(...names: readonly Name[]): Arguments<Name[]> {
  return {
    min: 1,
    max: many,
    read: (args, scope) => args.map((word) => oneOfNames(word, names, scope)),
  };
}

function oneOfNames<Name extends string>(word: Word, names: readonly Name[], scope: Scope): Name {
  const found = names.find((name) => name === word.text.toLowerCase());
  return found ?? scope.fail(`invalid value "${word.text}"`, word, `valid: ${names.join(", ")}`);
}

/** The longest time that the configuration accepts. */
const timeMsMax = 86_400_000;

/** Milliseconds, at most a day. */
export const time: Arguments<number> = one(readTime);

export function readTime(word: Word, scope: Scope): number {
  const ms = parseTime(word.text);
  if (ms === undefined) return invalidValue(word, scope);
  if (ms > timeMsMax) scope.notice(`"${scope.name}" is limited to one day`, word);
  return Math.min(ms, timeMsMax);
}

/** Whole seconds as nginx reads them, in milliseconds. */
export const seconds: Arguments<number> = one(
  (word, scope) => parseTime(word.text, "seconds") ?? invalidValue(word, scope),
);

export const size: Arguments<number> = one(readSize);

export function readSize(word: Word, scope: Scope): number {
  return parseSize(word.text) ?? invalidValue(word, scope);
}

/** A size that may be in gigabytes. */
export const offset: Arguments<number> = one(
  (word, scope) => parseSize(word.text, true) ?? invalidValue(word, scope),
);

export const number: Arguments<number> = one(
  (word, scope) =>
    parseNumber(word.text) ?? scope.fail(`"${scope.name}" directive invalid number`, word),
);

/** A count and a size, such as `4 8k`. */
export const buffers: Arguments<{ readonly count: number; readonly bytes: number }> = {
  min: 2,
  max: 2,
  read: ([first, second], scope) => {
    const count = parseNumber(first!.text);
    const bytes = parseSize(second!.text);
    if (count === undefined || count === 0) return invalidValue(first!, scope);
    if (bytes === undefined || bytes === 0) return invalidValue(second!, scope);
    return { count, bytes };
  },
};

export function invalidValue(word: Word, scope: Scope): never {
  return scope.fail(`"${scope.name}" directive invalid value`, word);
}

/** `name=value` → value; undefined if the word is another parameter. */
export function parameter(word: Word, name: string): string | undefined {
  return word.text.startsWith(`${name}=`) ? word.text.slice(name.length + 1) : undefined;
}
