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

/** Programs, without tests. */
const programs = tracked.filter((file) => /^(src|bench|scripts)\/.*\.ts$/.test(file));
const linesOf = (file: string) => read(file).split("\n");

test("no file has outgrown its one subject", () => {
  expect(programs.filter((file) => linesOf(file).length - 1 > 300)).toEqual([]);
  const lengths = sources.map((file) => linesOf(file).length - 1).sort((a, b) => a - b);
  expect(lengths[Math.floor(lengths.length / 2)]).toBeLessThanOrEqual(150);
});

test("no line is past 120 columns, comments included", () => {
  const long = programs.flatMap((file) =>
    linesOf(file).flatMap((line, i) => (line.length > 120 ? [`${file}:${i + 1}`] : [])),
  );
  expect(long).toEqual([]);
});

/** Where time and chance enter; all other code is handed them, so that simulations decide both. */
const timeAndChance = ["transport/clock.ts", "transport/random.ts", "simulated-engine/clock.ts"];

test("time and chance are handed in", () => {
  const readers = sources.filter((file) =>
    /\b(Date\.now|performance\.now|Math\.random|process\.hrtime)\b|\bnew Date\(\)/.test(read(file)),
  );
  expect(readers.sort()).toEqual(timeAndChance.map((file) => `src/${file}`).sort());
});

test("each limit is one that something keeps", () => {
  const counts = new Map<string, number>();
  const users = tracked.filter((file) => /^(src|bench|scripts)\/.*\.(ts|mjs)$/.test(file));
  for (const word of users.flatMap((file) => read(file).match(/\w+/g) ?? [])) {
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const limits = programs.filter((file) => file.endsWith("/limits.ts"));
  const names = limits.flatMap((file) =>
    [...read(file).matchAll(/^export const (\w+)/gm)].map(([, name]) => name!),
  );
  expect(names.length).toBeGreaterThan(100);
  expect(names.filter((name) => counts.get(name) === 1)).toEqual([]);
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
