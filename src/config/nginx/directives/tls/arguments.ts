/** Arguments that the directives about TLS share, for clients and for engines. */
import { type Arguments, many, number, reading, someOf } from "../../reading/arguments.ts";
import type { Scope } from "../../reading/scope.ts";
import type { Word } from "../../syntax/lexer.ts";

/** A file; relative ones start at the folder of the configuration, as in nginx. */
export const file: Arguments<string> = reading(1, 1, ([word], scope) => readFile(word!, scope));

export function readFile(word: Word, scope: Scope): string {
  const { text } = word;
  if (/^(?:data|engine|store):/.test(text)) {
    const kind = text.slice(0, text.indexOf(":") + 1);
    scope.fail(`"${kind}" is not supported in "${scope.name}"`, word, "name a PEM file");
  }
  if (text.includes("$")) {
    const hint = "name one file for each server; each server_name has its own";
    scope.fail(`variables are not supported in "${scope.name}"`, word, hint);
  }
  return scope.configPath(text);
}

export type Protocol = "TLSv1" | "TLSv1.1" | "TLSv1.2" | "TLSv1.3";

const versions = someOf("tlsv1", "tlsv1.1", "tlsv1.2", "tlsv1.3", "sslv2", "sslv3");

export const protocols: Arguments<Protocol[]> = reading(1, many, (words, scope) => {
  const given = versions.read(words, scope);
  const usable = given.filter((one) => one.startsWith("tls"));
  if (usable.length < given.length) {
    scope.notice("SSLv2 and SSLv3 are broken, and no runtime has them", words[0]);
  }
  if (usable.length === 0) scope.fail("no usable protocol", words[0]);
  return [...new Set(usable.map((one) => one.replace("tls", "TLS") as Protocol))];
});

export const depth: Arguments<number> = reading(1, 1, (words, scope) =>
  Math.min(100, number.read(words, scope)),
);
