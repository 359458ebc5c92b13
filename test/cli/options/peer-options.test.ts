/** Who types another router's flag is told what to write instead, and that exists. */

import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { flagsCommand, readFlags } from "../../../src/cli/options/flag-options.ts";
import { peerFlags, peerHint } from "../../../src/cli/options/peer-options.ts";
import { parseFlags } from "../../../src/config/flags/parse-flags.ts";

const own = flagsCommand().options.map(({ long }) => long!);

it.each([
  ["--worker-urls", "unknown option '--worker-urls' (use --engine)"],
  [
    "--router-policy=random",
    "unknown option '--router-policy' (use --prefill-policy and --decode-policy)",
  ],
])("%s", (word, error) => {
  expect(readFlags([word, "x"])).toEqual({ error });
});

it("still suggests what is near where no other router has the flag", () => {
  expect(readFlags(["--prefil", "x"])).toEqual({
    error: "unknown option '--prefil' (Did you mean --prefill?)",
  });
});

it("names flags and settings that there are, for flags that there are not", () => {
  const schema = readFileSync("config.schema.json", "utf8");
  for (const flag of peerFlags) {
    expect(own).not.toContain(flag);
    const hint = peerHint(flag)!;
    for (const [name] of hint.matchAll(/--[a-z-]+/g)) expect(own).toContain(name);
    const [, setting] = /^use (\w+) .*YAML$|^use (\w+) in YAML/.exec(hint) ?? [];
    if (setting !== undefined) expect(schema).toContain(`"${setting}"`);
  }
});

it("says where a bootstrap port belongs", () => {
  const read = readFlags("--prefill http://a:1 9000 --decode http://b:1".split(" "));
  if ("error" in read) throw new Error(read.error);
  const parsed = parseFlags(read);
  expect("errors" in parsed && parsed.errors[0]).toMatchObject({
    message: 'invalid URL "9000" for --prefill: the port is missing',
    hint: "write a bootstrap port behind its engine: 'http://HOST:PORT?bootstrap_port=9000'",
  });
});
