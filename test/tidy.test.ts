/** House rules that a machine can hold: the size of files, and that documents point at things that are there. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "..");
const tracked = execFileSync("git", ["ls-files", "-co", "--exclude-standard"], {
  cwd: root,
  encoding: "utf8",
})
  .split("\n")
  .filter((file) => file !== "" && existsSync(join(root, file)));
const read = (file: string) => readFileSync(join(root, file), "utf8");
const sources = tracked.filter((file) => /^src\/.*\.ts$/.test(file));

test("no source file has outgrown its one subject", () => {
  const lengths = sources.map((file) => read(file).split("\n").length - 1);
  const tooLong = sources.filter((_, index) => lengths[index]! > 400);
  expect(tooLong).toEqual([]);
  const median = lengths.toSorted((a, b) => a - b)[Math.floor(lengths.length / 2)]!;
  expect(median).toBeLessThanOrEqual(150);
});

test("every source file says first what it is for", () => {
  const silent = sources.filter((file) => !/^(#!.*\n)?(\/\*\*|\/\/)/.test(read(file)));
  expect(silent).toEqual([]);
});

test("documents point at files that exist", () => {
  const dead: string[] = [];
  for (const file of tracked.filter((name) => name.endsWith(".md"))) {
    for (const [, target = ""] of read(file).matchAll(/\]\((?!https?:|#)([^)#\s]+)[^)]*\)/g)) {
      if (!existsSync(join(root, dirname(file), target))) dead.push(`${file}: ${target}`);
    }
  }
  expect(dead).toEqual([]);
});

test("files that the architecture page names are where it says", () => {
  const named = [...read("docs/architecture.md").matchAll(/`((?:[\w-]+\/)+[\w-]+\.ts)`/g)].map(
    ([, path]) => path!,
  );
  const missing = named.filter(
    (path) => !existsSync(join(root, "src", path)) && !existsSync(join(root, path)),
  );
  expect(named.length).toBeGreaterThan(10);
  expect(missing).toEqual([]);
});
