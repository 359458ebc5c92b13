/**
 * Who comes from another router types what these pages say: the commands are accepted, the configurations load, and
 * each flag, setting, policy and dialect that a table names for this proxy is one.
 */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { flagsCommand, readFlags } from "../../src/cli/options/flag-options.ts";
import { parseFlags } from "../../src/config/flags/parse-flags.ts";
import { routeDialects } from "../../src/config/schema/dialects.ts";
import { parsePolicy } from "../../src/config/schema/pool/policy-text.ts";
import { configSchema } from "../../src/config/schema/schema.ts";
import { inputOf } from "../config/nginx/in-memory.ts";

const folder = "docs/migrating";
const pages = readdirSync(folder).map(
  (file) => [file, readFileSync(`${folder}/${file}`, "utf8")] as const,
);
const flags = new Set(flagsCommand().options.map(({ long }) => long!));
const schema = readFileSync("config.schema.json", "utf8");

const blocks = (page: string, language: string) =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)\\n\`\`\`$`, "gms"))].map(
    ([, text]) => text!,
  );

const commandsOf = (page: string) =>
  blocks(page, "sh").flatMap((text) =>
    text
      .replaceAll(/^#.*\n/gm, "")
      .replaceAll(/\s*\\\n\s*/g, " ")
      .split("\n")
      .filter((line) => line.startsWith("global-proxy --")),
  );
const configurationsOf = (page: string) =>
  blocks(page, "yaml").filter((block) => block.includes("servers:"));

test("there is something to try", () => {
  const all = pages.map(([, page]) => page);
  expect(all.flatMap(commandsOf).length).toBeGreaterThan(1);
  expect(all.flatMap(configurationsOf).length).toBeGreaterThan(1);
});

/** What stands for this proxy in the tables: the second column. */
function ours(page: string): string[] {
  const rows = [...page.matchAll(/^\|.*\|$/gm)].map(([row]) => row.split(/(?<!\\)\|/));
  const cells = rows.filter((cells) => cells.length > 3 && !/^-+$/.test(cells[1]!.trim()));
  return cells.flatMap((row) => [...row[2]!.matchAll(/`([^`]+)`/g)].map(([, code]) => code!));
}

describe.each(pages)("%s", (_, page) => {
  test("says when it was looked up, and at which version", () => {
    if (page.startsWith("# Coming from nginx")) return;
    expect(page).toMatch(/at commit `[0-9a-f]{7}`|documentation of \d+ \w+ 20\d\d/);
  });

  test("its commands are accepted", () => {
    for (const line of commandsOf(page)) {
      const words = [...line.matchAll(/'([^']*)'|(\S+)/g)].map(
        ([, quoted, word]) => quoted ?? word!,
      );
      const read = readFlags(words.slice(1));
      if ("error" in read) throw new Error(`${line}: ${read.error}`);
      const config = parseFlags(read);
      expect("errors" in config ? config.errors : []).toEqual([]);
    }
  });

  test("its configurations load", () => {
    for (const text of configurationsOf(page)) {
      expect(configSchema.safeParse(parse(text)).error).toBeUndefined();
    }
    for (const text of blocks(page, "nginx")) {
      expect(inputOf(`events {} http { ${text} }`).servers).toHaveLength(1);
    }
  });

  test("each flag, setting, policy and dialect of this proxy is there", () => {
    const wrong = ours(page).filter((code) => !isKnown(code));
    expect(wrong).toEqual([]);
  });
});

test("the last check finds what does not exist", () => {
  for (const code of [
    "--no-such-flag",
    "noSuchKey: 1",
    "retry: { noSuchKey }",
    "least_conn?no_such=1",
  ])
    expect(isKnown(code)).toBe(false);
  for (const code of ["--dialect no-such", "noSuchKey"]) expect(isKnown(code)).toBe(false);
});

/** What is no name of this proxy's: addresses, paths, headers, words of nginx.conf. */
const other = /^(?:\/|POST |'?http:|-[a-z]|X-|map$|pd_|max_conns|blocks_max|moriio)/;

function isKnown(code: string): boolean {
  const [word = "", value] = code.split(" ");
  if (word === "--dialect" && value !== undefined)
    return (routeDialects as readonly string[]).includes(value);
  if (word.startsWith("--")) return flags.has(word);
  if (other.test(code) || "policy" in parsePolicy(code, undefined)) return true;
  const settings = code.replaceAll(/"[^"]*"/g, "");
  const names = [...settings.matchAll(/\b([a-z][A-Za-z]+)(?=:| \}|,|$|\.)/g)].map(
    ([, name]) => name!,
  );
  return names.length > 0 && names.every((name) => schema.includes(`"${name}"`));
}
